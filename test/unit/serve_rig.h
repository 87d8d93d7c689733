/* serve_rig.h - one loop's path without a loop: the test plays connections, control and lanes.
 *
 * Model "m" of tenant "default": version 1 is stable, 2 and 3 may be candidates; input and output
 * are "x", FP32 [-1, -1] in batches. Each version has a lane of its own that the test answers.
 * SPDX-License-Identifier: MIT */
#ifndef SERVE_RIG_H
#define SERVE_RIG_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/mail.h"
#include "serve/path.h"

enum { FAKE_VERSIONS = 3, FAKE_CALLS = 64 };

static struct mailbox control, home, lanes[FAKE_VERSIONS];
static struct post post = {.control = &control};
static struct serve *serve;
static struct budget bodies;
static struct letter_tally tally_letter;
static struct letter_world world_letters[8];
static uint32_t worlds; /* sent */
static struct call calls[FAKE_CALLS];
static int64_t now_us;

static struct tensor_spec fake_spec = {
    .name = SLICE("x"), .dtype = DT_FP32, .shape = {.rank = 2, .dims = {-1, -1}}};
static struct tensor_spec fake_outputs[2] = {
    {.name = SLICE("x"), .dtype = DT_FP32, .shape = {.rank = 2, .dims = {-1, -1}}},
    {.name = SLICE("label"), .dtype = DT_INT64, .shape = {.rank = 1, .dims = {-1}}}};

/* What the next world's release is. shadow: any pointer stands for version 2. weights: by
 * arm, of versions 2, 1 and (where three arms are wanted) 3. */
static struct split split;
static uint32_t weights[FAKE_VERSIONS], n_arms;
static bool resident; /* versions 2 and 3 */
static uint32_t predictions_room; /* of tallies from the next pulse on */
static struct quotas *tenant_quotas, *model_quotas; /* of the next world */
static struct meter tenant_meter, model_meter;
/* Of the next world: what else its versions are; NULL: nothing. */
static void (*versions_edit)(struct version *versions);
static struct cache *fake_cache; /* of the next fake_up */

static void worlds_end(void)
{
  for (struct mail *mail = mailbox_take(&control); mail; mail = mail->next)
    if (mail->kind == LETTER_WORLD_HOME)
      world_free((struct world *)(uintptr_t)LETTER_OF(mail, struct letter_world)->world);
}

/* A pulse: the tally so far; valid until the next. Every world must have had one before. */
static struct tally *pulse(void)
{
  tally_free(tally_letter.tally);
  tally_letter = (struct letter_tally){.mail.kind = LETTER_TALLY,
                                       .tally = tally_new(FAKE_VERSIONS, FAKE_VERSIONS, 2)};
  tally_predictions(tally_letter.tally, predictions_room);
  serve_tally(serve, &tally_letter);
  worlds_end();
  return tally_letter.tally;
}

static void publish(void)
{
  static struct seat seats[FAKE_VERSIONS];
  struct version versions[FAKE_VERSIONS];
  struct model model = {.name = SLICE("m"),
                        .slot = 5,
                        .planned = versions,
                        .n_versions = FAKE_VERSIONS};
  for (uint32_t i = 0; i < FAKE_VERSIONS; i++) {
    seats[i] = (struct seat){.owner = &lanes[i]};
    versions[i] = (struct version){.number = i + 1,
                                   .slot = i,
                                   .state = VERSION_READY,
                                   .contract = {&fake_spec, fake_outputs, 1, 2, true},
                                   .seats = &seats[i],
                                   .n_seats = 1,
                                   .resident = i && resident,
                                   .deadline_us = 1000000};
  }
  if (versions_edit) versions_edit(versions);
  struct split with = split;
  model_serve(&model, &versions[0]);
  if (n_arms) {
    static const uint32_t placed[FAKE_VERSIONS] = {1, 0, 2};
    model.n_arms = n_arms;
    for (uint32_t i = 0; i < n_arms; i++)
      model.arms[i] = (struct arm){&versions[placed[i]], weights[i]};
    if (with.shadow) with.shadow = &versions[1];
    model.release = &with;
  }
  model.quotas = model_quotas;
  model.meter = &model_meter;
  struct tenant tenant = {.name = SLICE("default"),
                          .planned = &model,
                          .n_models = 1,
                          .quotas = tenant_quotas,
                          .meter = &tenant_meter};
  struct world_plan plan = {
      .tenants = &tenant, .n_tenants = 1, .n_slots = FAKE_VERSIONS, .n_releases = 2, .ready = true};
  struct letter_world *letter = &world_letters[worlds++ % 8];
  *letter = (struct letter_world){.mail.kind = LETTER_WORLD, .world = world_build(&plan, worlds)};
  serve_world(serve, letter);
  worlds_end();
}

/* Candidate's weight of two arms. */
__attribute__((unused)) static void publish_weight(uint32_t weight)
{
  weights[0] = weight;
  weights[1] = WEIGHT_WHOLE - weight;
  n_arms = 2;
  publish();
}

