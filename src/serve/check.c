/* check.c - do the tensors fit the contract of the version that answers; which outputs are wanted.
 * Thread: its loop.
 * SPDX-License-Identifier: MIT */
#include "serve/stages_int.h"

enum step check_stage(struct call *call)
{
  const struct contract *contract = &call->version->contract;
  struct infer_request *request = &call->request;
  enum code code = OK;
  if (call->form == FORM_V1)
    code = predict_read(&call->arena, contract, call->plain, request, &call->predict, &call->err);
  else if (call->form == FORM_RAW)
    code = infer_raw(&call->arena, contract, call->plain, request, &call->err);
  if (code == OK) code = infer_bind(&call->arena, contract, request, &call->rows, &call->err);
  if (code != OK) return STEP_REPLY;
  uint32_t rows_max = call->version->batch.rows_max;
  if (contract->batches && rows_max && call->rows > rows_max) {
    fail(&call->err, E_INVALID_ARGUMENT,
         "the request has %llu rows, the model takes at most %u at once: send several requests",
         (unsigned long long)call->rows, rows_max);
    return STEP_REPLY;
  }
  struct serve *serve = call->serve;
  struct allowed allowed = call_allowed(call);
  if (take_rows(&call->taken, &allowed, serve->now_us, call->rows, &serve->rand,
                &call->err))
    return STEP_REPLY;

  must(contract->n_outputs <= TENSORS_MAX);
  uint64_t wanted = 0;
  for (uint32_t i = 0; i < request->n_outputs; i++)
    wanted |= UINT64_C(1) << request->outputs[i].index;
  if (request->n_outputs == 0)
    wanted = contract->n_outputs == 64 ? UINT64_MAX : (UINT64_C(1) << contract->n_outputs) - 1;
  call->task.wanted = wanted;
  return STEP_NEXT;
}
