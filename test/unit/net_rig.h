/* net_rig.h - a whole loop in a test: loops with residents, a worker, a desk that plays along,
 * and the test itself in control's place; and a client that speaks raw bytes.
 *
 * Models of tenant "default" (engine echo: output i is input i):
 *   digits    FP32 [-1,16], resident            hop      the same, on the worker thread
 *   slow      FP32 [-1], the worker, 200 ms     big      FP32 [-1], resident
 *   words     BYTES [-1], resident              pair     a INT64 [-1], b FP32 [-1]
 *   idle      pushed, never deployed; version 1 is stored
 * Every other model: version 1 stored, version 2 serves, version 3 failed; or, where the test has
 * filled rig->release, version 3 of that model is READY on the lanes of another one.
 * SPDX-License-Identifier: MIT */
#ifndef NET_RIG_H
#define NET_RIG_H

#include <unistd.h>

#include "api/routes.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "infer/loaded.h"
#include "infer/watch.h"
#include "infer/worker.h"
#include "net/loop.h"
#include "net_client.h"
#include "wire/route.h"

enum { RIG_LOOPS_MAX = 2, RIG_MODELS = 7, RIG_WORLDS = 64 };

struct rig_model {
  const char *name, *json;
  bool resident;
  struct loaded loaded;
  struct arena arena;
  struct lane *lanes[RIG_LOOPS_MAX + 1];
  struct seat seats[RIG_LOOPS_MAX];
  struct version versions[3];
};

struct rig_release {             /* of one model; model NULL: none */
  const char *model, *candidate; /* whose lanes its version 3 has: one of the same contract */
  uint32_t weight;               /* of WEIGHT_WHOLE */
  bool shadow;
  struct split split;
};

struct rig {
  struct rig_release release;
  struct release_tally release_sum; /* merged by rig_pulse, as are: */
  struct arm_tally stable_sum, candidate_sum;
  struct loop *loops[RIG_LOOPS_MAX];
  struct thread loop_threads[RIG_LOOPS_MAX], worker_thread, desk_thread;
  uint32_t n_loops;
  struct worker *residents[RIG_LOOPS_MAX], *worker;
  struct watch *watch;
  struct mailbox control, desk, home;
  struct post post;
  struct mailbox *post_loops[RIG_LOOPS_MAX], *post_desks[1], *post_workers[1];
  struct mailbox *post_residents[RIG_LOOPS_MAX];
  struct arena routes_arena;
  struct rig_model models[RIG_MODELS];
  uint64_t serial;
  uint64_t flags_seq; /* of the next world's tenant */
  int64_t flags_ms;
  uint32_t worlds_out, tallies_out; /* letters not yet home */
  uint32_t n_slots;                 /* of every loop's tally, its first one included */
  struct tally *sums;               /* merged by rig_pulse */
  uint16_t port;
  struct worker *resident_args[RIG_LOOPS_MAX];
  _Atomic uint64_t desk_bytes, desk_sum, desk_aborts, desk_asks;
  _Atomic int desk_delay_ms;
};

/* ---- the desk that plays along:
 *   body "..." to POST /v2/repository/index comes back; GET /v2 says its name;
 *   PUT /api/v1/blobs counts bytes; with ?refuse it refuses at once; with ?slow it takes its
 * time */

static void rig_reply(struct letter_ask *ask, int status, struct slice body)
{
  ask->reply.status = status;
  ask->reply.content_type = "application/json";
  ask->reply.body = blob_copy(body);
  ask->mail.kind = LETTER_ASK_HOME;
  ask->desk_state = NULL;
  mail_send(ask->home, &ask->mail);
}

