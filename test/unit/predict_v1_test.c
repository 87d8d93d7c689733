/* predict_v1_test.c - V1 requests in both forms, and their answers.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "wire/infer/predict_v1.h"

#include "test.h"

static struct arena arena;
static struct infer_request request;
static enum predict_form form;
static struct err err;

static struct tensor_spec one[1] = {{.name = SLICE("x"), .dtype = DT_FP32, .shape = {2, {-1, 2}}}};
static struct tensor_spec two[3] = {
    {.name = SLICE("a"), .dtype = DT_INT32, .shape = {1, {-1}}},
    {.name = SLICE("b"), .dtype = DT_BYTES, .shape = {2, {-1, 2}}},
    {.name = SLICE("o"), .dtype = DT_BOOL, .shape = {1, {-1}}, .optional = true}};
static struct tensor_spec text[1] = {{.name = SLICE("t"), .dtype = DT_BYTES, .shape = {1, {-1}}}};
static struct tensor_spec outs[1] = {{.name = SLICE("y"), .dtype = DT_FP32, .shape = {1, {-1}}}};

static enum code predict(struct tensor_spec *specs, uint32_t n, const char *json)
{
  uint64_t rows;
  struct contract contract = {
      .inputs = specs, .outputs = outs, .n_inputs = n, .n_outputs = 1, .batches = true};
  arena_deinit(&arena);
  arena_init(&arena, 4 << 20, NULL);
  err = (struct err){0};
  enum code code = predict_read(&arena, &contract, slice_str(json), &request, &form, &err);
  return code == OK ? infer_bind(&arena, &contract, &request, &rows, &err) : code;
}

static void expect_fail(enum code got, enum code want, const char *field, const char *message)
{
  EXPECT_STR(code_name(got), code_name(want));
  EXPECT_STR(err.field, field);
  if (message) EXPECT_STR(err.text, message);
}

TEST(predict_rows_of_values)
{
  EXPECT_INT(
      predict(one, 1, "{\"signature_name\":\"s\",\"instances\":[[1,2],[3,4.5],[\"NaN\",-0.0]]}"),
      OK);
  const struct tensor *x = &request.inputs[0];
  EXPECT(form == PREDICT_ROWS && x->shape.rank == 2 && x->shape.dims[0] == 3 &&
         x->shape.dims[1] == 2);
  const float *f = x->data;
  EXPECT(f[0] == 1 && f[3] == 4.5f && isnan(f[4]) && signbit(f[5]));
  EXPECT_INT(predict(one, 1, "{\"instances\":[{\"x\":[1,2]},{\"x\":[3,4]}]}"), OK);
  EXPECT_INT(request.inputs[0].shape.dims[0], 2);
}

TEST(predict_rows_of_objects)
{
  EXPECT_INT(
      predict(two, 3,
              "{\"instances\":[{\"b\":[\"p\",\"q\"],\"a\":1},{\"a\":2,\"b\":[\"\",\"\\u00e9\"]}]}"),
      OK);
  EXPECT_INT(request.n_inputs, 3);
  EXPECT(((int32_t *)request.inputs[0].data)[1] == 2 && request.inputs[2].dtype == DT_NONE);
  size_t at = 0;
  for (int i = 0; i < 3; i++) tensor_bytes_next(&request.inputs[1], &at);
  EXPECT(slice_eq(tensor_bytes_next(&request.inputs[1], &at), SLICE("\xc3\xa9")));
  EXPECT_INT(predict(two, 3, "{\"instances\":[{\"b\":[\"p\",\"q\"],\"a\":1,\"o\":true}]}"), OK);
  EXPECT_INT(request.inputs[2].count, 1);
}

TEST(predict_columns)
{
  EXPECT_INT(predict(one, 1, "{\"inputs\":[[1,2]]}"), OK);
  EXPECT(form == PREDICT_COLUMNS && request.inputs[0].shape.dims[0] == 1);
  EXPECT_INT(predict(one, 1, "{\"inputs\":{\"x\":[[1,2],[3,4]]}}"), OK);
  EXPECT_INT(request.inputs[0].shape.dims[0], 2);
  EXPECT_INT(predict(two, 3, "{\"inputs\":{\"a\":[1,2],\"b\":[[\"a\",\"b\"],[\"c\",\"d\"]]}}"), OK);
  EXPECT_INT(predict(one, 1, "{\"inputs\":[]}"), E_BAD_SHAPE);
}

TEST(predict_base64)
{
  size_t at = 0;
  EXPECT_INT(
      predict(text, 1,
              "{\"instances\":[{\"b64\":\"aGk=\"},\"x\",{\"b64\":\"\"},{ \"b64\" : \"AP8\\/\" },"
              "{\"b64\":\"aGk\"},{\"t\":{\"b64\":\"eHh4eA==\"}}]}"),
      OK);
  const struct tensor *t = &request.inputs[0];
  EXPECT_INT(t->count, 6);
  EXPECT(slice_eq(tensor_bytes_next(t, &at), SLICE("hi")));
  EXPECT(slice_eq(tensor_bytes_next(t, &at), SLICE("x")));
  EXPECT(tensor_bytes_next(t, &at).len == 0);
  EXPECT(slice_eq(tensor_bytes_next(t, &at), slice_of("\0\xff\x3f", 3)));
  EXPECT(slice_eq(tensor_bytes_next(t, &at), SLICE("hi")));
  EXPECT(slice_eq(tensor_bytes_next(t, &at), SLICE("xxxx")));
  EXPECT_INT(predict(text, 1, "{\"inputs\":[{\"b64\":\"aGk=\"}]}"), OK);
  static const char *const wrong[] = {"{\"b64\":\"a\"}",
                                      "{\"b64\":\"a===\"}",
                                      "{\"b64\":\"a-b_\"}",
                                      "{\"b64\":1}",
                                      "{\"b64\":\"aGk=\",\"x\":1}",
                                      "{\"b64\":\"aG k=\"}",
                                      "{\"b64\":\"aG=k\"}",
                                      "{\"b64\":[]}"};
  for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
    char json[100];
    snprintf(json, sizeof json, "{\"instances\":[\"x\",%s]}", wrong[k]);
    expect_fail(predict(text, 1, json), E_WRONG_TYPE, "instances[1]", NULL);
  }
}

TEST(predict_refuses)
{
  expect_fail(predict(one, 1, "{\"instances\":[[1,2],[3]]}"), E_BAD_SHAPE, "instances[1]", NULL);
  expect_fail(predict(one, 1, "{\"instances\":[[1,2],3]}"), E_BAD_SHAPE, "instances[1]", NULL);
  expect_fail(predict(one, 1, "{\"instances\":[[1,2],[3,true]]}"), E_WRONG_TYPE, "instances[1]",
              "input \"x\": element 1 is true, not a number for FP32");
  expect_fail(predict(one, 1, "{\"instances\":[{\"x\":[1,2]},{\"x\":[1e39,2]}]}"),
              E_VALUE_OUT_OF_RANGE, "instances[1].x", NULL);
  expect_fail(predict(one, 1, "{\"instances\":[[1,2,3]]}"), E_BAD_SHAPE, "inputs[0].shape", NULL);
  expect_fail(predict(one, 1, "{\"instances\":[]}"), E_INVALID_ARGUMENT, "instances", NULL);
  expect_fail(predict(one, 1, "{\"instances\":[{\"z\":1}]}"), E_UNKNOWN_TENSOR, "instances[0].z",
              NULL);
  expect_fail(predict(one, 1, "{\"inputs\":{\"z\":1}}"), E_UNKNOWN_TENSOR, "inputs.z", NULL);
  expect_fail(predict(two, 3, "{\"instances\":[{\"a\":1}]}"), E_INVALID_ARGUMENT, "instances[0]",
              "input \"b\" is missing");
  expect_fail(predict(two, 3,
                      "{\"instances\":[{\"a\":1,\"b\":[\"\",\"\"],\"o\":true},"
                      "{\"a\":1,\"b\":[\"\",\"\"]}]}"),
              E_INVALID_ARGUMENT, "instances[1]", "input \"o\" is missing");
  expect_fail(predict(two, 3, "{\"instances\":[1]}"), E_WRONG_TYPE, "instances[0]",
              "the model has 3 inputs: each instance must be an object by input name");
  expect_fail(predict(two, 3, "{\"inputs\":[1]}"), E_WRONG_TYPE, "inputs", NULL);
  expect_fail(predict(one, 1, "{}"), E_INVALID_ARGUMENT, "", NULL);
  expect_fail(predict(one, 1, "{\"instances\":[[1,2]],\"inputs\":[[1,2]]}"), E_INVALID_ARGUMENT, "",
              NULL);
  expect_fail(predict(one, 1, "{\"instances\":1}"), E_WRONG_TYPE, "", NULL);
  expect_fail(predict(one, 1, "[]"), E_WRONG_TYPE, "", NULL);
  expect_fail(predict(one, 1, "{\"instances\":[[1,2]]"), E_BAD_JSON, "", NULL);
  expect_fail(predict(one, 1, "{\"instances\":[[1,2]}"), E_BAD_JSON, "", NULL);
  expect_fail(predict(one, 1, "{\"instances\":[[1,2],]}"), E_BAD_JSON, "", NULL);
  expect_fail(predict(one, 1, "{\"instances\":[[1,2] [3,4]]}"), E_BAD_JSON, "", NULL);
  expect_fail(predict(one, 1, "{\"instances\":[[1,2]]}x"), E_BAD_JSON, "", NULL);
  expect_fail(predict(one, 1, "{\"instances\":[{\"x\":[1,2],\"x\":[1,2]}]}"), E_DUPLICATE_KEY, "",
              NULL);
  expect_fail(predict(one, 1, "{\"instances\":[[[[[[[[[1]]]]]]]]]}"), E_BAD_SHAPE, "", NULL);
  one[0].dtype = DT_FP16;
  expect_fail(predict(one, 1, "{\"instances\":[[1,2]]}"), E_BAD_DATATYPE, "",
              "input \"x\" is FP16, which V1 cannot carry; use /v2 with binary tensors");
  one[0].dtype = DT_FP32;
}

TEST(predict_many_rows)
{
  static char json[300000];
  char *to = json + snprintf(json, sizeof json, "{\"instances\":[");
  for (int i = 0; i < 10000; i++) to += snprintf(to, 40, "%s[%d,%.9g]", i ? ", " : "", i, i * 0.37);
  snprintf(to, 3, "]}");
  EXPECT_INT(predict(one, 1, json), OK);
  const float *f = request.inputs[0].data;
  EXPECT_INT(request.inputs[0].count, 20000);
  for (int i = 0; i < 10000; i++) EXPECT(f[2 * i] == (float)i && f[2 * i + 1] == (float)(i * 0.37));
}

/* ---- answers */

