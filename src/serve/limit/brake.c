/* brake.c - what a loop knows of a version's lanes, and whom it refuses by it.
 * Thread: its loop.
 * SPDX-License-Identifier: MIT */
#include "serve/limit/brake.h"

#include "base/mem.h"
#include "serve/limit/crowd.h"
#include "serve/refuse.h"
#include "serve/stages_int.h"

enum { PROBE_US = 100000, BETTERS_US = 1000000 };

static int rank_of(const struct call *call) { return call->class < CLASS_BATCH ? 0 : 1; }

/* As one of this rank counts them: its betters' and its own. */
static uint32_t in_work_of(const struct brake *brake, const struct call *call)
{
  return rank_of(call) ? brake->in_work : brake->out[0];
}

void brakes_deinit(struct brakes *brakes)
{
  for (uint32_t i = 0; i < brakes->n; i++) ungrab(brakes->of[i]);
  ungrab(brakes->of);
}

static struct brake *brake_found(const struct serve *serve, const struct version *version)
{
  const struct brakes *brakes = &serve->brakes;
  if (version->slot >= brakes->n) return NULL; /* SLOT_NONE, too */
  struct brake *brake = brakes->of[version->slot];
  return brake->gradient.limit > 0 && brake->seq == version->seq ? brake : NULL;
}

void brakes_world(struct brakes *brakes, uint32_t n_slots)
{
  if (n_slots <= brakes->n) return;
  brakes->of = grab_more(brakes->of, n_slots * sizeof *brakes->of);
  while (brakes->n < n_slots) brakes->of[brakes->n++] = grab_zero(1, sizeof **brakes->of);
}

/* A slot that another version had: what was learned goes, what is out stays counted. Its sums begin
 * anew (control/slot.c), so nothing was told of its limit yet. */
static struct brake *brake_made(struct serve *serve, const struct version *version)
{
  if (version->slot == SLOT_NONE) return NULL;
  must(version->slot < serve->brakes.n); /* brakes_world saw to it */
  struct brake *brake = serve->brakes.of[version->slot];
  if (brake->seq == version->seq && brake->gradient.limit > 0) return brake;
  *brake = (struct brake){
      .seq = version->seq, .in_work = brake->in_work, .out = {brake->out[0], brake->out[1]}};
  brake->gradient.limit = serve->opts.calls_max;
  brake->row_ns = version->run_ns;
  brake->run_us = version->run_ns / 1000;
  return brake;
}

int64_t brake_row_ns(const struct serve *serve, const struct version *version)
{
  const struct brake *brake = brake_found(serve, version);
  return brake ? brake->row_ns : 0;
}

/* --- before ----------------------------------------------------------------------------------- */

static uint32_t seat_number(const struct serve *serve, const struct version *version)
{
  uint32_t n = version->n_seats;
  return (version->resident ? serve->opts.loop % n : serve->turn % n) % BRAKE_SEATS;
}

static int64_t wait_ns(const struct call *call, const struct version *version,
                       const struct brake *brake)
{
  const struct serve *serve = call->serve;
  const int64_t *done_ns = brake->done_ns[rank_of(call)];
  int64_t left_ns = done_ns[seat_number(serve, version)] - serve->now_us * 1000;
  return left_ns > 0 ? left_ns : 0;
}

/* Class batch, while those it waits for are there: what happens to it says nothing of the lane. */
static bool outranked(const struct brake *brake, const struct call *call)
{
  return rank_of(call) && call->serve->now_us - brake->seen_us[0] < BETTERS_US;
}

/* Who has not even half of its share does not pay for those who have more: up to twice the
 * limit. */
static bool overloaded(struct call *call, const struct version *version, struct brake *brake)
{
  struct serve *serve = call->serve;
  uint32_t most = (uint32_t)brake->gradient.limit;
  uint32_t in_work = in_work_of(brake, call);
  if (call->class == CLASS_BATCH)
    most -= most / 4;
  else if (in_work >= most && !crowd_over(call))
    most *= 2;
  if (in_work < most) return false;
  if (!outranked(brake, call)) gradient_refused(&brake->gradient);
  fail(&call->err, E_OVERLOADED,
       "%u requests are in work at model \"%.*s\", and more would only wait for each other; retry "
       "in a moment",
       in_work, SLICE_ARG(call->model_name));
  call->err.retry_after_ms =
      retry_spread(&serve->rand, wait_ns(call, version, brake) / 2000000 + brake->run_us / 1000);
  return true;
}

/* Where nothing came home for a while and nothing is out, one is let through to see: what is known
 * need not be so any more. It is asked twice, before its body and after, and let through twice. */
static bool unreachable(struct call *call, const struct version *version, struct brake *brake,
                        int64_t left_us)
{
  struct serve *serve = call->serve;
  int rank = rank_of(call);
  int64_t wait_us = wait_ns(call, version, brake) / 1000, need_us = wait_us + brake->run_us;
  if (need_us <= left_us || call->tries) return false;
  if (brake->out[rank] == 0 && serve->now_us - brake->seen_us[rank] >= PROBE_US) {
    brake->seen_us[rank] = serve->now_us;
    call->tries = true;
    return false;
  }
  fail(&call->err, E_DEADLINE_UNREACHABLE,
       "model \"%.*s\" would take %.4g ms until it could answer, and the request has %.4g ms; "
       "retry later or allow more time",
       SLICE_ARG(call->model_name), (double)need_us / 1000, (double)left_us / 1000);
  call->err.retry_after_ms = retry_spread(&serve->rand, (need_us - left_us) / 1000);
  return true;
}

