/* infer_pb_fuzz.c - ModelInferRequests; a copy at an odd address must read the same, and what was
 * read must go out as a ModelInferResponse with the same tensors.
 * Thread: own process.
 * SPDX-License-Identifier: MIT */
#include "wire/infer/infer_pb.h"

#include "base/mem.h"
#include "must_hold.h"
#include "wire/pb.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FRONT = 5, RESPONSE_OUTPUT = 5, RESPONSE_RAW = 6 };

/* The message has an output and a raw entry for each tensor, in order. */
static void response_must_have(struct slice message, const struct infer_request *request)
{
  struct pb pb = pb_of(message);
  struct pb_field field;
  uint32_t outputs = 0, raws = 0;
  while (pb_next(&pb, &field)) {
    if (field.number == RESPONSE_OUTPUT) outputs++;
    if (field.number != RESPONSE_RAW) continue;
    const struct tensor *tensor = &request->inputs[raws++];
    must(slice_eq(field.bytes, slice_of(tensor->data, tensor->bytes)));
  }
  must(pb.at == pb.end && outputs == request->n_inputs && raws == outputs);
}

static void answer_must_fit(struct arena *arena, const struct infer_request *request)
{
  struct infer_output outputs[TENSORS_MAX];
  struct infer_pb_body body;
  struct err err;
  for (uint32_t i = 0; i < request->n_inputs; i++)
    outputs[i] = (struct infer_output){.tensor = &request->inputs[i], .form = INFER_BINARY};
  struct infer_answer answer = {.id = request->id,
                                .parameters = SLICE("{\"a\":1,\"b\":\"c\",\"d\":1e-3}"),
                                .outputs = outputs,
                                .n_outputs = request->n_inputs};
  if (infer_pb_write(arena, &answer, FRONT, &body, &err) != OK) return;
  char *whole = grab(body.bytes + FRONT), *to = whole;
  for (uint32_t i = 0; i < body.n_parts; i++) {
    must(to + body.parts[i].len <= whole + body.bytes + FRONT);
    memcpy(to, body.parts[i].at, body.parts[i].len);
    to += body.parts[i].len;
  }
  must(to == whole + body.bytes + FRONT);
  response_must_have(slice_of(whole + FRONT, body.bytes), request);
  ungrab(whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct arena arena;
  struct infer_request request, again;
  struct infer_pb_target target;
  struct err err = {0};
  struct slice message = slice_of((const char *)data, size);
  arena_init(&arena, 32 * size + (1 << 20), NULL);
  enum code code = infer_pb_read(&arena, message, &target, &request, &err);
  must(code == err.code && (code == OK) == !err.text[0]);
  if (code == OK) {
    tensors_must_hold(&request);
    answer_must_fit(&arena, &request);
    char *odd = grab(size + 17);
    if (size) memcpy(odd + 1, data, size);
    must(infer_pb_read(&arena, slice_of(odd + 1, size), &target, &again, &err) == OK);
    tensors_must_hold(&again);
    tensors_must_equal(&again, &request);
    ungrab(odd);
  }
  arena_deinit(&arena);
  return 0;
}