static void rig_ask(struct rig *rig, struct letter_ask *ask)
{
  atomic_fetch_add(&rig->desk_asks, 1);
  int delay_ms = atomic_load(&rig->desk_delay_ms);
  if (delay_ms) usleep((useconds_t)delay_ms * 1000);
  if (slice_eq(ask->path, SLICE("/api/v1/blobs"))) {
    ask->desk_state = rig;
    if (slice_eq(ask->query, SLICE("refuse"))) rig_reply(ask, 403, SLICE("{\"error\":\"no\"}"));
  } else if (slice_eq(ask->path, SLICE("/v2"))) {
    snprintf(ask->reply.etag, sizeof ask->reply.etag, "\"v1\"");
    rig_reply(ask, 200, SLICE("{\"name\":\"slipway\"}"));
  } else if (slice_eq(ask->path, SLICE("/v2/repository/index"))) {
    rig_reply(ask, 200, ask->body);
  } else if (slice_starts(ask->path, SLICE("/v2/models/"))) {
    rig_reply(ask, 200, ask->params[0]);
  } else if (slice_eq(ask->path, SLICE("/metrics"))) { /* something large */
    struct blob *blob = blob_new(8 << 20);
    memset(blob->bytes, 'm', blob->len);
    ask->reply.status = 200;
    ask->reply.content_type = "text/plain";
    ask->reply.body = blob;
    ask->mail.kind = LETTER_ASK_HOME;
    mail_send(ask->home, &ask->mail);
  } else {
    ask->reply.retry_after_s = 7;
    rig_reply(ask, 503, SLICE("{}"));
  }
}

static void rig_chunk(struct rig *rig, struct letter_chunk *chunk)
{
  struct letter_ask *ask = chunk->ask;
  bool open = ask->desk_state != NULL, last = chunk->last, aborted = chunk->abort;
  if (open && slice_eq(ask->query, SLICE("slow"))) usleep(3000);
  if (open) {
    atomic_fetch_add(&rig->desk_bytes, chunk->len);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < chunk->len; i++) sum += (unsigned char)chunk->bytes[i];
    atomic_fetch_add(&rig->desk_sum, sum);
  }
  if (open && aborted) atomic_fetch_add(&rig->desk_aborts, 1);
  chunk->mail.kind = LETTER_CHUNK_HOME;
  mail_send(ask->home, &chunk->mail);
  if (open && (last || aborted)) rig_reply(ask, 201, SLICE("{\"done\":true}"));
}

static void rig_desk_main(void *arg)
{
  struct rig *rig = arg;
  for (;;) {
    struct mail *mail = mailbox_wait(&rig->desk, INT64_MAX);
    while (mail) {
      struct mail *next = mail->next;
      if (mail->kind == LETTER_STOP) return;
      if (mail->kind == LETTER_ASK)
        rig_ask(rig, LETTER_OF(mail, struct letter_ask));
      else
        rig_chunk(rig, LETTER_OF(mail, struct letter_chunk));
      mail = next;
    }
  }
}

/* ---- in control's place */

static void rig_model_open(struct rig *rig, struct rig_model *model)
{
  struct model_file file = {SLICE("model.json"), slice_str(model->json)};
  struct model_config config = {0};
  struct model_source source = {.files = &file, .n_files = 1, .config = &config};
  struct err err;
  const struct engine *engine = engine_named(SLICE("echo"));
  arena_init(&model->arena, 1 << 20, NULL);
  model->loaded.engine = engine;
  must(engine->open(&source, &model->arena, &model->loaded.contract, &model->loaded.model, &err) ==
       OK);
  uint32_t n = model->resident ? rig->n_loops : 1;
  for (uint32_t i = 0; i < n; i++) {
    struct worker *owner = model->resident ? rig->residents[i] : rig->worker;
    struct letter_lane letter = {
        .mail.kind = LETTER_LANE_OPEN, .home = &rig->home, .loaded = &model->loaded};
    mail_send(worker_mailbox(owner), &letter.mail);
    must(mailbox_wait(&rig->home, INT64_MAX) == &letter.mail && letter.err.code == OK);
    model->lanes[i] = letter.lane;
    model->seats[i] = (struct seat){worker_mailbox(owner), letter.lane};
  }
}

static void rig_model_close(struct rig *rig, struct rig_model *model)
{
  uint32_t n = model->resident ? rig->n_loops : 1;
  for (uint32_t i = 0; i < n; i++) {
    struct letter_lane letter = {
        .mail.kind = LETTER_LANE_CLOSE, .home = &rig->home, .lane = model->lanes[i]};
    struct worker *owner = model->resident ? rig->residents[i] : rig->worker;
    mail_send(worker_mailbox(owner), &letter.mail);
    if (model->resident) must(worker_turn(owner)); /* its loop has ended */
    must(mailbox_wait(&rig->home, INT64_MAX) == &letter.mail);
  }
  model->loaded.engine->close(model->loaded.model);
  arena_deinit(&model->arena);
}