static bool refused(struct call *call, const struct version *version, int64_t deadline_us)
{
  struct brake *brake = brake_found(call->serve, version);
  if (!brake || version->n_seats == 0) return false;
  return overloaded(call, version, brake) ||
         unreachable(call, version, brake, deadline_us - call->serve->now_us);
}

bool brake_early(struct call *call, const struct version *sure)
{
  const struct version *named = call->version;
  if (sure->state != VERSION_READY || sure->cache_ttl_us) return false;
  call->version = sure;
  if (refused(call, sure, call_deadline(call))) return true;
  call->version = named; /* who was not named has it chosen yet */
  return false;
}

enum step limit_stage(struct call *call)
{
  struct serve *serve = call->serve;
  call->deadline_us = call_deadline(call);
  if (call->deadline_us <= serve->now_us) {
    fail(&call->err, E_DEADLINE_EXCEEDED,
         "the deadline passed before the model could run; allow more time");
    return STEP_REPLY;
  }
  return refused(call, call->version, call->deadline_us) ? STEP_REPLY : STEP_NEXT;
}

/* --- out and home ----------------------------------------------------------------------------- */

void brake_sent(struct call *call, uint32_t seat)
{
  struct serve *serve = call->serve;
  struct brake *brake = brake_made(serve, call->version);
  call->brake = brake;
  call->seat = (uint8_t)(seat % BRAKE_SEATS);
  if (!brake) return;
  int64_t now_ns = serve->now_us * 1000, span_us = call->deadline_us - serve->now_us;
  for (int rank = rank_of(call); rank < BRAKE_RANKS; rank++) { /* who is worse waits for it, too */
    int64_t *done_ns = &brake->done_ns[rank][call->seat];
    if (*done_ns < now_ns) *done_ns = now_ns;
    *done_ns += brake->row_ns * (int64_t)call->task.rows;
  }
  brake->out[rank_of(call)]++;
  brake->span_us = brake->span_us ? brake->span_us + (span_us - brake->span_us) / 32 : span_us;
  brake->in_work++;
}

void brake_left(struct call *call)
{
  const struct brake *brake = call->brake;
  if (!brake || brake->seq != call->version->seq) return;
  for (int rank = rank_of(call); rank < BRAKE_RANKS; rank++)
    call->brake->done_ns[rank][call->seat] -= brake->row_ns * (int64_t)call->task.rows;
}

/* Steps up are nineteen times those down, so that a twentieth of all is above. */
static void run_learn(struct brake *brake, int64_t run_us)
{
  int64_t step = brake->run_us / 256 + 1;
  if (!brake->run_us) brake->run_us = run_us;
  if (run_us > brake->run_us)
    brake->run_us += 19 * step < run_us - brake->run_us ? 19 * step : run_us - brake->run_us;
  else if (brake->run_us - step > 0 && run_us < brake->run_us)
    brake->run_us -= step;
}

/* Of a run that was stopped it is known that it takes longer. One that was let through to see says
 * what there is to see. */
static void run_home(struct brake *brake, const struct call *call, int64_t run_us)
{
  bool shorter = run_us < brake->run_us;
  enum code code = call->task.err.code;
  if (shorter && (code == E_DEADLINE_EXCEEDED || code == E_CANCELLED)) return;
  if (shorter && call->tries) brake->run_us -= (brake->run_us - run_us) / 2;
  run_learn(brake, run_us);
}

static void brake_learn(struct brake *brake, const struct call *call)
{
  const struct task *task = &call->task;
  int64_t run_ns = task->infer_ns - task->began_ns;
  uint32_t rows = task->batch_rows > task->rows ? task->batch_rows : task->rows;
  brake->row_ns = row_cost_ns(brake->row_ns, run_ns / (rows ? rows : 1));
  run_home(brake, call, run_ns / 1000);
  if (outranked(brake, call)) return; /* it had to wait for them: no jam */
  gradient_answer(&brake->gradient, rows, (task->infer_ns - task->queued_ns) / 1000, run_ns / 1000,
                  in_work_of(brake, call));
}

void brake_home(struct call *call)
{
  struct serve *serve = call->serve;
  struct brake *brake = call->brake;
  struct task *task = &call->task;
  if (task->err.code == E_OVERLOADED)
    task->err.retry_after_ms = retry_spread(&serve->rand, task->backlog_ns / 1000000);
  if (!brake) return;
  must(brake->in_work > 0);
  if (brake->seq == call->version->seq) {
    brake->seen_us[rank_of(call)] = serve->now_us;
    brake->done_ns[rank_of(call)][call->seat] = task->output_ns + task->backlog_ns;
    if (!brake->out[1]) brake->done_ns[1][call->seat] = brake->done_ns[rank_of(call)][call->seat];
    if (task->infer_ns > task->began_ns)
      brake_learn(brake, call);
    else if (task->err.code == E_OVERLOADED && !outranked(brake, call)) /* not of a deadline */
      gradient_shed(&brake->gradient, in_work_of(brake, call));
    gradient_turn(&brake->gradient, serve->now_us, wait_easy_us(brake->span_us),
                  call->version->n_seats, serve->opts.calls_max);
  }
  brake->in_work--;
  brake->out[rank_of(call)]--;
  call->brake = NULL;
  int64_t now = (int64_t)brake->gradient.limit;
  if (now == brake->told || call->version->slot == SLOT_NONE) return;
  tally_slot(serve->tally, call->version->slot)->limit += now - brake->told;
  brake->told = now;
}
