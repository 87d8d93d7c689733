/* fit_test.c - who fits into memory, who leaves for it, and that what is charged is given back.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "base/log.h"
#include "control/fit.h"
#include "control/place.h"

enum { MODELS = 6, MIB = 1 << 20 };

static struct mailbox home, job, worker;
static struct mailbox *jobs[1] = {&job}, *workers[1] = {&worker};
static struct post post;
static struct place place;
static struct catalog *catalog;
static struct placed *all[MODELS];
static int64_t used[MODELS];
static char token;

static void apply(enum event_kind kind, const char *tenant, const char *model, uint64_t bytes,
                  const struct event_fact *facts, uint32_t n_facts)
{
  struct event_file file = {.name = SLICE("model.json"), .bytes = bytes};
  struct event event = {.seq = catalog->seq + 1,
                        .kind = kind,
                        .actor = SLICE("test"),
                        .tenant = slice_str(tenant),
                        .model = slice_str(model),
                        .version = kind == EVENT_VERSION_PUSHED ? 1 : 0,
                        .facts = facts,
                        .n_facts = n_facts,
                        .files = &file,
                        .n_files = kind == EVENT_VERSION_PUSHED};
  struct err err = {0};
  if (catalog_apply(catalog, &event, &err)) printf("%s\n", err.text);
  EXPECT_INT(err.code, OK);
}

static int64_t used_ms(void *arg, const struct placed *placed)
{
  (void)arg;
  return used[placed->model->slot];
}

/* Six models of one mebibyte as measured; the last is another tenant's. */
static void begin(uint64_t memory_max)
{
  static const unsigned char key[16] = {7};
  static const char *const names[MODELS] = {"m0", "m1", "m2", "m3", "m4", "m5"};
  log_level_set(LOG_ERROR);
  mailbox_init(&home, NULL, NULL);
  mailbox_init(&job, NULL, NULL);
  mailbox_init(&worker, NULL, NULL);
  post = (struct post){.jobs = jobs, .workers = workers, .n_jobs = 1, .n_workers = 1};
  struct place_opts opts = {
      .objects_fd = -1, .instances = 1, .resident_ns = -1, .memory_max = memory_max};
  place_init(&place, &opts, &post, &home);
  place.hooks.used_ms = used_ms;
  catalog = catalog_new(key);
  apply(EVENT_TENANT_CREATED, "default", "", 0, NULL, 0);
  apply(EVENT_TENANT_CREATED, "other", "", 0, NULL, 0);
  for (int i = 0; i < MODELS; i++) {
    const char *tenant = i < MODELS - 1 ? "default" : "other";
    apply(EVENT_MODEL_CREATED, tenant, names[i], 0, NULL, 0);
    apply(EVENT_VERSION_PUSHED, tenant, names[i], 1, NULL, 0);
    all[i] = place_of(&place, catalog->models[i], 1);
    used[i] = 0;
  }
}

static void end(void)
{
  place_deinit(&place);
  catalog_free(catalog);
}

/* Plays the job and the worker until both are quiet; loads measure a mebibyte. */
static void play(void)
{
  bool busy = true;
  while (busy) {
    busy = false;
    for (struct mail *mail = mailbox_take(&job), *next; mail; mail = next, busy = true) {
      next = mail->next;
      if (mail->kind == LETTER_LOAD) {
        struct letter_load *letter = LETTER_OF(mail, struct letter_load);
        letter->loaded = (struct loaded *)(void *)&token;
        letter->memory_bytes = MIB;
        mail->kind = LETTER_LOAD_HOME;
      } else {
        mail->kind = LETTER_UNLOAD_HOME;
      }
      place_letter(&place, mail);
    }
    for (struct mail *mail = mailbox_take(&worker), *next; mail; mail = next, busy = true) {
      next = mail->next;
      struct letter_lane *letter = LETTER_OF(mail, struct letter_lane);
      bool open = mail->kind == LETTER_LANE_OPEN;
      letter->lane = open ? (struct lane *)(void *)&token : NULL;
      mail->kind = open ? LETTER_LANE_OPEN_HOME : LETTER_LANE_CLOSE_HOME;
      place_letter(&place, mail);
    }
  }
}

/* In charge, in memory if it may, and named by a world. */
static void serve(int i, int64_t at_ms)
{
  all[i]->serves = true;
  place_settle(&place, all[i]);
  play();
  used[i] = at_ms;
  all[i]->worlds = all[i]->state == PLACED_READY;
}

static void world_home(int i)
{
  all[i]->worlds = 0;
  place_settle(&place, all[i]);
  play();
}