static void rig_tally(struct rig *rig, uint32_t loop)
{
  struct letter_tally *letter = grab_zero(1, sizeof *letter);
  letter->mail.kind = LETTER_TALLY;
  letter->tally = tally_new(rig->n_slots, rig->n_slots, 1);
  rig->tallies_out++;
  mail_send(loop_mailbox(rig->loops[loop]), &letter->mail);
}

static struct rig_model *rig_model(struct rig *rig, const char *name)
{
  for (int i = 0; i < RIG_MODELS; i++)
    if (strcmp(rig->models[i].name, name) == 0) return &rig->models[i];
  must(!"a model of the rig");
  return NULL;
}

static void rig_ready(const struct rig *rig, struct version *version, const struct rig_model *on)
{
  version->state = VERSION_READY;
  version->contract = on->loaded.contract;
  version->seats = on->seats;
  version->n_seats = on->resident ? rig->n_loops : 1;
  version->resident = on->resident;
}

static void rig_release(struct rig *rig, struct model *model, struct rig_model *of)
{
  struct rig_release *release = &rig->release;
  if (!release->model || strcmp(release->model, of->name) != 0) return;
  struct version *candidate = &of->versions[2];
  candidate->slot = RIG_MODELS;
  rig_ready(rig, candidate, rig_model(rig, release->candidate));
  release->split.shadow = release->shadow ? candidate : NULL;
  model->arms[0] = (struct arm){candidate, release->weight};
  model->arms[1] = (struct arm){&of->versions[1], WEIGHT_WHOLE - release->weight};
  model->n_arms = 2;
  model->release = &release->split;
}

/* Builds the next world and mails it to every loop, after a tally with room for it, as control
 * does. */
static void rig_publish(struct rig *rig, uint32_t n_slots)
{
  if (rig->release.model) n_slots = RIG_MODELS + 1;
  if (n_slots > rig->n_slots) {
    rig->n_slots = n_slots;
    for (uint32_t i = 0; i < rig->n_loops; i++) rig_tally(rig, i);
  }
  struct model models[RIG_MODELS] = {0};
  for (int i = 0; i < RIG_MODELS; i++) {
    struct rig_model *from = &rig->models[i];
    bool idle = strcmp(from->name, "idle") == 0;
    for (uint32_t v = 0; v < 3; v++)
      from->versions[v] = (struct version){.number = v + 1, .slot = SLOT_NONE};
    from->versions[2].state = VERSION_FAILED;
    models[i] = (struct model){.name = slice_str(from->name),
                               .slot = (uint32_t)i,
                               .planned = from->versions,
                               .n_versions = idle ? 1 : 3};
    if (idle) continue;
    struct version *serves = &from->versions[1];
    rig_ready(rig, serves, from);
    serves->slot = (uint32_t)i < n_slots ? (uint32_t)i : SLOT_NONE;
    model_serve(&models[i], serves);
    rig_release(rig, &models[i], from);
  }
  struct tenant tenant = {.name = SLICE("default"),
                          .planned = models,
                          .n_models = RIG_MODELS,
                          .flags_seq = rig->flags_seq,
                          .flags_ms = rig->flags_ms};
  struct world_plan plan = {
      .tenants = &tenant, .n_tenants = 1, .n_slots = n_slots, .n_releases = 1, .ready = true};
  rig->serial++;
  for (uint32_t i = 0; i < rig->n_loops; i++) {
    struct letter_world *letter = grab_zero(1, sizeof *letter);
    letter->mail.kind = LETTER_WORLD;
    letter->world = world_build(&plan, rig->serial); /* one each: simpler to give back */
    letter->holder = i;
    rig->worlds_out++;
    mail_send(loop_mailbox(rig->loops[i]), &letter->mail);
  }
}

static void rig_evidence(struct rig *rig, const struct tally *tally)
{
  if (!tally->n_releases) return;
  release_tally_merge(&rig->release_sum, &tally->releases[0]);
  if (!rig->release.model) return;
  uint32_t stable = (uint32_t)(rig_model(rig, rig->release.model) - rig->models);
  if (stable < tally->n_slots && tally->arms[stable])
    arm_tally_merge(&rig->stable_sum, tally->arms[stable]);
  if (RIG_MODELS < tally->n_slots && tally->arms[RIG_MODELS])
    arm_tally_merge(&rig->candidate_sum, tally->arms[RIG_MODELS]);
}

