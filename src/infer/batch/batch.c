/* batch.c - gather, run, scatter.
 * Thread: the lane's owner, a worker or a loop.
 * SPDX-License-Identifier: MIT */
#include "infer/batch/batch.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "infer/lane.h"

/* The task that stands for a batch, and its memory. */
struct joint {
  struct task task;
  struct tensor inputs[TENSORS_MAX], outputs[TENSORS_MAX];
  struct arena in, out;
};

void batch_init(struct batch *batch, const struct loaded *loaded, bool waits, int64_t now_us)
{
  const struct batch_spec *spec = &loaded->batch;
  int64_t deadline_us = loaded->deadline_us ? loaded->deadline_us : INT64_MAX;
  *batch = (struct batch){.spec = spec, .rows_max = 1, .waits = waits};
  if (loaded->contract.batches) batch->rows_max = spec->rows_max ? spec->rows_max
                                                                 : BATCH_ROWS_DEFAULT;
  batch->rows_full = batch->rows_max;
  delay_init(&batch->delay, spec->delay_fixed, spec->delay_us_max, deadline_us / 2, now_us);
}

void batch_deinit(struct batch *batch)
{
  if (!batch->joint) return;
  arena_deinit(&batch->joint->in);
  arena_deinit(&batch->joint->out);
  ungrab(batch->joint);
  batch->joint = NULL;
}

/* A model that writes half its output shows nobody's bytes, so what it writes into is zeroed. */
static struct joint *joint_of(struct batch *batch)
{
  if (batch->joint) return batch->joint;
  struct joint *joint = batch->joint = grab_zero(1, sizeof *joint);
  arena_init(&joint->in, BATCH_BYTES_MAX + TENSORS_MAX * 64, NULL);
  arena_init(&joint->out, BATCH_BYTES_MAX, NULL);
  joint->out.zeroes = true;
  joint->task.inputs = joint->inputs;
  joint->task.outputs = joint->outputs;
  joint->task.scratch = &joint->out;
  joint->task.many = true;
  return joint;
}

/* Kept in one block as large as all of them were, so that the next batch finds room. */
static void arena_rest(struct arena *arena)
{
  size_t held = arena_held(arena);
  arena_reset(arena);
  if (arena_held(arena) == held && held <= BATCH_KEPT_MAX) return;
  arena_deinit(arena);
  if (held <= BATCH_KEPT_MAX) (void)arena_room(arena, held);
}

/* --- together --------------------------------------------------------------------------------- */

static bool input_gather(struct joint *joint, uint32_t i, struct task *const *members, uint32_t n)
{
  struct tensor *to = &joint->inputs[i];
  *to = members[0]->inputs[i];
  if (to->dtype == DT_NONE) return true;
  to->bytes = 0;
  to->count = 0;
  to->shape.dims[0] = joint->task.rows;
  for (uint32_t m = 0; m < n; m++) {
    to->bytes += members[m]->inputs[i].bytes;
    to->count += members[m]->inputs[i].count;
  }
  char *at = to->data = arena_get(&joint->in, to->bytes ? to->bytes : 1);
  if (!at) return false;
  for (uint32_t m = 0; m < n; m++) {
    const struct tensor *from = &members[m]->inputs[i];
    if (from->bytes) memcpy(at, from->data, from->bytes);
    at += from->bytes;
  }
  return true;
}

/* False: they do not fit into the lane's memory. */
static bool gather(struct joint *joint, struct task *const *members, uint32_t n)
{
  struct task *task = &joint->task;
  task->contract = members[0]->contract;
  task->rows = 0;
  task->wanted = 0;
  task->deadline_us = 0;
  task->costs = false;
  task->err.code = OK;
  for (uint32_t m = 0; m < n; m++) {
    const struct task *member = members[m];
    task->rows += member->rows;
    task->wanted |= member->wanted;
    task->costs = task->costs || member->costs;
    if (member->deadline_us > task->deadline_us) task->deadline_us = member->deadline_us;
  }
  for (uint32_t i = 0; i < task->contract->n_inputs; i++)
    if (!input_gather(joint, i, members, n)) return false;
  return true;
}

