/* infer_bind_test.c - requests against a contract, raw requests, and picking outputs.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "wire/infer/infer.h"

#include "test.h"

static struct arena arena;
static struct infer_request request;
static struct err err;
static uint64_t rows;

static struct tensor_spec inputs[3] = {
    {.name = SLICE("x"), .dtype = DT_FP32, .shape = {2, {-1, 2}}},
    {.name = SLICE("k"), .dtype = DT_INT64, .shape = {1, {-1}}},
    {.name = SLICE("opt"), .dtype = DT_BYTES, .shape = {1, {-1}}, .optional = true},
};
static struct tensor_spec outputs[3] = {
    {.name = SLICE("y"), .dtype = DT_FP32, .shape = {2, {-1, 3}}},
    {.name = SLICE("h"), .dtype = DT_FP16, .shape = {1, {-1}}},
    {.name = SLICE("s"), .dtype = DT_BYTES, .shape = {1, {-1}}},
};
static struct contract contract = {
    .inputs = inputs, .outputs = outputs, .n_inputs = 3, .n_outputs = 1, .batches = true};

#define X   "{\"name\":\"x\",\"shape\":[2,2],\"datatype\":\"FP32\",\"data\":[1,2,3,4]}"
#define K   "{\"name\":\"k\",\"shape\":[2],\"datatype\":\"INT64\",\"data\":[5,6]}"
#define OPT "{\"name\":\"opt\",\"shape\":[2],\"datatype\":\"BYTES\",\"data\":[\"a\",\"b\"]}"

static enum code bind(const char *json)
{
  arena_deinit(&arena);
  arena_init(&arena, 1 << 20, NULL);
  err = (struct err){0};
  EXPECT_INT(infer_read(&arena, slice_str(json), SLICE_NONE, &request, &err), OK);
  return infer_bind(&arena, &contract, &request, &rows, &err);
}

static void expect_fail(const char *json, enum code want, const char *field, const char *text)
{
  EXPECT_STR(code_name(bind(json)), code_name(want));
  EXPECT_STR(err.field, field);
  if (text) EXPECT_STR(err.text, text);
}

TEST(bind_puts_inputs_in_order)
{
  EXPECT_INT(bind("{\"inputs\":[" K "," X "]}"), OK);
  EXPECT_INT(request.n_inputs, 3);
  EXPECT(slice_eq(request.inputs[0].name, SLICE("x")) &&
         slice_eq(request.inputs[1].name, SLICE("k")));
  EXPECT_INT(request.inputs[2].dtype, DT_NONE);
  EXPECT_INT(rows, 2);
  EXPECT_INT(bind("{\"inputs\":[" OPT "," K "," X "],\"outputs\":[{\"name\":\"y\"}]}"), OK);
  EXPECT_INT(request.inputs[2].dtype, DT_BYTES);
  EXPECT_INT(request.outputs[0].index, 0);
}

TEST(JS_106_unknown_and_missing)
{
  expect_fail("{\"inputs\":[" X "]}", E_INVALID_ARGUMENT, "inputs", "input \"k\" is missing");
  expect_fail(
      "{\"inputs\":[" X "," K ",{\"name\":\"z\",\"shape\":[0],\"datatype\":\"FP32\",\"data\":[]}]}",
      E_UNKNOWN_TENSOR, "inputs[2].name", "the model has no input \"z\"; it takes 3: \"x\", ...");
  expect_fail("{\"inputs\":[" X "," K "],\"outputs\":[{\"name\":\"q\"}]}", E_UNKNOWN_TENSOR,
              "outputs[0]", "the model has no output \"q\"");
}

TEST(bind_checks_shape_datatype_and_rows)
{
  expect_fail("{\"inputs\":[" K
              ",{\"name\":\"x\",\"shape\":[2,3],\"datatype\":\"FP32\",\"data\":[1,2,3,4,5,6]}]}",
              E_BAD_SHAPE, "inputs[1].shape",
              "tensor \"x\" has shape [2,3], the model wants [-1,2]");
  expect_fail("{\"inputs\":[" K
              ",{\"name\":\"x\",\"shape\":[2,2],\"datatype\":\"FP64\",\"data\":[1,2,3,4]}]}",
              E_BAD_DATATYPE, "inputs[1].datatype", "tensor \"x\" is FP64, the model wants FP32");
  expect_fail("{\"inputs\":[" K
              ",{\"name\":\"x\",\"shape\":[1,2],\"datatype\":\"FP32\",\"data\":[1,2]}]}",
              E_BAD_SHAPE, "inputs[1].shape", "input \"x\" has 1 rows, input \"k\" has 2");
  contract.batches = false;
  EXPECT_INT(bind("{\"inputs\":[" K
                  ",{\"name\":\"x\",\"shape\":[1,2],\"datatype\":\"FP32\",\"data\":[1,2]}]}"),
             OK);
  EXPECT_INT(rows, 1);
  contract.batches = true;
}

TEST(bind_refuses_half_floats_as_json)
{
  contract.n_outputs = 3;
  expect_fail("{\"inputs\":[" X "," K "]}", E_BAD_DATATYPE, "",
              "output \"h\" is FP16, which travels binary only; ask for it with binary_data true");
  EXPECT_INT(bind("{\"inputs\":[" X "," K "],\"parameters\":{\"binary_data_output\":true}}"), OK);
  EXPECT_INT(bind("{\"inputs\":[" X "," K "],\"outputs\":[{\"name\":\"s\"}]}"), OK);
  EXPECT_INT(bind("{\"inputs\":[" X "," K "],\"outputs\":[{\"name\":\"h\",\"parameters\":"
                  "{\"binary_data\":true}}]}"),
             OK);
  EXPECT_INT(bind("{\"inputs\":[" X "," K "],\"outputs\":[{\"name\":\"h\",\"parameters\":"
                  "{\"classification\":1}}]}"),
             OK);
  expect_fail("{\"inputs\":[" X "," K
              "],\"parameters\":{\"binary_data_output\":true},"
              "\"outputs\":[{\"name\":\"h\",\"parameters\":{\"binary_data\":false}}]}",
              E_BAD_DATATYPE, "outputs[0]", NULL);
  expect_fail("{\"inputs\":[" X "," K
              "],\"outputs\":[{\"name\":\"s\",\"parameters\":"
              "{\"classification\":1}}]}",
              E_BAD_DATATYPE, "outputs[0]", "output \"s\" is BYTES, it has no classes");
  contract.n_outputs = 1;
}

TEST(pick_follows_the_order_asked)
{
  static const struct slice labels[] = {SLICE("cat")};
  struct infer_answer answer = {0};
  contract.n_outputs = 3;
  outputs[0].labels = labels;
  outputs[0].n_labels = 1;
  struct tensor tensors[3] = {{.name = SLICE("y")}, {.name = SLICE("h")}, {.name = SLICE("s")}};
  EXPECT_INT(
      bind("{\"inputs\":[" X "," K "],\"parameters\":{\"binary_data_output\":true},\"outputs\":["
           "{\"name\":\"s\",\"parameters\":{\"binary_data\":false}},{\"name\":\"y\",\"parameters\":"
           "{\"classification\":2}}]}"),
      OK);
  EXPECT_INT(infer_pick(&arena, &contract, &request, tensors, &answer, &err), OK);
  EXPECT_INT(answer.n_outputs, 2);
  EXPECT(answer.outputs[0].tensor == &tensors[2] && answer.outputs[0].form == INFER_JSON);
  EXPECT(answer.outputs[1].tensor == &tensors[0] && answer.outputs[1].form == INFER_BINARY);
  EXPECT(answer.outputs[1].classification == 2 && answer.outputs[1].labels == labels);
  EXPECT_INT(bind("{\"inputs\":[" X "," K "],\"parameters\":{\"binary_data_output\":true}}"), OK);
  EXPECT_INT(infer_pick(&arena, &contract, &request, tensors, &answer, &err), OK);
  EXPECT_INT(answer.n_outputs, 3);
  EXPECT(answer.outputs[1].tensor == &tensors[1] && answer.outputs[1].form == INFER_BINARY);
  contract.n_outputs = 1;
  outputs[0].labels = NULL;
}

/* ---- raw */

