/* demo_release.c - the demo's second half: versions 2, 3 and 4 of digits are released while a load
 * goes on, each is judged, and each ends where it should.
 * Thread: main (own); answers of the load are counted on its thread, in atomics.
 * SPDX-License-Identifier: MIT */
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"
#include "cli/demo/demo_int.h"
#include "cli/load/load.h"
#include "cli/out.h"
#include "cli/release/picture.h"

enum {
  STORY_RATE = 500,
  STORY_ROWS = 360,
  STORY_COPIES = 8, /* of each row, with a little noise: no two requests of a minute are the same */
  STORY_BODY_MAX = 1024,
  STORY_ACT_US = 180000000,
  STORY_LOOK_MS = 200,
};

struct act {
  const char *folder, *title, *ends; /* ends: the state it should end in */
};

static const struct act acts[] = {
    {"better", "Version 2 makes fewer mistakes. It should go all the way.", "completed"},
    {"wrong",
     "Version 3 is version 2 behind a broken step: a few answers in a hundred are wrong. Its "
     "golden examples pass.",
     "rolled_back"},
    {"slow", "Version 4 answers like version 2, but 4 rows in 100 take a hundred times as long.",
     "rolled_back"},
};
enum { ACTS = sizeof acts / sizeof *acts };

struct ending {
  char state[32], sentence[512];
  double seconds; /* from the deploy to the end */
  uint64_t candidate, failed, harmed;
};

enum { KEY_TEXT_MAX = 256 };

struct story {
  struct demo *demo;
  struct client *client;
  struct load_body *bodies;
  uint32_t n_bodies;
  char reviewer[KEY_TEXT_MAX]; /* the key of a second person: who deploys cannot approve */
  _Atomic uint64_t answers, failed, candidate; /* the load's */
  struct ending endings[ACTS];
};

/* --- load ------------------------------------------------------------------------------------- */

static void story_seen(void *arg, const struct load_answer *answer)
{
  struct story *story = arg;
  atomic_fetch_add(&story->answers, 1);
  if (answer->status != 200) atomic_fetch_add(&story->failed, 1);
  if (answer->candidate) atomic_fetch_add(&story->candidate, 1);
}

/* One request of a row of the file: two pixels a little off. */
static bool body_print(struct buf *body, char *line, struct rand *rand)
{
  char *comma = strrchr(line, ','), *rest = line;
  if (!comma) return false;
  *comma = '\0';
  uint32_t noisy = (uint32_t)(rand_u64(rand) % 64), other = (uint32_t)(rand_u64(rand) % 64);
  buf_print(body,
            "{\"inputs\":[{\"name\":\"pixels\",\"datatype\":\"FP32\",\"shape\":[1,64],"
            "\"data\":[");
  for (uint32_t i = 0; i < 64; i++) {
    double pixel = strtod(rest, &rest);
    if (i == noisy || i == other) pixel += rand_unit(rand) / 2;
    buf_print(body, i ? ",%.3g" : "%.3g", pixel);
    rest += *rest == ',';
  }
  buf_print(body, "]}],\"outputs\":[{\"name\":\"digit\"}]}");
  return !body->full;
}

static enum code bodies_make(struct story *story, struct err *err)
{
  char path[DEMO_PATH_MAX + 64], line[DEMO_LINE_MAX], copy[DEMO_LINE_MAX];
  struct rand rand;
  bool head = true;
  snprintf(path, sizeof path, "%s/digits/held-out.csv", story->demo->examples);
  FILE *file = fopen(path, "re");
  if (!file) return fail(err, E_NOT_FOUND, "the demo's rows '%s' are not there", path);
  rand_seed(&rand, 1);
  story->bodies = grab_zero((size_t)STORY_ROWS * STORY_COPIES, sizeof *story->bodies);
  while (fgets(line, sizeof line, file) && story->n_bodies < STORY_ROWS * STORY_COPIES) {
    if (head) {
      head = false;
      continue;
    }
    for (int i = 0; i < STORY_COPIES && story->n_bodies < STORY_ROWS * STORY_COPIES; i++) {
      struct buf body;
      buf_init(&body, STORY_BODY_MAX);
      memcpy(copy, line, sizeof copy);
      if (body_print(&body, copy, &rand)) {
        char *kept = grab(body.len);
        memcpy(kept, body.at, body.len);
        story->bodies[story->n_bodies++].text = slice_of(kept, body.len);
      }
      buf_deinit(&body);
    }
  }
  fclose(file);
  return story->n_bodies ? OK : fail(err, E_INVALID_ARGUMENT, "'%s' has no row", path);
}

