/* lane.c - runs the tasks of one model version, one after the other.
 * Thread: the lane's owner: a worker, or the loop it lives on.
 * SPDX-License-Identifier: MIT */
#include "infer/lane.h"

#include "base/clock.h"
#include "base/mem.h"
#include "infer/crash.h"

static void lane_end(void *arg)
{
  struct lane *lane = arg;
  lane->engine->cancel(lane->seat);
}

/* The watch's, while the run is announced: every member of it is there. */
static bool lane_unwanted(void *arg)
{
  const struct lane *lane = arg;
  for (uint32_t i = 0; i < lane->n_running; i++)
    if (!atomic_load_explicit(&lane->running[i]->gone, memory_order_relaxed)) return false;
  return true;
}

/* A seat that was cancelled is thrown away: so no engine has to undo a cancel, and one that came a
 * moment too late for its run cannot hit the next. */
static enum code lane_sit(struct lane *lane, struct err *err)
{
  if (lane->spent && lane->seat) lane->engine->leave(lane->seat);
  if (lane->spent) lane->seat = NULL;
  lane->spent = false;
  if (lane->seat) return OK;
  if (lane->engine->sit(lane->loaded->model, &lane->seat, err) == OK) return OK;
  lane->seat = NULL;
  return err->code;
}

struct lane *lane_new(struct loaded *loaded, struct watch *watch, const void *owner,
                      struct err *err)
{
  struct lane *lane = grab_zero(1, sizeof *lane);
  lane->engine = loaded->engine;
  lane->loaded = loaded;
  lane->owner = owner;
  queue_init(&lane->queue, NULL);
  batch_init(&lane->batch, loaded, false, clock_us());
  if (lane_sit(lane, err) != OK) {
    ungrab(lane);
    return NULL;
  }
  if (watch && lane->engine->cancel) {
    lane->watch = watch;
    watch_join(watch, &lane->watched, lane_end, lane_unwanted, lane);
  }
  return lane;
}

void lane_free(struct lane *lane)
{
  if (!lane) return;
  queue_deinit(&lane->queue);
  batch_deinit(&lane->batch);
  if (lane->watch) watch_leave(lane->watch, &lane->watched);
  if (lane->seat) lane->engine->leave(lane->seat);
  ungrab(lane);
}

void lane_push(struct lane *lane, struct task *task)
{
  must(task->lane == lane);
  queue_push(&lane->queue, task);
  if (lane->batch.rows_max <= 1) return;
  delay_came(&lane->batch.delay, task->queued_ns / 1000);
  if (!lane->loaded->deadline_us)
    delay_slo(&lane->batch.delay, queue_span_us(&lane->queue) / 2);
}

static enum code output_check(const struct tensor_spec *spec, const struct tensor *got,
                              struct err *err)
{
  char got_text[SHAPE_TEXT_MAX], want_text[SHAPE_TEXT_MAX];
  if (got->dtype != spec->dtype)
    return fail(err, E_BAD_MODEL_OUTPUT,
                "the model answered \"%.*s\" as %s, it declares %s: push a version that keeps its "
                "contract",
                SLICE_ARG(spec->name), dtype_name(got->dtype), dtype_name(spec->dtype));
  bool fits = spec->rank_free || got->shape.rank == spec->shape.rank;
  for (uint32_t i = 0; fits && !spec->rank_free && i < spec->shape.rank; i++)
    fits = spec->shape.dims[i] < 0 || spec->shape.dims[i] == got->shape.dims[i];
  if (!fits)
    return fail(err, E_BAD_MODEL_OUTPUT,
                "the model answered \"%.*s\" with shape %s, it declares %s: push a version that "
                "keeps its contract",
                SLICE_ARG(spec->name), shape_text(&got->shape, got_text, sizeof got_text),
                shape_text(&spec->shape, want_text, sizeof want_text));
  /* What follows is not the model's doing but the engine's: ours. */
  uint64_t count = 0;
  must(shape_count(&got->shape, &count) && count == got->count);
  size_t width = dtype_width(got->dtype);
  must(width == 0 || got->bytes == count * width);
  must(got->data || got->bytes == 0);
  return OK;
}

static enum code outputs_check(struct task *task)
{
  const struct contract *contract = task->contract;
  for (uint32_t i = 0; i < contract->n_outputs; i++) {
    if (!(task->wanted >> i & 1)) continue;
    if (output_check(&contract->outputs[i], &task->outputs[i], &task->err)) return task->err.code;
    task->outputs[i].name = contract->outputs[i].name;
  }
  return OK;
}

static enum code seat_run(struct lane *lane, struct task *task)
{
  crash_enter(lane->loaded->who);
  enum code code = lane->engine->run(lane->seat, task, &task->err);
  crash_enter(NULL);
  return code;
}

static enum code lane_engine_run(struct lane *lane, struct task *task)
{
  struct err *err = &task->err;
  if (!lane->watch || task->deadline_us == INT64_MAX) return seat_run(lane, task);
  if (!task->many) lane->running = &task, lane->n_running = 1;
  watch_begin(lane->watch, &lane->watched, task->deadline_us);
  enum code code = seat_run(lane, task);
  if (!watch_end(&lane->watched)) return code;
  lane->spent = true;
  if (code == OK) return OK; /* it was done before it heard */
  if (clock_us() < task->deadline_us)
    return fail(err, E_CANCELLED, "nobody waits for the answer any more: the run was stopped");
  return fail(err, E_DEADLINE_EXCEEDED,
              "the model was still running at the deadline and was stopped; send less at once or "
              "allow more time");
}

void task_stand(struct task *task, int64_t now_ns)
{
  task->batch_rows = task->rows;
  task->leads = true;
  task->delay_us = 0;
  task->cpu_ns = -1;
  task->began_ns = task->input_ns = task->infer_ns = task->output_ns = now_ns;
}

struct task *lane_dead(struct lane *lane, int64_t now_ns)
{
  struct task *task = queue_dead(&lane->queue, now_ns / 1000);
  if (task) task_stand(task, now_ns);
  return task;
}

void lane_run_task(struct lane *lane, struct task *task, int64_t *now_ns)
{
  task_stand(task, *now_ns);
  if ((!lane->seat || lane->spent) && lane_sit(lane, &task->err) != OK) return;
  const struct contract *contract = task->contract;
  for (uint32_t i = 0; i < contract->n_outputs; i++) task->outputs[i].dtype = DT_NONE;
  bool costs = task->costs && !lane->loaded->spread;
  int64_t cpu_ns = costs ? clock_thread_ns() : 0;
  enum code code = lane_engine_run(lane, task);
  if (costs) task->cpu_ns = clock_thread_ns() - cpu_ns;
  task->infer_ns = *now_ns = clock_ns();
  if (code == OK) code = outputs_check(task);
  task->model_bytes = task->peak_bytes = 0;
  if (lane->engine->bytes)
    task->model_bytes = lane->engine->bytes(lane->loaded->model, &task->peak_bytes);
  task->output_ns = task->infer_ns;
  must(code == task->err.code);
}

struct task *lane_run(struct lane *lane, int64_t *now_ns)
{
  int64_t now_us = *now_ns / 1000;
  struct task *task = lane_dead(lane, *now_ns), *head;
  if (task) return task;
  if (!(head = queue_head(&lane->queue, now_us))) return lane_dead(lane, *now_ns);
  must(queue_take(&lane->queue, head, now_us, head->rows, &task, 1) == 1);
  lane_run_task(lane, task, now_ns);
  return task;
}