TEST(what_is_held_is_what_is_in_memory)
{
  begin(0);
  EXPECT_INT(fit_bytes(all[0]), MIB + 1); /* a guess from its file of one byte */
  serve(0, 1);
  serve(5, 1);
  EXPECT_INT(fit_bytes(all[0]), MIB);
  EXPECT_INT(place.held, 2 * MIB);
  EXPECT_INT(place.tenants[0].held, MIB);
  EXPECT_INT(place.tenants[1].held, MIB);
  all[0]->serves = false;
  world_home(0);
  EXPECT_INT(place.held, MIB);
  EXPECT_INT(place.tenants[0].held, 0);
  end();
}

TEST(the_one_asked_the_longest_time_ago_leaves_and_only_when_no_world_names_it)
{
  begin(3 * MIB + 1);
  serve(0, 30);
  serve(1, 10);
  serve(2, 20);
  all[3]->serves = true;
  place_settle(&place, all[3]);
  EXPECT_INT(all[1]->rest, REST_RESTS);
  EXPECT_INT(all[0]->rest, REST_NOT);
  EXPECT_INT(all[2]->rest, REST_NOT);
  play();
  EXPECT_INT(all[3]->state, PLACED_WAITING); /* a world still names the one that leaves */
  EXPECT(placed_is_coming(all[3]));
  world_home(1);
  EXPECT_INT(all[1]->state, PLACED_GONE);
  EXPECT(all[1]->known); /* worlds go on saying what it takes and gives */
  EXPECT_INT(all[3]->state, PLACED_READY);
  EXPECT_INT(place.held, 3 * MIB);
  end();
}

TEST(a_wake_is_one_load_and_asking_twice_is_no_second)
{
  begin(2 * MIB + 1);
  serve(0, 1);
  serve(1, 2);
  serve(2, 3); /* 0 is to leave */
  EXPECT_INT(all[0]->rest, REST_RESTS);
  world_home(0);
  all[2]->worlds = 1;
  place_wake(&place, all[0]); /* 1 is to leave */
  place_wake(&place, all[0]);
  EXPECT_INT(all[0]->rest, REST_WAKES);
  EXPECT_INT(all[0]->state, PLACED_WAITING);
  EXPECT_INT(all[1]->rest, REST_RESTS);
  EXPECT_INT(all[2]->rest, REST_NOT);
  world_home(1);
  EXPECT_INT(all[0]->state, PLACED_READY);
  EXPECT_INT(all[0]->rest, REST_NOT);
  EXPECT_INT(all[0]->naps, 0);
  end();
}

TEST(who_is_woken_before_it_has_left_stays)
{
  begin(2 * MIB + 1);
  serve(0, 1);
  serve(1, 2);
  all[2]->serves = true;
  place_settle(&place, all[2]);
  EXPECT_INT(all[0]->rest, REST_RESTS);
  place_wake(&place, all[0]);
  EXPECT_INT(all[0]->rest, REST_NOT);
  EXPECT_INT(all[0]->state, PLACED_READY);
  EXPECT_INT(place.held, 2 * MIB);
  EXPECT_INT(all[2]->state, PLACED_WAITING);
  place_pulse(&place, catalog); /* nobody has left: who waits asks again */
  EXPECT_INT(all[0]->rest, REST_RESTS);
  world_home(0);
  EXPECT_INT(all[2]->state, PLACED_READY);
  end();
}

TEST(pinned_released_and_coming_versions_never_leave)
{
  const struct event_fact pin[] = {{SLICE("card"), SLICE("{\"pin\":\"p\"}")},
                                   {SLICE("pin"), SLICE("p")}};
  begin(3 * MIB + 1);
  serve(0, 1);
  serve(1, 2);
  serve(2, 3);
  apply(EVENT_MODEL_SET, "default", "m0", 0, pin, 2);
  all[1]->released = true;
  all[2]->coming = true;
  struct err err = {0};
  all[3]->coming = true;
  place_settle(&place, all[3]);
  EXPECT_INT(all[3]->state, PLACED_FAILED);
  EXPECT_INT(all[3]->err.code, E_MODELS_MEMORY_FULL);
  for (int i = 0; i < 3; i++) EXPECT_INT(all[i]->rest, REST_NOT);
  EXPECT_INT(fit_make(&place, all[4], &err), FIT_NEVER);
  all[2]->coming = false;
  EXPECT_INT(fit_make(&place, all[4], &err), FIT_SOON);
  EXPECT_INT(all[2]->rest, REST_RESTS);
  end();
}

TEST(nobody_leaves_for_what_can_never_fit)
{
  begin(3 * MIB);
  serve(0, 1);
  serve(1, 2);
  apply(EVENT_MODEL_CREATED, "default", "big", 0, NULL, 0);
  apply(EVENT_VERSION_PUSHED, "default", "big", 4 * MIB, NULL, 0);
  struct placed *big = place_of(&place, catalog->models[MODELS], 1);
  big->coming = true;
  place_settle(&place, big);
  EXPECT_INT(big->state, PLACED_FAILED);
  EXPECT(strstr(big->err.text, "--models-memory-max") != NULL);
  EXPECT_INT(all[0]->rest, REST_NOT);
  EXPECT_INT(all[1]->rest, REST_NOT);
  end();
}