/* Takes in what came to control: worlds are freed, full tallies merged into rig->sums. */
static void rig_control(struct rig *rig, struct mail *mail)
{
  while (mail) {
    struct mail *next = mail->next;
    if (mail->kind == LETTER_WORLD_HOME) {
      struct letter_world *letter = LETTER_OF(mail, struct letter_world);
      world_free((struct world *)(uintptr_t)letter->world);
      ungrab(letter);
      rig->worlds_out--;
    } else if (mail->kind == LETTER_TALLY_HOME) {
      struct letter_tally *letter = LETTER_OF(mail, struct letter_tally);
      tally_merge(rig->sums, letter->tally);
      rig_evidence(rig, letter->tally);
      tally_free(letter->tally);
      ungrab(letter);
      rig->tallies_out--;
    } else {
      must(!"a letter control does not get");
    }
    mail = next;
  }
}

/* One pulse of every loop: rig->sums then holds everything counted since the rig began. */
__attribute__((unused)) static void rig_pulse(struct rig *rig)
{
  for (uint32_t i = 0; i < rig->n_loops; i++) {
    rig_tally(rig, i);
    while (rig->tallies_out) rig_control(rig, mailbox_wait(&rig->control, INT64_MAX));
  }
}

static bool rig_resident_turn(void *worker) { return worker_turn(worker); }

#define SPEC16 "{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[-1,16]}"
#define SPEC1  "{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[-1]}"

static void rig_start(struct rig *rig, uint32_t n_loops, const struct loop_opts *opts_given)
{
  static const struct rig_model models[RIG_MODELS] = {
      {.name = "big", .json = "{\"engine\":\"echo\",\"inputs\":[" SPEC1 "]}", .resident = true},
      {.name = "digits", .json = "{\"engine\":\"echo\",\"inputs\":[" SPEC16 "]}", .resident = true},
      {.name = "hop", .json = "{\"engine\":\"echo\",\"inputs\":[" SPEC16 "]}"},
      {.name = "idle", .json = "{\"engine\":\"echo\",\"inputs\":[" SPEC1 "]}"},
      {.name = "pair",
       .json = "{\"engine\":\"echo\",\"inputs\":["
               "{\"name\":\"a\",\"datatype\":\"INT64\",\"shape\":[-1]},"
               "{\"name\":\"b\",\"datatype\":\"FP32\",\"shape\":[-1]}]}",
       .resident = true},
      {.name = "slow", .json = "{\"engine\":\"echo\",\"delay_us\":200000,\"inputs\":[" SPEC1 "]}"},
      {.name = "words",
       .json = "{\"engine\":\"echo\",\"inputs\":["
               "{\"name\":\"x\",\"datatype\":\"BYTES\",\"shape\":[-1]}]}",
       .resident = true},
  };
  memset(rig, 0, sizeof *rig);
  memcpy(rig->models, models, sizeof models);
  rig->n_loops = n_loops;
  mailbox_init_bell(&rig->control);
  mailbox_init_bell(&rig->home);
  mailbox_init_bell(&rig->desk);
  rig->sums = tally_new(RIG_MODELS + 1, 0, 0);
  rig->watch = watch_new();
  rig->worker = worker_new(0, rig->watch);
  rig->post_desks[0] = &rig->desk;
  rig->post_workers[0] = worker_mailbox(rig->worker);
  rig->post = (struct post){.control = &rig->control,
                            .keeper = &rig->home,
                            .loops = rig->post_loops,
                            .desks = rig->post_desks,
                            .workers = rig->post_workers,
                            .residents = rig->post_residents,
                            .n_loops = n_loops,
                            .n_desks = 1,
                            .n_workers = 1};
  arena_init(&rig->routes_arena, 1 << 20, NULL);
  uint32_t n_routes;
  const struct route *routes = routes_all(&n_routes);
  struct loop_opts opts = {.host = "127.0.0.1"};
  if (opts_given) opts = *opts_given;
  if (!opts.host) opts.host = "127.0.0.1";
  opts.routes = route_compile(routes, n_routes, &rig->routes_arena);
  opts.resident_turn = rig_resident_turn;
  for (uint32_t i = 0; i < n_loops; i++) {
    struct err err;
    rig->loops[i] = NULL;
    /* The resident must exist before its loop and wake it: bound through a cell. */
    opts.resident = NULL;
    rig->residents[i] = NULL;
    opts.port = i ? rig->port : opts.port;
    struct loop *loop = loop_new(&opts, &rig->post, i, n_loops);
    rig->residents[i] = worker_new_resident(i, NULL, loop_wake, loop);
    loop_resident(loop, rig_resident_turn, rig->residents[i]);
    rig->loops[i] = loop;
    rig->post_loops[i] = loop_mailbox(loop);
    rig->post_residents[i] = worker_mailbox(rig->residents[i]);
    must(loop_listen(loop, &err) == OK);
    rig->port = loop_port(loop);
  }
  thread_start(&rig->worker_thread, "worker", THREAD_STACK_ENGINE, worker_main, rig->worker);
  thread_start(&rig->desk_thread, "desk", THREAD_STACK_ENGINE, rig_desk_main, rig);
  for (uint32_t i = 0; i < n_loops; i++)
    thread_start(&rig->loop_threads[i], "loop", THREAD_STACK_PARSER, loop_main, rig->loops[i]);
  for (int i = 0; i < RIG_MODELS; i++) rig_model_open(rig, &rig->models[i]);
}