static void expect_answer(enum predict_form as, const struct tensor *outputs, uint32_t n,
                          const char *want)
{
  struct slice json = SLICE_NONE;
  arena_deinit(&arena);
  arena_init(&arena, 1 << 20, NULL);
  EXPECT_INT(predict_write(&arena, as, outputs, n, &json, &err), OK);
  EXPECT_STR(arena_print(&arena, "%.*s", (int)json.len, json.at), want);
}

TEST(predict_answers)
{
  float f[4] = {1, 2.5f, NAN, 4};
  struct tensor outputs[2] = {{.name = SLICE("y"),
                               .dtype = DT_FP32,
                               .shape = {2, {2, 2}},
                               .count = 4,
                               .data = f,
                               .bytes = 16},
                              {.name = SLICE("s"),
                               .dtype = DT_BYTES,
                               .shape = {1, {2}},
                               .count = 2,
                               .data = "\1\0\0\0a\2\0\0\0\xff\xfe",
                               .bytes = 11}};
  expect_answer(PREDICT_ROWS, outputs, 1, "{\"predictions\":[[1,2.5],[\"NaN\",4]]}");
  expect_answer(PREDICT_ROWS, outputs, 2,
                "{\"predictions\":[{\"y\":[1,2.5],\"s\":\"a\"},{\"y\":[\"NaN\",4],\"s\":{\"b64\":"
                "\"//4=\"}}]}");
  expect_answer(PREDICT_COLUMNS, outputs, 1, "{\"outputs\":[[1,2.5],[\"NaN\",4]]}");
  expect_answer(PREDICT_COLUMNS, outputs, 2,
                "{\"outputs\":{\"y\":[[1,2.5],[\"NaN\",4]],\"s\":[\"a\",{\"b64\":\"//4=\"}]}}");
  outputs[0].shape = (struct shape){3, {2, 1, 2}};
  expect_answer(PREDICT_ROWS, outputs, 1, "{\"predictions\":[[[1,2.5]],[[\"NaN\",4]]]}");
  outputs[0].shape = (struct shape){1, {4}};
  expect_answer(PREDICT_ROWS, outputs, 1, "{\"predictions\":[1,2.5,\"NaN\",4]}");
  outputs[0].count = 0;
  outputs[0].shape = (struct shape){3, {2, 2, 0}};
  expect_answer(PREDICT_COLUMNS, outputs, 1, "{\"outputs\":[[[],[]],[[],[]]]}");
  outputs[0].shape = (struct shape){2, {0, 2}};
  expect_answer(PREDICT_ROWS, outputs, 1, "{\"predictions\":[]}");
  outputs[0].shape.rank = 0;
  outputs[0].count = 1;
  expect_answer(PREDICT_COLUMNS, outputs, 1, "{\"outputs\":1}");
}