/* --- apart ------------------------------------------------------------------------------------ */

/* Bytes of the next `count` elements from offset `at` on. */
static size_t elements_bytes(const struct tensor *tensor, size_t at, uint64_t count)
{
  size_t width = dtype_width(tensor->dtype), from = at;
  if (width) return (size_t)count * width;
  for (uint64_t i = 0; i < count; i++) (void)tensor_bytes_next(tensor, &at);
  return at - from;
}

/* at[i]: how much of output i is given. */
static void member_give(const struct joint *joint, struct task *member, size_t *at)
{
  uint64_t rows = joint->task.rows;
  for (uint32_t i = 0; i < member->contract->n_outputs; i++) {
    const struct tensor *from = &joint->outputs[i];
    struct tensor *to = &member->outputs[i];
    to->dtype = DT_NONE;
    if (!(joint->task.wanted >> i & 1)) continue;
    uint64_t count = from->count / rows * member->rows;
    size_t bytes = elements_bytes(from, at[i], count), began = at[i];
    at[i] += bytes;
    if (!(member->wanted >> i & 1) || member->err.code != OK) continue;
    *to = *from;
    to->name = member->contract->outputs[i].name; /* of its own world: the others' may end sooner */
    to->shape.dims[0] = member->rows;
    to->count = count;
    to->bytes = bytes;
    to->data = arena_get(member->scratch, bytes ? bytes : 1);
    if (!to->data)
      fail(&member->err, E_OUT_OF_MEMORY,
           "the answer does not fit the request's memory: send fewer rows");
    else if (bytes)
      memcpy(to->data, (const char *)from->data + began, bytes);
  }
}

static void scatter(const struct joint *joint, struct task *const *members, uint32_t n)
{
  size_t at[TENSORS_MAX] = {0};
  for (uint32_t m = 0; m < n; m++) member_give(joint, members[m], at);
}

/* --- one run ---------------------------------------------------------------------------------- */

static void batch_shrink(struct lane *lane, uint32_t rows_max, const char *why)
{
  struct batch *batch = &lane->batch;
  batch->rows_max = rows_max ? rows_max : 1;
  batch->good = 0;
  batch->grow_after = batch->grow_after ? 2 * batch->grow_after : GROW_AFTER;
  if (batch->grow_after > GROW_AFTER_MAX) batch->grow_after = GROW_AFTER_MAX;
  log_event(LOG_WARN, lane->batch.rows_max == 1 ? "batching_off" : "batches_smaller", "runs",
            lane->loaded->who, "rows_max", log_num(lane->batch.rows_max), "reason", why, NULL);
}

/* What was refused once may have been one odd input. */
static void batch_grow(struct lane *lane, const struct task *first)
{
  struct batch *batch = &lane->batch;
  if (batch->rows_max >= batch->rows_full) return;
  if (first->err.code != OK || first->batch_rows < batch->rows_max) return;
  if (++batch->good < batch->grow_after) return;
  batch->good = 0;
  batch->rows_max = batch->rows_max < batch->rows_full / 2 ? 2 * batch->rows_max : batch->rows_full;
  log_event(LOG_INFO, "batches_larger", "runs", lane->loaded->who, "rows_max",
            log_num(batch->rows_max), NULL);
}

/* An output that does not have the batch's rows cannot be shared out. */
static bool rows_kept(const struct task *task)
{
  for (uint32_t i = 0; i < task->contract->n_outputs; i++) {
    const struct tensor *output = &task->outputs[i];
    if (!(task->wanted >> i & 1)) continue;
    if (output->shape.rank == 0 || output->shape.dims[0] != task->rows) return false;
  }
  return true;
}

