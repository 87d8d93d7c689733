/* submit.c - lends the task to a lane. After the letter is sent the task is the lane owner's.
 * Thread: its loop.
 * SPDX-License-Identifier: MIT */
#include "serve/stages_int.h"

#include "base/clock.h"

/* Scratch of a resident's task comes from the loop's own blocks; any other lane runs on another
 * thread, so its scratch lives on the heap and is kept warm from task to task: another tenant's,
 * maybe. So it zeroes: a model that writes half its output shows nobody's bytes (TN-103). */
void scratch_take(struct serve *serve, struct arena *scratch, bool resident)
{
  if (resident) {
    arena_init(scratch, serve->opts.call_bytes_max, serve->opts.blocks);
  } else if (serve->n_resting) {
    *scratch = serve->resting[--serve->n_resting];
    serve->scratch_kept -= arena_held(scratch);
  } else {
    arena_init(scratch, serve->opts.call_bytes_max, serve->opts.heap);
  }
  scratch->zeroes = true;
}

void scratch_rest(struct serve *serve, struct arena *scratch)
{
  bool heap = scratch->source && scratch->source != serve->opts.blocks && scratch->max > 0;
  if (heap && serve->n_resting < serve->opts.calls_max) {
    arena_reset(scratch);
    if (serve->scratch_kept + arena_held(scratch) <= serve->opts.scratch_kept_max) {
      serve->scratch_kept += arena_held(scratch);
      serve->resting[serve->n_resting++] = *scratch;
      arena_init(scratch, 0, NULL);
      return;
    }
  }
  if (scratch->source) arena_deinit(scratch);
}

const struct seat *seat_of(struct serve *serve, const struct version *version)
{
  must(version->n_seats > 0);
  if (version->resident) return &version->seats[serve->opts.loop % version->n_seats];
  return &version->seats[serve->turn++ % version->n_seats];
}

/* What the client asks for is cut to what it may have: a run that nobody waits for any more holds
 * its lane until then. */
int64_t call_deadline(const struct call *call)
{
  const struct serve_opts *opts = &call->serve->opts;
  int64_t normal_us = call_normal_us(call);
  int64_t most_us = opts->deadline_max_us > normal_us ? opts->deadline_max_us : normal_us;
  int64_t span_us = call->asked_us ? call->asked_us : normal_us;
  return call->began_us + (span_us < most_us ? span_us : most_us);
}

/* Of what tasks must have in common to share a batch: outputs wanted; datatypes and dimensions of
 * the inputs, but for the first dimension where the contract batches. */
uint64_t signature_of(const struct contract *contract, const struct tensor *inputs, uint64_t wanted)
{
  const uint64_t odd = UINT64_C(0x9e3779b97f4a7c15);
  uint64_t hash = wanted * odd;
  uint32_t first = contract->batches ? 1 : 0;
  for (uint32_t i = 0; i < contract->n_inputs; i++) {
    const struct tensor *input = &inputs[i];
    hash = (hash ^ hash >> 29 ^ ((uint64_t)input->shape.rank << 8 | input->dtype)) * odd;
    for (uint32_t d = first; d < input->shape.rank; d++)
      hash = (hash ^ hash >> 29 ^ (uint64_t)input->shape.dims[d]) * odd;
  }
  return hash;
}

/* What it will run, going by what rows of this version cost lately. */
static int64_t predicted_ns(const struct call *call)
{
  int64_t row_ns = brake_row_ns(call->serve, call->version);
  return row_ns ? row_ns * (int64_t)(call->rows ? call->rows : 1) : call->version->run_ns;
}

/* A worker that sleeps would wake for the first task and run it alone: what came in one turn of the
 * loop goes together, up to as many as make the next ones no cheaper. */
static void task_send(struct serve *serve, const struct seat *seat, struct task *task,
                      bool resident)
{
  if (resident || !serve->bundles) {
    mail_send(seat->owner, &task->mail);
    return;
  }
  mail_bundle_add(&serve->out, seat->owner, &task->mail);
  if (serve->out.n >= BUNDLE_MAX) mail_bundle_send(&serve->out);
}

void serve_bundle(struct serve *serve, bool on) { serve->bundles = on; }

void serve_send(struct serve *serve) { mail_bundle_send(&serve->out); }

enum step submit_stage(struct call *call)
{
  struct serve *serve = call->serve;
  struct task *task = &call->task;
  const struct contract *contract = &call->version->contract;
  struct allowed allowed = call_allowed(call);
  if (take_compute(&call->taken, &allowed, serve->now_us, predicted_ns(call),
                   &serve->rand, &call->err))
    return STEP_REPLY;
  task->outputs = arena_zero(&call->arena, contract->n_outputs, sizeof *task->outputs);
  if (!task->outputs) {
    fail(&call->err, E_OUT_OF_MEMORY, "the request needs more memory than one may have");
    return STEP_REPLY;
  }
  if (call->class == CLASS_BATCH && pressure_refuses(call)) return STEP_REPLY;
  if (!breaker_probe(call)) return breaker_refuse(call, call->version);
  scratch_take(serve, &call->scratch, call->version->resident);
  const struct seat *seat = seat_of(serve, call->version);
  task->mail.kind = LETTER_TASK;
  task->home = serve->opts.home;
  task->lane = seat->lane;
  task->contract = contract;
  task->inputs = call->request.inputs;
  task->rows = (uint32_t)call->rows;
  task->costs = call->split && call->costs;
  task->class = call->class;
  task->tenant = call->came.tenant->slot;
  task->weight = call->came.tenant->allow.weight;
  task->signature = signature_of(contract, task->inputs, task->wanted);
  task->deadline_us = call->deadline_us;
  atomic_store_explicit(&task->gone, false, memory_order_relaxed);
  task->scratch = &call->scratch;
  task->err.code = OK;
  /* The clock of this turn is near enough, but not behind a large body's decoding. */
  task->queued_ns = call->body.len < LARGE_BODY_MIN ? serve->now_us * 1000 : clock_ns();

  record_lent(call);
  brake_sent(call, (uint32_t)(seat - call->version->seats));
  call->state = CALL_LENT;
  list_push_back(&serve->lent, &call->link);
  if (call->deadline_us < serve->alarm_us) serve->alarm_us = call->deadline_us;
  task_send(serve, seat, task, call->version->resident);
  return STEP_WAIT; /* last line, always: it is the lane's now, or on its way */
}