/* --- an act ----------------------------------------------------------------------------------- */

/* What changed since the last look, a line each; on a terminal one line that lives. */
static void progress(const struct story *story, const json_t *release, char last[PICTURE_LINE_MAX])
{
  char line[PICTURE_LINE_MAX];
  picture_line(release, line);
  if (story->demo->terminal) {
    printf("\r\033[K  %s", line);
    fflush(stdout);
    return;
  }
  const json_t *state = json_object_get(release, "state"), *step = json_object_get(release, "step");
  char key[PICTURE_LINE_MAX];
  snprintf(key, sizeof key, "%s %lld", json_string_value(state) ? json_string_value(state) : "",
           (long long)json_integer_value(step));
  if (strcmp(key, last) == 0) return;
  memcpy(last, key, sizeof key);
  printf("  %s\n", line);
}

/* A second person, who has a key. */
static enum code reviewer_make(struct story *story, struct err *err)
{
  struct answer answer;
  struct slice body =
      SLICE("{\"role\":\"approver\",\"person\":\"reviewer\",\"note\":\"the demo\"}");
  if (client_call(story->client, "POST", "/api/v1/keys", body, 10, &answer, err) == OK)
    snprintf(story->reviewer, sizeof story->reviewer, "%s", get_str(answer.json, "key"));
  answer_free(&answer);
  return err->code;
}

/* What a person looks at before saying yes. */
static enum code approve(struct story *story, const json_t *release, struct err *err)
{
  const json_t *shadow = json_object_get(release, "shadow");
  const char *const words[] = {"digits", "--why", "looked at the pairs", NULL};
  printf(
      "%s  the shadow answered %llu copies of requests, %llu of them otherwise; a second person, "
      "the reviewer, says yes with a key of their own\n",
      story->demo->terminal ? "\n" : "", (unsigned long long)get_u64(shadow, "pairs"),
      (unsigned long long)get_u64(shadow, "disagreements"));
  setenv("SLIPWAY_KEY", story->reviewer, 1);
  (void)!demo_step(story->demo, err, "approve", words);
  unsetenv("SLIPWAY_KEY");
  return err->code;
}

static void ending_note(struct ending *ending, const json_t *release, int64_t began_us)
{
  const json_t *verdict = json_object_get(release, "verdict");
  snprintf(ending->state, sizeof ending->state, "%s", get_str(release, "state"));
  snprintf(ending->sentence, sizeof ending->sentence, "%s", get_str(verdict, "sentence"));
  ending->harmed = (uint64_t)(json_number_value(json_object_get(verdict, "harmed")) + 0.5);
  ending->seconds = (double)(clock_us() - began_us) / 1e6;
}

static enum code act_watch(struct story *story, struct ending *ending, struct err *err)
{
  char last[PICTURE_LINE_MAX] = "", path[CLIENT_PATH_MAX];
  int64_t began_us = clock_us();
  if (client_path(path, err, "/api/v1/models/%s/release", "digits") != OK) return err->code;
  for (bool over = false; !over;) {
    struct answer answer;
    int won;
    poll(NULL, 0, STORY_LOOK_MS);
    if (client_call(story->client, "GET", path, SLICE_NONE, 10, &answer, err) == OK) {
      progress(story, answer.json, last);
      over = picture_is_over(answer.json, &won) ||
             strcmp(get_str(answer.json, "state"), "completed") == 0;
      over = over && !json_array_size(json_object_get(answer.json, "warnings")); /* is written */
      if (over)
        ending_note(ending, answer.json, began_us);
      else if (strcmp(get_str(answer.json, "state"), "waiting") == 0)
        (void)!approve(story, answer.json, err);
    }
    answer_free(&answer);
    if (err->code) return err->code;
    if (clock_us() > began_us + STORY_ACT_US)
      return fail(err, E_INTERNAL, "the release did not end within 3 minutes");
  }
  if (story->demo->terminal) printf("\n");
  return OK;
}