static void one_by_one(struct lane *lane, struct task **members, uint32_t n, int64_t *now_ns)
{
  for (uint32_t m = 0; m < n; m++)
    if (task_end(members[m], *now_ns / 1000) == OK) lane_run_task(lane, members[m], now_ns);
}

/* What the run was, in a member that took part in it. */
static void member_tell(const struct joint *joint, struct task *member, bool leads)
{
  const struct task *task = &joint->task;
  member->batch_rows = task->rows;
  member->leads = leads;
  member->input_ns = task->input_ns;
  member->infer_ns = task->infer_ns;
  member->model_bytes = task->model_bytes + arena_held(&joint->in) + arena_held(&joint->out);
  member->peak_bytes = task->peak_bytes;
  if (member->costs && task->cpu_ns >= 0)
    member->cpu_ns = task->cpu_ns * member->rows / (task->rows ? task->rows : 1);
}

/* False: they are to run one by one. */
static bool run_joint(struct lane *lane, struct joint *joint, struct task **members, uint32_t n,
                      int64_t *now_ns)
{
  struct task *task = &joint->task;
  if (!gather(joint, members, n)) return false;
  *now_ns = clock_ns();
  lane->running = members; /* it ends early if all of them are gone */
  lane->n_running = n;
  lane_run_task(lane, task, now_ns);
  bool ended = task->err.code != OK && lane->spent;
  if (task->err.code != OK && !ended) return false;
  if (!ended && !rows_kept(task)) {
    batch_shrink(lane, 1, "an output's first dimension is not the batch");
    lane->batch.rows_full = 1;
    return false;
  }
  for (uint32_t m = 0; m < n; m++) {
    member_tell(joint, members[m], m == 0);
    members[m]->err = task->err;
  }
  if (!ended) scatter(joint, members, n);
  *now_ns = clock_ns();
  for (uint32_t m = 0; m < n; m++) members[m]->output_ns = *now_ns;
  return true;
}

static void run_many(struct lane *lane, struct task **members, uint32_t n, int64_t *now_ns)
{
  struct joint *joint = joint_of(&lane->batch);
  for (uint32_t m = 0; m < n; m++) task_stand(members[m], *now_ns);
  if (!run_joint(lane, joint, members, n, now_ns)) {
    struct err err = joint->task.err;
    uint32_t rows = joint->task.rows, well = 0;
    one_by_one(lane, members, n, now_ns);
    for (uint32_t m = 0; m < n; m++) well += members[m]->err.code == OK;
    if (err.code != OK && well == n && lane->batch.rows_max > 1)
      batch_shrink(lane, rows / 2, err.text);
  }
  arena_rest(&joint->in);
  arena_rest(&joint->out);
}

static void batch_note(struct lane *lane, struct task *const *members, uint32_t n, int64_t now_ns)
{
  struct batch *batch = &lane->batch;
  const struct task *first = members[0];
  struct delay_run run = {.now_us = now_ns / 1000, .tasks = n, .rows = first->batch_rows,
                          .run_ns = first->infer_ns - first->input_ns};
  for (uint32_t m = 0; m < n; m++)
    run.slow += delay_is_slow(&batch->delay, (now_ns - members[m]->queued_ns) / 1000);
  if (first->err.code == OK) pace_add(&batch->pace, run.rows, run.run_ns);
  delay_ran(&batch->delay, &run);
  uint32_t delay_us = batch->waits ? delay_shown(&batch->delay) : 0;
  for (uint32_t m = 0; m < n; m++) members[m]->delay_us = delay_us;
}

void batch_run(struct lane *lane, struct task **members, uint32_t n, int64_t *now_ns)
{
  if (n == 1) {
    task_stand(members[0], *now_ns);
    lane_run_task(lane, members[0], now_ns);
  } else {
    run_many(lane, members, n, now_ns);
  }
  if (lane->batch.rows_max > 1) batch_note(lane, members, n, *now_ns);
  batch_grow(lane, members[0]);
}
