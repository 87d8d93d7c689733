/* path.c - the table of stages and its runner.
 * Thread: its loop.
 * SPDX-License-Identifier: MIT */
#include "serve/path.h"

#include "base/clock.h"
#include "serve/refuse.h"
#include "serve/stages_int.h"

static const struct stage {
  const char *name;
  enum step (*run)(struct call *call);
} path[] = {
    {"find", find_stage},     /* which model, which version?       */
    {"media", media_stage},   /* in a form that we read?           */
    {"admit", admit_stage},   /* may they, now?                    */
    {"body", body_stage},     /* is all of it here?                */
    {"decode", decode_stage}, /* bytes to tensors                  */
    {"choose", choose_stage}, /* which version answers?            */
    {"wake", wake_stage},     /* is that in memory?                */
    {"check", check_stage},   /* do the tensors fit its contract?  */
    {"recall", recall_stage}, /* is the answer known?              */
    {"limit", limit_stage},   /* would it be its turn in time?     */
    {"submit", submit_stage}, /* a task letter to its lane         */
    {"encode", encode_stage}, /* tensors to bytes                  */
    {"record", record_stage}, /* count it                          */
};
enum { STAGES = sizeof path / sizeof *path };

static enum step stage_run(struct call *call, const struct stage *stage)
{
  if (call->body.len < LARGE_BODY_MIN) return stage->run(call);
  struct serve *serve = call->serve;
  int64_t began_ns = clock_ns();
  enum step step = stage->run(call); /* after STEP_WAIT the call is somebody else's */
  int64_t took_ns = clock_ns() - began_ns;
  if (took_ns > serve->slow_ns) {
    serve->slow_ns = took_ns;
    serve->slow_stage = stage->name;
  }
  return step;
}

static enum step path_fail(struct call *call)
{
  /* Refused by us and never lent: nothing but the refusal was worked on. */
  if (recall_owes(call)) recall_end(call);
  if (code_retry(call->err.code) && !call->task.home) take_back(&call->taken);
  refuse(call);
  record_stage(call);
  call->state = CALL_DONE;
  return STEP_REPLY;
}

/* What is known already goes out as if it had just come from its lane. */
static void skip_to_encode(struct call *call)
{
  while (path[call->stage].run != encode_stage) call->stage++;
}

static enum step path_run(struct call *call)
{
  while (call->stage < STAGES) {
    must(call->state == CALL_OPEN);
    switch (stage_run(call, &path[call->stage++])) {
      case STEP_NEXT: continue;
      case STEP_ANSWER: skip_to_encode(call); continue;
      case STEP_AGAIN: call->stage--; return STEP_WAIT;
      case STEP_WAIT: return STEP_WAIT;
      case STEP_REPLY: return path_fail(call);
    }
  }
  call->state = CALL_DONE;
  return STEP_REPLY;
}

/* Nobody waits for this call's own answer; its run goes on where others wait for that. */
static void task_unwanted(struct call *call)
{
  if (!recall_unwanted(call)) return;
  atomic_store_explicit(&call->task.gone, true, memory_order_relaxed);
  brake_left(call);
}

enum step path_begin(struct serve *serve, struct call *call, const struct call_came *came,
                     const struct arena *head)
{
  memset(call, 0, offsetof(struct call, error_json));
  must(came->request_id.len <= sizeof call->request_id);
  call->state = CALL_OPEN;
  call->serve = serve;
  call->came = *came;
  call->client = came->client;
  call->arena = *head;
  call->arena.max = serve->opts.call_bytes_max;
  call->model_name = came->model_name;
  memcpy(call->request_id, came->request_id.at, came->request_id.len);
  call->request_id_len = (uint8_t)came->request_id.len;
  call->began_us = serve->now_us;
  call->lease = lease_take(serve);
  call->world = call->lease ? call->lease->letter->world : NULL;
  serve->calls++;
  return path_run(call);
}

