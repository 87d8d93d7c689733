/* refuse.c - errors to answers.
 * Thread: its loop.
 * SPDX-License-Identifier: MIT */
#include "serve/refuse.h"

#include "serve/stages_int.h"

enum { RETRY_MS_MIN = 20, RETRY_MS_MAX = 60000 };

static const char *call_arm_name(const struct call *call)
{
  const struct model *model = call->model;
  if (call->version == model->stable) return arm_name(ARM_STABLE);
  return call->arm ? arm_name((uint32_t)(call->arm - model->arms)) : NULL;
}

void answer_sign(struct call *call)
{
  struct answer *answer = &call->answer;
  if (!call->version) return;
  answer->model = call->model_name;
  answer->version =
      slice_of(call->version_digits, text_print_u64(call->version_digits, call->version->number));
  answer->arm = call_arm_name(call);
  answer->release = call->split ? call->split->number : 0;
}

uint32_t retry_spread(struct rand *rand, int64_t ms)
{
  if (ms < RETRY_MS_MIN) ms = RETRY_MS_MIN;
  if (ms > RETRY_MS_MAX) ms = RETRY_MS_MAX;
  return (uint32_t)((double)ms * rand_fifth(rand_unit(rand)));
}

void refuse(struct call *call)
{
  must(call->err.code != OK);
  call->part_one =
      slice_of(call->error_json, err_json(call->error_json, &call->err, call_id(call)));
  call->answer = (struct answer){
      .status = code_http(call->err.code),
      .code = call->err.code,
      .content_type = "application/json",
      .accept_encoding = call->answer.accept_encoding,
      .retry_after_s = err_retry_s(&call->err),
      .retry_after_ms = call->err.retry_after_ms,
      .parts = &call->part_one,
      .n_parts = 1,
      .bytes = call->part_one.len,
  };
  answer_sign(call);
}
