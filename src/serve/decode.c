/* decode.c - bytes to tensors, as far as that needs no model.
 * Thread: its loop.
 * SPDX-License-Identifier: MIT */
#include "serve/stages_int.h"

static enum code request_read(struct call *call)
{
  struct slice header = http_head_get(call->came.head, FIELD_INFERENCE_LENGTH), json, tail;
  bool raw;
  if (infer_split(call->plain, header, &json, &tail, &raw, &call->err)) return call->err.code;
  call->form = raw ? FORM_RAW : FORM_V2;
  if (raw) return OK; /* its one input follows from the contract */
  return infer_read(&call->arena, json, tail, &call->request, &call->err);
}

enum step decode_stage(struct call *call)
{
  if (call->body.len >= LARGE_BODY_MIN) serve_send(call->serve); /* this takes long */
  if (zip_inflate(call->coding, body_lend(&call->body), call->came.body_max, &call->arena,
                  &call->plain, &call->err))
    return STEP_REPLY;
  size_t grown = call->plain.len > call->body.len ? call->plain.len - call->body.len : 0;
  if (path_more(call, grown, &call->err)) return STEP_REPLY;
  call->form = FORM_V1;
  if (!call->came.v1 && request_read(call)) return STEP_REPLY;
  uint64_t timeout_us = call->request.timeout_us;
  if (timeout_us && timeout_us < INT64_MAX / 2 &&
      (!call->asked_us || (int64_t)timeout_us < call->asked_us))
    call->asked_us = (int64_t)timeout_us;
  /* 1 is the highest, 0 what is normal. CONTROL, which no header can say: none was there. */
  if (call->class == CLASS_CONTROL)
    call->class = call->request.priority > 1 ? CLASS_BATCH : CLASS_INTERACTIVE;
  return STEP_NEXT;
}