static void fake_up(void)
{
  mailbox_init_bell(&control);
  mailbox_init_bell(&home);
  for (int i = 0; i < FAKE_VERSIONS; i++) mailbox_init(&lanes[i], NULL, NULL);
  budget_init(&bodies, 1 << 20);
  memset(&tally_letter, 0, sizeof tally_letter);
  memset(weights, 0, sizeof weights);
  memset(&tenant_meter, 0, sizeof tenant_meter);
  memset(&model_meter, 0, sizeof model_meter);
  tenant_quotas = model_quotas = NULL;
  worlds = n_arms = predictions_room = 0;
  versions_edit = NULL;
  resident = false;
  now_us = 1000000;
  split = (struct split){.number = 17, .seed = SLICE("m/17"), .unjudged_max = UINT32_MAX};
  serve = serve_new(&(struct serve_opts){.post = &post,
                                         .home = &home,
                                         .loop = 3,
                                         .calls_max = FAKE_CALLS,
                                         .call_bytes_max = 1 << 20,
                                         .bodies = &bodies,
                                         .cache = fake_cache});
  serve_turn(serve, now_us, 0);
  pulse();
}

static void fake_down(void)
{
  serve_leave(serve);
  pulse();
  tally_free(tally_letter.tally);
  serve_free(serve);
  mailbox_deinit(&control);
  mailbox_deinit(&home);
  for (int i = 0; i < FAKE_VERSIONS; i++) mailbox_deinit(&lanes[i]);
}

static struct http_field fake_field;
static struct http_head fake_head = {.keep_alive = true, .fields = &fake_field};

/* A request up to its body; header "name: value" or NULL. */
static void call_open(struct call *call, const char *id, const char *name, const char *value)
{
  struct arena arena;
  fake_field = (struct http_field){slice_str(name), slice_str(value)};
  fake_head.n_fields = name != NULL;
  fake_head.content_length = 1000;
  struct call_came came = {.client = &home,
                           .head = &fake_head,
                           .tenant = world_tenant(serve_newest(serve), SLICE("default")),
                           .model_name = SLICE("m"),
                           .request_id = slice_str(id),
                           .body_max = 1 << 20};
  memset(call, 0, sizeof *call);
  arena_init(&arena, 1 << 20, NULL);
  EXPECT_INT(path_begin(serve, call, &came, &arena), STEP_WAIT);
}

/* Its body, and with it the way to a lane. parameters: a JSON object or NULL. */
static void call_lend(struct call *call, const char *parameters, const char *data)
{
  char body[1000];
  size_t columns = 1;
  for (const char *at = data; *at; at++) columns += *at == ',';
  int n = snprintf(body, sizeof body,
                   "{%s%s%s\"inputs\":[{\"name\":\"x\",\"shape\":[1,%zu],\"datatype\":\"FP32\","
                   "\"data\":[%s]}]}",
                   parameters ? "\"parameters\":" : "", parameters ? parameters : "",
                   parameters ? "," : "", columns, data);
  EXPECT_INT(path_body(call, slice_of(body, (size_t)n)), STEP_WAIT);
  EXPECT_INT(path_resume(call), STEP_WAIT);
  EXPECT_INT(call->state, CALL_LENT);
}

/* The task that waits in a version's lane, or NULL. */
static struct task *lane_take(uint32_t version)
{
  struct mail *mail = mailbox_take(&lanes[version - 1]);
  EXPECT(!mail || !mail->next);
  return mail ? LETTER_OF(mail, struct task) : NULL;
}

/* Answers a task with one row of scores and their label, as a lane would; code: or with that. */
static void task_answer(struct task *task, const float *scores, uint32_t n, enum code code)
{
  task->began_ns = task->input_ns = task->queued_ns + 1000;
  task->infer_ns = task->output_ns = task->input_ns + 100000;
  task->batch_rows = task->rows;
  task->cpu_ns = task->costs ? 40000 : -1;
  if (code != OK) {
    fail(&task->err, code, "no");
    return;
  }
  float *data = arena_get(task->scratch, n * sizeof *data);
  int64_t *label = arena_get(task->scratch, sizeof *label);
  memcpy(data, scores, n * sizeof *data);
  *label = 0;
  for (uint32_t i = 1; i < n; i++)
    if (data[i] > data[*label]) *label = i;
  task->outputs[0] = (struct tensor){.name = SLICE("x"),
                                     .dtype = DT_FP32,
                                     .shape = {2, {1, n}},
                                     .count = n,
                                     .data = data,
                                     .bytes = n * sizeof *data};
  task->outputs[1] = (struct tensor){.name = SLICE("label"),
                                     .dtype = DT_INT64,
                                     .shape = {1, {1}},
                                     .count = 1,
                                     .data = label,
                                     .bytes = sizeof *label};
}

/* A whole request that takes us microseconds; the version that answered. */
__attribute__((unused)) static uint32_t ask_full(const char *id, const char *name,
                                                 const char *value, const char *parameters,
                                                 enum code code, int64_t us)
{
  static const float scores[] = {0.25f, 0.75f};
  struct call *call = &calls[0];
  uint32_t version = 0;
  call_open(call, id, name, value);
  call_lend(call, parameters, "1,2");
  for (uint32_t v = 1; v <= FAKE_VERSIONS; v++)
    if (lane_take(v)) version = v;
  EXPECT_INT(version, call->version->number);
  task_answer(&call->task, scores, 2, code);
  serve_turn(serve, now_us += us, 0);
  EXPECT_INT(path_resume(call), STEP_REPLY);
  EXPECT_INT(call->answer.code, code);
  path_end(call);
  return version;
}

__attribute__((unused)) static uint32_t ask(const char *id)
{
  return ask_full(id, NULL, NULL, NULL, OK, 100);
}

#endif
