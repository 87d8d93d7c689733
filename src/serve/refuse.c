/* refuse.c - errors to answers.
 * Thread: its loop.
 * SPDX-License-Identifier: MIT */
#include "serve/refuse.h"

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
      .parts = &call->part_one,
      .n_parts = 1,
      .bytes = call->part_one.len,
  };
}