__attribute__((unused)) static void rig_up(struct rig *rig)
{
  rig_start(rig, 1, NULL);
  rig_publish(rig, RIG_MODELS);
}

/* Drains the loops; true when they were quiet before the deadline. */
__attribute__((unused)) static bool rig_drain(struct rig *rig, int64_t within_us)
{
  struct letter_note notes[RIG_LOOPS_MAX];
  int64_t until_us = clock_us() + within_us;
  for (uint32_t i = 0; i < rig->n_loops; i++) {
    notes[i] = (struct letter_note){
        .mail.kind = LETTER_DRAIN, .home = &rig->home, .deadline_us = until_us};
    mail_send(loop_mailbox(rig->loops[i]), &notes[i].mail);
  }
  for (uint32_t n = 0; n < rig->n_loops;)
    for (struct mail *mail = mailbox_wait(&rig->home, INT64_MAX); mail; mail = mail->next, n++)
      must(mail->kind == LETTER_DRAIN_HOME);
  return clock_us() < until_us;
}

static void rig_down(struct rig *rig)
{
  struct letter_note stops[RIG_LOOPS_MAX + 2];
  for (uint32_t i = 0; i < rig->n_loops; i++) {
    stops[i] = (struct letter_note){.mail.kind = LETTER_STOP};
    mail_send(loop_mailbox(rig->loops[i]), &stops[i].mail);
  }
  for (uint32_t i = 0; i < rig->n_loops; i++) thread_join(&rig->loop_threads[i]);
  for (int i = 0; i < RIG_MODELS; i++) rig_model_close(rig, &rig->models[i]);
  stops[2] = stops[3] = (struct letter_note){.mail.kind = LETTER_STOP};
  mail_send(worker_mailbox(rig->worker), &stops[2].mail);
  mail_send(&rig->desk, &stops[3].mail);
  thread_join(&rig->worker_thread);
  thread_join(&rig->desk_thread);
  for (uint32_t i = 0; i < rig->n_loops; i++) loop_free(rig->loops[i]);
  for (uint32_t i = 0; i < rig->n_loops; i++) worker_free(rig->residents[i]);
  rig_control(rig, mailbox_take(&rig->control));
  EXPECT_INT(rig->worlds_out, 0);
  EXPECT_INT(rig->tallies_out, 0);
  worker_free(rig->worker);
  watch_free(rig->watch);
  tally_free(rig->sums);
  arena_deinit(&rig->routes_arena);
  mailbox_deinit(&rig->control);
  mailbox_deinit(&rig->home);
  mailbox_deinit(&rig->desk);
}

static inline void client_open(struct client *client, const struct rig *rig)
{
  client_connect(client, rig->port);
}

#endif
