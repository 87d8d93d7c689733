/* record.c - counts a call into this loop's tally.
 * Thread: its loop.
 * SPDX-License-Identifier: MIT */
#include "serve/quota/meter.h"
#include "serve/stages_int.h"

/* NULL when no version was chosen, or one that is not counted. */
static struct version_tally *slot_of(struct call *call)
{
  struct tally *tally = call->serve->tally;
  if (!call->version || call->version->slot == SLOT_NONE) return NULL;
  return tally_slot(tally, call->version->slot); /* serve_world sees to it that there is one */
}

void record_lent(struct call *call)
{
  struct version_tally *slot = slot_of(call);
  if (slot) slot->lent++;
}

/* Evidence against the version, and not against who asked: the run was ended after it had half of
 * the time that the version itself gives a request (a client cannot make that shorter). */
static bool is_stopped(const struct call *call)
{
  const struct task *task = &call->task;
  if (!call->version || task->err.code != E_DEADLINE_EXCEEDED) return false;
  return task->infer_ns - task->input_ns >= call_normal_us(call) * 1000 / 2;
}

/* A single row took more memory than a call may have. Inputs can say how large an answer is, so
 * control weighs what that says of the version (control/registry/quarantine.c). */
static bool is_outgrown(const struct call *call)
{
  return call->task.err.code == E_OUT_OF_MEMORY && call->task.rows <= 1;
}

/* A deadline that passed while the task was out: in its lane, or when it ran. */
static void missed_count(struct version_tally *slot, const struct call *call)
{
  const struct task *task = &call->task;
  if (call->err.code != E_DEADLINE_EXCEEDED && task->err.code != E_DEADLINE_EXCEEDED) return;
  slot->missed[task->infer_ns > task->began_ns ? MISSED_RUN : MISSED_QUEUE]++;
}

void record_home(struct call *call)
{
  struct version_tally *slot = slot_of(call);
  const struct task *task = &call->task;
  bool stopped = is_stopped(call);
  if (slot) {
    slot->returned++;
    slot->stopped += stopped && task->leads;
    slot->outgrew += is_outgrown(call) && task->leads;
    missed_count(slot, call);
  }
  breaker_home(call, slot, stopped);
  brake_home(call);
  take_ran(&call->taken, call->serve->now_us, task_cost_ns(task));
  if (call->came.tenant) meter_ran(call->came.tenant->meter, task_cost_ns(task));
}

static enum fail_reason reason_of(enum code code)
{
  switch (code) {
    case E_OVERLOADED:
    case E_NO_CAPACITY:
    case E_DEADLINE_UNREACHABLE:
    case E_OUT_OF_MEMORY:
    case E_NOT_READY:
    case E_BREAKER_OPEN:
    case E_DEADLINE_EXCEEDED: return FAIL_REJECTED;
    case E_CANCELLED: return FAIL_CANCELLED;
    case E_MODEL_FAILED:
    case E_BAD_MODEL_OUTPUT: return FAIL_BACKEND;
    default: return FAIL_OTHER;
  }
}

static void span_add(struct span *span, int64_t ns)
{
  span->count++;
  span->ns += ns > 0 ? (uint64_t)ns : 0;
}

/* One run, whoever took part in it. */
static void batch_add(struct batch_tally *batch, const struct task *task)
{
  span_add(&batch->input, task->input_ns - task->began_ns);
  span_add(&batch->infer, task->infer_ns - task->input_ns);
  span_add(&batch->output, task->output_ns - task->infer_ns);
}

static void success_add(struct version_tally *slot, const struct call *call, int64_t total_us)
{
  const struct task *task = &call->task;
  int64_t queue_ns = task->began_ns - task->queued_ns, input_ns = task->input_ns - task->began_ns;
  int64_t infer_ns = task->infer_ns - task->input_ns, output_ns = task->output_ns - task->infer_ns;
  span_add(&slot->success, total_us * 1000);
  span_add(&slot->queue, queue_ns);
  span_add(&slot->input, input_ns);
  span_add(&slot->infer, infer_ns);
  span_add(&slot->output, output_ns);
  slot->rows += call->rows;
  slot->runs += task->leads;
  slot->delay_us = task->delay_us;
  slot->last_wall_ms = (call->serve->now_us + call->serve->wall_us) / 1000;
  if (task->leads) batch_add(version_tally_batch(slot, task->batch_rows), task);
  hist_add(&slot->total_us, total_us > 0 ? (uint64_t)total_us : 0);
  hist_add(&slot->queue_us, queue_ns > 0 ? (uint64_t)queue_ns / 1000 : 0);
  hist_add(&slot->infer_us, infer_ns > 0 ? (uint64_t)infer_ns / 1000 : 0);
}

/* A request, and an answer, but no run. */
static void recalled_add(struct version_tally *slot, const struct call *call, int64_t total_us)
{
  span_add(&slot->success, total_us * 1000);
  span_add(&slot->cache_hit, call->recall.ns);
  slot->last_wall_ms = (call->serve->now_us + call->serve->wall_us) / 1000;
  hist_add(&slot->total_us, total_us > 0 ? (uint64_t)total_us : 0);
}

enum step record_stage(struct call *call)
{
  struct version_tally *slot = slot_of(call);
  int64_t total_us = call->serve->now_us - call->began_us;
  if (!slot) return STEP_NEXT;
  arm_answered(call, total_us);
  if (call->err.code == OK && call->recall.how != RECALL_NOT) {
    recalled_add(slot, call, total_us);
  } else if (call->err.code == OK) {
    if (call->recall.ns) span_add(&slot->cache_miss, call->recall.ns);
    success_add(slot, call, total_us);
  } else {
    span_add(&slot->fail, total_us * 1000);
    slot->failed[reason_of(call->err.code)]++;
    slot->missed[MISSED_SUBMIT] += call->err.code == E_DEADLINE_EXCEEDED && !call->task.home;
    enum shed_reason shed = shed_of(call->err.code);
    if (shed != SHEDS) slot->shed[shed]++;
  }
  return STEP_NEXT;
}