TEST(predict_base64_padding)
{
  struct tensor t = {.name = SLICE("s"),
                     .dtype = DT_BYTES,
                     .shape = {1, {3}},
                     .count = 3,
                     .data = "\1\0\0\0\xff\2\0\0\0\xff\0\3\0\0\0\xff\0\1",
                     .bytes = 18};
  expect_answer(PREDICT_ROWS, &t, 1,
                "{\"predictions\":[{\"b64\":\"/w==\"},{\"b64\":\"/wA=\"},{\"b64\":\"/wAB\"}]}");
}

TEST(predict_refuses_answers)
{
  struct slice json;
  float f[4] = {0};
  struct tensor outputs[2] = {
      {.name = SLICE("y"), .dtype = DT_FP32, .shape = {1, {4}}, .count = 4, .data = f, .bytes = 16},
      {.name = SLICE("z"), .dtype = DT_FP32, .shape = {1, {2}}, .count = 2, .data = f, .bytes = 8}};
  EXPECT_INT(predict_write(&arena, PREDICT_ROWS, outputs, 2, &json, &err), E_BAD_MODEL_OUTPUT);
  EXPECT_INT(predict_write(&arena, PREDICT_COLUMNS, outputs, 2, &json, &err), OK);
  outputs[0].shape.rank = 0;
  EXPECT_INT(predict_write(&arena, PREDICT_ROWS, outputs, 1, &json, &err), E_BAD_MODEL_OUTPUT);
  outputs[1].dtype = DT_BF16;
  EXPECT_INT(predict_write(&arena, PREDICT_COLUMNS, outputs, 2, &json, &err), E_BAD_DATATYPE);
}
