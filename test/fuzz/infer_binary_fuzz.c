/* infer_binary_fuzz.c - bodies with binary tensors. The input is the header's value, a newline and
 * the body; a copy at an odd address must read the same.
 * Thread: own process.
 * SPDX-License-Identifier: MIT */
#include "base/mem.h"
#include "must_hold.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct tensor_spec raws[] = {
    {.name = SLICE("x"), .dtype = DT_FP32, .shape = {3, {-1, 2, -1}}},
    {.name = SLICE("x"), .dtype = DT_BYTES, .shape = {2, {-1, 1}}},
    {.name = SLICE("x"), .dtype = DT_BOOL, .shape = {1, {-1}}},
    {.name = SLICE("x"), .dtype = DT_INT16, .shape = {2, {3, 4}}},
};

/* Every output binary: the answer's parts are the tensors. */
static void answer_must_fit(struct arena *arena, const struct infer_request *request)
{
  struct infer_output outputs[TENSORS_MAX];
  struct infer_body body;
  struct err err;
  size_t bytes = 0;
  for (uint32_t i = 0; i < request->n_inputs; i++) {
    outputs[i] = (struct infer_output){.tensor = &request->inputs[i], .form = INFER_BINARY};
    bytes += request->inputs[i].bytes;
  }
  struct infer_answer answer = {.outputs = outputs, .n_outputs = request->n_inputs};
  if (infer_write(arena, &answer, &body, &err) != OK) return;
  must(body.bytes == body.json.len + bytes && body.binary == (bytes != 0));
}

static enum code body_read(struct arena *arena, struct slice header, struct slice body,
                           struct infer_request *request, struct err *err)
{
  struct slice json, tail;
  bool raw;
  enum code code = infer_split(body, header, &json, &tail, &raw, err);
  if (code != OK) return code;
  if (!raw) return infer_read(arena, json, tail, request, err);
  struct contract contract = {
      .inputs = &raws[body.len % 4], .n_inputs = 1, .batches = body.len & 4};
  return infer_raw(arena, &contract, tail, request, err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct arena arena;
  struct infer_request request = {0}, again = {0};
  struct err err = {0};
  struct slice body = slice_of((const char *)data, size), header = SLICE_NONE;
  const char *line = size ? memchr(data, '\n', size) : NULL;
  if (line) {
    header = slice_of(body.at, (size_t)(line - body.at));
    body = slice_from(body, header.len + 1);
  }
  arena_init(&arena, 16 * size + (1 << 20), NULL);
  enum code code = body_read(&arena, header, body, &request, &err);
  must(code == err.code && (code == OK) == !err.text[0]);
  if (code == OK) {
    tensors_must_hold(&request);
    answer_must_fit(&arena, &request);
    char *odd = grab(body.len + 17);
    if (body.len) memcpy(odd + 1, body.at, body.len);
    must(body_read(&arena, header, slice_of(odd + 1, body.len), &again, &err) == OK);
    tensors_must_hold(&again);
    tensors_must_equal(&again, &request);
    ungrab(odd);
  }
  arena_deinit(&arena);
  return 0;
}
