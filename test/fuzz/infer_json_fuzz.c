/* infer_json_fuzz.c - JSON bodies through the whole codec. The first byte picks what happens to the
 * rest: V2 read, bind, pick and write, what is written reading back as JSON; or V1 the same way.
 * Thread: own process.
 * SPDX-License-Identifier: MIT */
#include "must_hold.h"
#include "wire/json.h"
#include "wire/infer/predict_v1.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct slice labels[] = {SLICE("cat"), SLICE("dog \"x\"")};
static const struct tensor_spec specs[] = {
    {.name = SLICE("x"), .dtype = DT_FP32, .shape = {2, {-1, 2}}, .labels = labels, .n_labels = 2},
    {.name = SLICE("k"), .dtype = DT_INT64, .shape = {1, {-1}}, .optional = true},
    {.name = SLICE("t"), .dtype = DT_BYTES, .rank_free = true, .optional = true},
};
static const struct tensor_spec texts[] = {
    {.name = SLICE("t"), .dtype = DT_BYTES, .rank_free = true}};
static const struct tensor_spec anys[] = {
    {.name = SLICE("x"), .dtype = DT_FP32, .rank_free = true}};

static void json_must_parse(struct arena *arena, struct slice text)
{
  struct json json;
  struct err err;
  json_init(&json, arena, text, &err);
  must(json_skip(&json, NULL) == OK || json.code == E_JSON_TOO_DEEP ||
       json.code == E_OUT_OF_MEMORY);
}

/* The inputs go out again as outputs: the model is the identity. */
static void v2(struct arena *arena, const struct contract *contract, struct slice json)
{
  struct infer_request request;
  struct infer_answer answer = {.model_name = SLICE("m"), .model_version = SLICE("1")};
  struct infer_body body;
  struct err err = {0};
  uint64_t rows;
  enum code code = infer_read(arena, json, SLICE_NONE, &request, &err);
  must(code == err.code && (code == OK) == !err.text[0]);
  if (code != OK) return;
  tensors_must_hold(&request);
  if (infer_bind(arena, contract, &request, &rows, &err) != OK) return;
  tensors_must_hold(&request);
  for (uint32_t i = 0; i < request.n_inputs; i++)
    if (request.inputs[i].dtype == DT_NONE)
      request.inputs[i] =
          (struct tensor){.name = specs[i].name, .dtype = specs[i].dtype, .shape = {1, {0}}};
  must(infer_pick(arena, contract, &request, request.inputs, &answer, &err) == OK);
  answer.id = request.id;
  if (infer_write(arena, &answer, &body, &err) == OK) json_must_parse(arena, body.json);
}

static void v1(struct arena *arena, const struct contract *contract, struct slice json)
{
  struct infer_request request;
  enum predict_form form;
  struct err err = {0};
  struct slice out;
  enum code code = predict_read(arena, contract, json, &request, &form, &err);
  must(code == err.code && (code == OK) == !err.text[0]);
  if (code != OK) return;
  tensors_must_hold(&request);
  if (predict_write(arena, form, request.inputs, request.n_inputs, &out, &err) == OK)
    json_must_parse(arena, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size == 0) return 0;
  struct arena arena;
  struct slice json = slice_of((const char *)data + 1, size - 1);
  struct contract contract = {.inputs = specs,
                              .outputs = specs,
                              .n_inputs = 3,
                              .n_outputs = 3,
                              .batches = (data[0] & 8) != 0};
  if ((data[0] & 6) == 2) contract.inputs = contract.outputs = texts;
  if ((data[0] & 6) == 4) contract.inputs = contract.outputs = anys;
  if ((data[0] & 6) == 2 || (data[0] & 6) == 4) contract.n_inputs = contract.n_outputs = 1;
  arena_init(&arena, 16 * size + (4 << 20), NULL);
  if (data[0] & 1)
    v1(&arena, &contract, json);
  else
    v2(&arena, &contract, json);
  arena_deinit(&arena);
  return 0;
}
