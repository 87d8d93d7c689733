/* infer_rig.h - what tests of engines and lanes share: models from text, tasks with inputs.
 * SPDX-License-Identifier: MIT */
#ifndef INFER_RIG_H
#define INFER_RIG_H

#include "base/clock.h"
#include "base/thread.h"
#include "infer/lane.h"
#include "infer/loaded.h"
#include "infer/worker.h"

/* Opens files with an engine. */
static inline enum code rig_open_files(const struct engine *engine,
                                       const struct model_source *source, struct loaded *loaded,
                                       struct err *err)
{
  *loaded = (struct loaded){.engine = engine};
  *err = (struct err){0};
  arena_init(&loaded->arena, 64 << 20, NULL);
  enum code code = engine->open(source, &loaded->arena, &loaded->contract, &loaded->model, err);
  if (code != OK) arena_deinit(&loaded->arena);
  return code;
}

/* Opens a model that is one file. */
static inline enum code rig_open(const char *engine, const char *name, struct slice bytes,
                                 struct loaded *loaded, struct err *err)
{
  struct model_file file = {slice_str(name), bytes};
  struct model_config config = {0};
  struct model_source source = {&file, 1, &config, NULL, 0};
  return rig_open_files(engine_named(slice_str(engine)), &source, loaded, err);
}

static inline void rig_close(struct loaded *loaded)
{
  loaded->engine->close(loaded->model);
  arena_deinit(&loaded->arena);
}

struct rig_task {
  struct task task;
  struct tensor inputs[TENSORS_MAX], outputs[TENSORS_MAX];
  struct arena scratch;
};

static inline void rig_task_init(struct rig_task *rig, const struct loaded *loaded,
                                 struct lane *lane, struct mailbox *home)
{
  memset(rig, 0, sizeof *rig);
  arena_init(&rig->scratch, 64 << 20, NULL);
  rig->task.mail.kind = LETTER_TASK;
  rig->task.home = home;
  rig->task.lane = lane;
  rig->task.contract = &loaded->contract;
  rig->task.inputs = rig->inputs;
  rig->task.outputs = rig->outputs;
  rig->task.wanted = UINT64_MAX;
  rig->task.rows = 1;
  rig->task.deadline_us = INT64_MAX;
  rig->task.scratch = &rig->scratch;
}

static inline void rig_task_deinit(struct rig_task *rig) { arena_deinit(&rig->scratch); }

/* Input i; bytes only matters for BYTES. */
static inline void rig_input(struct rig_task *rig, uint32_t i, enum dtype dtype, struct shape shape,
                             void *data, size_t bytes)
{
  struct tensor *t = &rig->inputs[i];
  *t = (struct tensor){.name = rig->task.contract->inputs[i].name,
                       .dtype = dtype,
                       .shape = shape,
                       .data = data,
                       .bytes = bytes};
  must(shape_count(&shape, &t->count));
  if (dtype_width(dtype)) t->bytes = (size_t)t->count * dtype_width(dtype);
}

/* Runs one task on a lane of its own thread, without any worker. */
static inline enum code rig_run(struct loaded *loaded, struct rig_task *rig)
{
  struct err err;
  struct lane *lane = lane_new(loaded, NULL, NULL, &err);
  must(lane != NULL);
  rig->task.lane = lane;
  lane_push(lane, &rig->task);
  int64_t now_ns = clock_ns();
  must(lane_run(lane, &now_ns) == &rig->task);
  lane_free(lane);
  return rig->task.err.code;
}

/* What the lane knows of its runs: one row took a millisecond, and nothing else. */
static inline void rig_pace(struct lane *lane)
{
  lane->batch.pace = (struct pace){0};
  for (int i = 0; i < PACE_KEPT; i++) pace_add(&lane->batch.pace, 1, 999000);
}

/* All that waits at a moment, batch by batch. Returns how many batches. What runs took is forgotten
 * before each: who shares one is then no matter of the machine's speed. */
static inline int rig_run_all(struct lane *lane, int64_t now_ns)
{
  struct task *members[BATCH_TASKS_MAX];
  int64_t now_us = now_ns / 1000, until_us;
  int batches = 0;
  for (uint32_t n;; batches++) {
    rig_pace(lane);
    if (!(n = batch_close(lane, now_us, members, &until_us))) return batches;
    batch_run(lane, members, n, &now_ns);
  }
}

/* A worker on a thread of its own. */
struct rig_worker {
  struct worker *worker;
  struct thread thread;
  struct mailbox *home;
  struct lane *lane;
};

/* Starts it and opens a lane on it; `home` has a bell. */
static inline void rig_worker_init(struct rig_worker *rig, struct mailbox *home,
                                   struct loaded *loaded)
{
  struct letter_lane open = {.mail.kind = LETTER_LANE_OPEN, .home = home, .loaded = loaded};
  mailbox_init_bell(home);
  rig->worker = worker_new(0, NULL);
  rig->home = home;
  thread_start(&rig->thread, "worker", THREAD_STACK_ENGINE, worker_main, rig->worker);
  mail_send(worker_mailbox(rig->worker), &open.mail);
  must(mailbox_wait(home, INT64_MAX) == &open.mail);
  rig->lane = open.lane;
}

static inline void rig_worker_deinit(struct rig_worker *rig)
{
  struct letter_lane close = {
      .mail.kind = LETTER_LANE_CLOSE, .home = rig->home, .lane = rig->lane};
  struct letter_note stop = {.mail.kind = LETTER_STOP};
  mail_send(worker_mailbox(rig->worker), &close.mail);
  mail_send(worker_mailbox(rig->worker), &stop.mail);
  thread_join(&rig->thread);
  must(mailbox_take(rig->home) == &close.mail);
  worker_free(rig->worker);
}

#endif