enum step path_body(struct call *call, struct slice piece)
{
  must(call->state == CALL_BODY);
  if (path_more(call, piece.len, &call->err) ||
      body_add(&call->body, &call->arena, piece, &call->err))
    return path_fail(call);
  return STEP_WAIT;
}

enum step path_resume(struct call *call)
{
  if (call->state == CALL_LENT) {
    list_remove(&call->link);
    record_home(call);
    if (recall_owes(call)) recall_home(call);
  } else if (call->state == CALL_WAKING || call->state == CALL_FOLLOWS) {
    list_remove(&call->link);
  } else {
    must(call->state == CALL_BODY || call->state == CALL_ASKS);
  }
  call->state = CALL_OPEN;
  return path_run(call);
}

enum code path_more(struct call *call, size_t n, struct err *err)
{
  struct allowed allowed = call_allowed(call);
  uint64_t held = call->bytes_counted + n;
  if (take_bytes(&call->taken, &allowed, held, call->serve->now_us, err)) return err->code;
  if (budget_take(call->serve->opts.bodies, n, err)) return err->code;
  call->bytes_counted += n;
  return OK;
}

bool path_leave(struct call *call)
{
  must(call->state == CALL_BODY || call->state == CALL_WAKING || call->state == CALL_LENT ||
       call->state == CALL_FOLLOWS || call->state == CALL_ASKS);
  call->client = NULL;
  fail(&call->err, E_CANCELLED, "the client went away");
  record_stage(call);
  if (call->state == CALL_BODY) return true;
  if (call->state == CALL_ASKS) {
    recall_unasked(call);
    call->state = CALL_DONE;
    return true;
  }
  list_remove(&call->link);
  bool follows = call->state == CALL_FOLLOWS;
  if (call->state == CALL_WAKING || (follows && recall_leave(call))) {
    call->state = CALL_DONE;
    return true;
  }
  if (!follows) task_unwanted(call);
  call->state = CALL_GONE;
  return false;
}

void path_late(struct call *call)
{
  must(call->state == CALL_LENT || call->state == CALL_FOLLOWS);
  call->client = NULL;
  list_remove(&call->link);
  fail(&call->err, E_DEADLINE_EXCEEDED,
       "the model did not answer within the deadline; send less at once or allow more time");
  refuse(call);
  record_stage(call);
  bool follows = call->state == CALL_FOLLOWS;
  if (!follows) task_unwanted(call);
  call->state = follows && recall_leave(call) ? CALL_DONE : CALL_GONE;
}

void path_gone_home(struct call *call)
{
  must(call->state == CALL_GONE);
  if (call->recall.follows) {
    recall_gone(call);
  } else {
    record_home(call);
    if (recall_owes(call)) recall_home(call);
  }
  call->state = CALL_DONE;
}

uint64_t path_pin(struct call *call, struct arena *arena, struct arena *scratch,
                  struct shadow **shadow, struct hold *hold)
{
  must(call->state == CALL_DONE);
  *shadow = shadow_begin(call);
  uint64_t counted = call->bytes_counted;
  *arena = call->arena;
  *scratch = call->scratch;
  arena_init(&call->arena, 0, NULL);
  arena_init(&call->scratch, 0, NULL);
  call->bytes_counted = 0;
  take_hold(&call->taken, hold);
  return counted;
}

void path_end(struct call *call)
{
  must(call->state == CALL_DONE || call->state == CALL_BODY);
  struct serve *serve = call->serve;
  struct shadow *shadow = shadow_begin(call);
  if (shadow) shadow_memory(shadow, &call->arena, &call->scratch);
  scratch_rest(serve, &call->scratch);
  arena_deinit(&call->arena);
  budget_give(serve->opts.bodies, call->bytes_counted);
  take_end(&call->taken);
  crowd_leave(call);
  serve->calls--;
  lease_drop(serve, call->lease);
  call->lease = NULL;
  call->state = CALL_FREE;
}