static enum code raw(enum dtype dtype, struct shape shape, bool batches, struct slice body)
{
  static struct tensor_spec spec;
  struct contract one = {
      .inputs = &spec, .outputs = outputs, .n_inputs = 1, .n_outputs = 1, .batches = batches};
  spec = (struct tensor_spec){.name = SLICE("x"), .dtype = dtype, .shape = shape};
  arena_deinit(&arena);
  arena_init(&arena, 1 << 20, NULL);
  enum code code = infer_raw(&arena, &one, body, &request, &err);
  if (code == OK) EXPECT_INT(infer_bind(&arena, &one, &request, &rows, &err), OK);
  return code;
}

TEST(raw_requests)
{
  static _Alignas(16) const char zeros[64];
  struct slice eight = slice_of(zeros, 8);
  EXPECT_INT(raw(DT_FP32, (struct shape){2, {-1, 2}}, true, eight), OK);
  EXPECT(request.inputs[0].shape.dims[0] == 1 && request.inputs[0].shape.dims[1] == 2);
  EXPECT(request.binary_data_output && request.inputs[0].data == zeros && rows == 1);
  EXPECT_INT(raw(DT_FP32, (struct shape){2, {-1, -1}}, true, eight), OK);
  EXPECT(request.inputs[0].shape.dims[0] == 1 && request.inputs[0].shape.dims[1] == 2);
  EXPECT_INT(raw(DT_INT8, (struct shape){3, {-1, 2, -1}}, true, eight), OK);
  EXPECT_INT(request.inputs[0].shape.dims[2], 4);
  EXPECT_INT(raw(DT_FP32, (struct shape){1, {-1}}, false, eight), OK);
  EXPECT_INT(request.inputs[0].count, 2);
  EXPECT_INT(raw(DT_FP32, (struct shape){1, {-1}}, false, SLICE_NONE), OK);
  EXPECT_INT(request.inputs[0].count, 0);
  EXPECT_INT(raw(DT_FP32, (struct shape){0, {0}}, false, slice_of(zeros, 4)), OK);
  EXPECT_INT(raw(DT_FP32, (struct shape){2, {-1, -1}}, false, eight), E_BAD_SHAPE);
  EXPECT_INT(raw(DT_FP32, (struct shape){2, {-1, 3}}, true, eight), E_BAD_SIZE);
  EXPECT_INT(raw(DT_FP32, (struct shape){2, {-1, 3}}, false, eight), E_BAD_SIZE);
  EXPECT_INT(raw(DT_FP32, (struct shape){2, {-1, 0}}, false, eight), E_BAD_SIZE);
  EXPECT_INT(raw(DT_BOOL, (struct shape){1, {-1}}, false, SLICE("\1\2")), E_VALUE_OUT_OF_RANGE);
}

TEST(raw_bytes)
{
  size_t at = 0;
  EXPECT_INT(raw(DT_BYTES, (struct shape){2, {-1, 1}}, true, SLICE("hello")), OK);
  EXPECT(request.inputs[0].count == 1 && request.inputs[0].bytes == 9);
  EXPECT(slice_eq(tensor_bytes_next(&request.inputs[0], &at), SLICE("hello")));
  EXPECT_INT(raw(DT_BYTES, (struct shape){1, {-1}}, false, SLICE("hello")), OK);
  EXPECT_INT(raw(DT_BYTES, (struct shape){1, {1}}, false, SLICE_NONE), OK);
  EXPECT_INT(raw(DT_BYTES, (struct shape){1, {2}}, false, SLICE("hello")), E_BAD_SHAPE);
  EXPECT_INT(infer_raw(&arena, &contract, SLICE("x"), &request, &err), E_INVALID_ARGUMENT);
}