/* Its guess is a half more than its files, and 1 MiB: 3 MiB and 150 bytes. */
TEST(what_hardly_does_not_fit_is_not_told_as_what_fits)
{
  begin(3 * MIB);
  apply(EVENT_MODEL_CREATED, "default", "big", 0, NULL, 0);
  apply(EVENT_VERSION_PUSHED, "default", "big", (4 * MIB + 300) / 3, NULL, 0);
  struct placed *big = place_of(&place, catalog->models[MODELS], 1);
  big->coming = true;
  place_settle(&place, big);
  EXPECT_INT(big->state, PLACED_FAILED);
  EXPECT(strstr(big->err.text, "takes about 3.1 MiB of memory") != NULL);
  EXPECT(strstr(big->err.text, "may take 3.0 MiB, of which 0.0 MiB") != NULL);
  end();
}

TEST(a_tenants_budget_moves_its_own_models_only)
{
  const struct event_fact quota[] = {{SLICE("quotas"), SLICE("resident_bytes=2097153")}};
  begin(0);
  serve(5, 0); /* the other tenant's, never asked */
  serve(0, 2);
  serve(1, 1);
  apply(EVENT_TENANT_SET, "default", "", 0, quota, 1);
  serve(2, 3);
  EXPECT_INT(all[5]->rest, REST_NOT);
  EXPECT_INT(all[0]->rest, REST_NOT);
  EXPECT_INT(all[1]->rest, REST_RESTS);
  end();
}

TEST(a_budget_that_shrank_is_kept_with_the_next_pulse)
{
  const struct event_fact quota[] = {{SLICE("quotas"), SLICE("resident_bytes=1048577")}};
  begin(0);
  serve(0, 5);
  serve(1, 6);
  serve(2, 7);
  apply(EVENT_TENANT_SET, "default", "", 0, quota, 1);
  place_pulse(&place, catalog);
  EXPECT_INT(all[0]->rest, REST_RESTS);
  EXPECT_INT(all[1]->rest, REST_RESTS);
  EXPECT_INT(all[2]->rest, REST_NOT);
  end();
}

TEST(a_models_own_budget_is_watched_too)
{
  const struct event_fact quota[] = {{SLICE("quotas"), SLICE("resident_bytes=1000")}};
  begin(0);
  serve(0, 1);
  serve(1, 2);
  apply(EVENT_MODEL_SET, "default", "m1", 0, quota, 1);
  place_pulse(&place, catalog);
  EXPECT_INT(all[0]->rest, REST_NOT);
  EXPECT_INT(all[1]->rest, REST_RESTS);
  world_home(1);
  place_wake(&place, all[1]); /* and says why it cannot come back */
  EXPECT_INT(all[1]->naps, 1);
  EXPECT_INT(all[1]->err.code, E_QUOTA_EXCEEDED);
  end();
}

TEST(at_a_start_what_does_not_fit_rests_and_nobody_is_refused)
{
  begin(2 * MIB + 1);
  for (int i = 0; i < MODELS; i++) {
    all[i]->serves = true;
    place_settle(&place, all[i]);
  }
  play();
  int ready = 0, rest = 0;
  for (int i = 0; i < MODELS; i++) {
    ready += all[i]->state == PLACED_READY;
    rest += all[i]->rest == REST_RESTS;
  }
  EXPECT_INT(ready + rest, MODELS);
  EXPECT(ready >= 1 && ready <= 2);
  end();
}

TEST(what_failed_while_it_served_may_be_asked_for_again_after_a_while)
{
  begin(0);
  all[0]->serves = true;
  place_settle(&place, all[0]);
  struct mail *mail = mailbox_take(&job);
  struct letter_load *letter = LETTER_OF(mail, struct letter_load);
  fail(&letter->err, E_ARTIFACT_CORRUPT, "rotten");
  mail->kind = LETTER_LOAD_HOME;
  place_letter(&place, mail);
  EXPECT_INT(all[0]->state, PLACED_FAILED);
  for (int i = 0; i < 9; i++) place_pulse(&place, catalog);
  EXPECT_INT(all[0]->state, PLACED_FAILED);
  place_pulse(&place, catalog);
  EXPECT_INT(all[0]->rest, REST_RESTS);
  place_wake(&place, all[0]);
  play();
  EXPECT_INT(all[0]->state, PLACED_READY);
  EXPECT_INT(all[0]->failures, 0);
  end();
}