static enum code act_play(struct story *story, const struct act *act, struct ending *ending,
                          struct err *err)
{
  char folder[DEMO_PATH_MAX + 64], plan[DEMO_PATH_MAX + 64];
  const struct demo *demo = story->demo;
  snprintf(folder, sizeof folder, "%s/digits/%s", demo->examples, act->folder);
  snprintf(plan, sizeof plan, "%s/digits/plan.yaml", demo->examples);
  const char *const push[] = {"digits", folder, "--note", act->folder, NULL};
  const char *const deploy[] = {"digits", "--plan", plan, NULL};
  uint64_t candidate = atomic_load(&story->candidate), failed = atomic_load(&story->failed);
  printf("\n%s\n", act->title);
  if (demo_step(story->demo, err, "push", push) != OK ||
      demo_step(story->demo, err, "deploy", deploy) != OK || act_watch(story, ending, err) != OK)
    return err->code;
  ending->candidate = atomic_load(&story->candidate) - candidate;
  ending->failed = atomic_load(&story->failed) - failed;
  printf("  %s\n", ending->sentence);
  if (strcmp(ending->state, act->ends) == 0) return OK;
  return fail(err, E_INTERNAL, "the release of '%s' ended as %s, not as %s", act->folder,
              ending->state, act->ends);
}

/* --- the whole -------------------------------------------------------------------------------- */

static void endings_print(const struct story *story)
{
  static const char *const heads[] = {
      "version", "what", "ended", ">after", ">its answers", ">harmed", ">failed", NULL};
  struct table table;
  table_init(&table, heads);
  for (int i = 0; i < ACTS; i++) {
    const struct ending *ending = &story->endings[i];
    table_add(&table, "%d", i + 2);
    table_add(&table, "%s", acts[i].folder);
    table_add(&table, "%s", ending->state);
    table_add(&table, "%.1f s", ending->seconds);
    table_add(&table, "%llu", (unsigned long long)ending->candidate);
    table_add(&table, "%llu", (unsigned long long)ending->harmed);
    table_add(&table, "%llu", (unsigned long long)ending->failed);
  }
  printf("\n");
  table_print(&table);
  table_deinit(&table);
  printf("\nharmed: about so many answers were worse than the version in charge would have given.\n"
         "Of %llu requests over the whole story %llu failed.\n",
         (unsigned long long)atomic_load(&story->answers),
         (unsigned long long)atomic_load(&story->failed));
}

static enum code story_play(struct story *story, struct err *err)
{
  struct load *load;
  struct load_source source = {.path = "/v2/models/digits/infer",
                               .bodies = story->bodies,
                               .n_bodies = story->n_bodies,
                               .rate = STORY_RATE,
                               .connections = 16};
  struct load_opts opts = {.url = story->demo->url, .sources = &source, .n_sources = 1};
  if (load_start(&load, &opts, story_seen, story, err) != OK) return err->code;
  printf("\nFrom now on %d requests a second go to digits.\n", STORY_RATE);
  poll(NULL, 0, 3000); /* some history, so that thresholds can be taken from it */
  for (int i = 0; i < ACTS && err->code == OK; i++)
    (void)!act_play(story, &acts[i], &story->endings[i], err);
  load_stop(load);
  if (err->code == OK) endings_print(story);
  return err->code;
}

enum code demo_releases(struct demo *demo, struct client *client, struct err *err)
{
  struct story *story = grab_zero(1, sizeof *story);
  story->demo = demo;
  story->client = client;
  if (bodies_make(story, err) == OK && reviewer_make(story, err) == OK)
    (void)!story_play(story, err);
  for (uint32_t i = 0; i < story->n_bodies; i++)
    ungrab((void *)(uintptr_t)story->bodies[i].text.at);
  ungrab(story->bodies);
  ungrab(story);
  return err->code;
}
