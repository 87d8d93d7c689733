/* admit.c - whether a call may go on now, decided before a byte of its body is taken in; and
 * the wait for that body.
 * Thread: its loop.
 * The cheapest test first: what the tenant may, then what this loop has room for.
 * The pool of calls was asked already: whoever is here has a place. Left is memory: bodies are
 * counted as they arrive (path_more), so a client that only announces a large one holds nothing.
 * SPDX-License-Identifier: MIT */
#include "serve/stages_int.h"

enum { BODY_SURE = 1 << 20 };

bool pressure_refuses(struct call *call)
{
  const struct serve *serve = call->serve;
  bool batch = call->class == CLASS_BATCH && serve_presses(serve, ACTION_NO_BATCH);
  if (!batch && !serve_presses(serve, ACTION_REFUSE)) return false;
  call->counts = false;
  fail(&call->err, E_OVERLOADED,
       batch ? "the server is short of memory or time and takes no requests of class batch; retry "
               "later"
             : "the server is short of memory and takes no predictions; retry in a moment");
  return true;
}

/* The version that answers, whatever the body says; NULL: the lot will tell, or stable may stand
 * in. */
static const struct version *version_sure(const struct call *call)
{
  if (call->version) return call->version->fallback ? NULL : call->version;
  return call->model->release ? NULL : call->model->stable;
}

enum step admit_stage(struct call *call)
{
  uint64_t length = call->came.head->content_length;
  uint64_t soon = length < BODY_SURE ? length : BODY_SURE;
  struct serve *serve = call->serve;
  struct allowed allowed = call_allowed(call);
  if (pressure_refuses(call)) return STEP_REPLY;
  const struct version *sure = version_sure(call);
  if (!crowd_enter(call)) return STEP_REPLY;
  if (sure && !breaker_lets(serve, sure)) return breaker_refuse(call, sure);
  if (take_request(&call->taken, &allowed, serve->now_us, length, &serve->rand,
                   &call->err))
    return STEP_REPLY;
  if (sure && brake_early(call, sure)) return STEP_REPLY;
  /* Asked, not taken: only what arrives is held. */
  return budget_check(call->serve->opts.bodies, soon, &call->err) ? STEP_REPLY : STEP_NEXT;
}

/* 0 where it is no number: the decoder refuses that, and says more. */
static uint64_t json_length(struct slice header)
{
  uint64_t n = 0;
  return text_read_u64(header, INT64_MAX, &n) ? n : 0;
}

enum step body_stage(struct call *call)
{
  const struct http_head *head = call->came.head;
  uint64_t bytes = head->chunked ? BODY_UNKNOWN : head->content_length;
  uint64_t json = json_length(http_head_get(head, FIELD_INFERENCE_LENGTH));
  if (body_init(&call->body, &call->arena, bytes, json, &call->err)) return STEP_REPLY;
  call->state = CALL_BODY;
  return STEP_WAIT;
}
