/* encode.c - the lane's tensors, or its error, to bytes.
 * Thread: its loop.
 * SPDX-License-Identifier: MIT */
#include "serve/stages_int.h"

static enum code v1_write(struct call *call)
{
  struct answer *answer = &call->answer;
  if (predict_write(&call->arena, call->predict, call->task.outputs,
                    call->version->contract.n_outputs, &call->part_one, &call->err))
    return call->err.code;
  answer->content_type = "application/json";
  answer->parts = &call->part_one;
  answer->n_parts = 1;
  answer->bytes = call->part_one.len;
  return OK;
}

/* What slipway_debug asks for. Source: overload rules, section 3. NULL: the arena is full. */
static const char *debug_text(struct call *call)
{
  const struct answer *answer = &call->answer;
  const struct task *task = &call->task;
  const char *cache = answer->cache ? answer->cache : call->recall.ns ? "miss" : "off";
  const char *arm = answer->arm ? answer->arm : "none";
  char *said = arena_print(&call->arena, "\"version\":\"%.*s\",\"arm\":\"%s\",\"cache\":\"%s\"",
                           SLICE_ARG(answer->version), arm, cache);
  if (!said || answer->cache) return said ? arena_print(&call->arena, "{%s}", said) : NULL;
  return arena_print(&call->arena,
                     "{%s,\"queue_us\":%lld,\"batch_rows\":%u,\"compute_us\":%lld,"
                     "\"cost_us\":%lld}",
                     said, (long long)(task->began_ns - task->queued_ns) / 1000, task->batch_rows,
                     (long long)(task->infer_ns - task->input_ns) / 1000,
                     (long long)task_cost_ns(task) / 1000);
}

static enum code v2_write(struct call *call)
{
  struct answer *answer = &call->answer;
  struct infer_answer reply = {
      .model_name = call->model_name, .model_version = answer->version, .id = call->request.id};
  struct infer_body body;
  if (call->request.debug) reply.parameters = slice_str(debug_text(call));
  if (infer_pick(&call->arena, &call->version->contract, &call->request, call->task.outputs, &reply,
                 &call->err))
    return call->err.code;
  if (infer_write(&call->arena, &reply, &body, &call->err)) return call->err.code;
  answer->content_type = body.binary ? "application/octet-stream" : "application/json";
  answer->has_json_length = body.binary;
  answer->json_length = body.json.len;
  answer->bytes = body.bytes;
  answer->parts = &call->part_one;
  answer->n_parts = 1;
  call->part_one = body.json;
  if (body.n_parts == 0) return OK;
  struct slice *parts = arena_get(&call->arena, (body.n_parts + 1) * sizeof *parts);
  if (!parts)
    return fail(&call->err, E_OUT_OF_MEMORY, "the answer needs more memory than one may have");
  parts[0] = body.json;
  memcpy(parts + 1, body.parts, body.n_parts * sizeof *parts);
  answer->parts = parts;
  answer->n_parts = body.n_parts + 1;
  return OK;
}

/* Answers of inference alone are compressed, only when asked, only when worth it, and not while
 * the memory for bodies is nearly spent. */
static void answer_zip(struct call *call)
{
  struct answer *answer = &call->answer;
  const struct budget *bodies = call->serve->opts.bodies;
  struct slice out;
  if (call->answer_coding == ZIP_IDENTITY || answer->bytes < ZIP_ANSWER_MIN) return;
  if (bodies->held > bodies->max / 4 * 3) return;
  if (zip_deflate(call->answer_coding, answer->parts, answer->n_parts, &call->arena, &out, NULL))
    return;
  if (!out.at) return;
  call->part_one = out;
  answer->parts = &call->part_one;
  answer->n_parts = 1;
  answer->bytes = out.len;
  answer->encoding = zip_coding_name(call->answer_coding);
}

enum step encode_stage(struct call *call)
{
  if (call->task.err.code != OK) {
    call->err = call->task.err;
    return STEP_REPLY;
  }
  call->answer = (struct answer){.status = 200};
  answer_sign(call);
  if (call->recall.how != RECALL_NOT)
    call->answer.cache = call->recall.how == RECALL_HIT ? "hit" : "shared";
  if (call->form == FORM_V1 ? v1_write(call) : v2_write(call)) return STEP_REPLY;
  answer_zip(call);
  return STEP_NEXT;
}
