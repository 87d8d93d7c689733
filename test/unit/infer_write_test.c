/* infer_write_test.c - V2 answers, byte for byte: numbers, strings, binary parts, classes.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "wire/infer/infer.h"

#include "test.h"

static struct arena arena;
static struct infer_body body;
static struct err err;

static enum code write_out(struct infer_output *outputs, uint32_t n, const char *id)
{
  arena_deinit(&arena);
  arena_init(&arena, 4 << 20, NULL);
  err = (struct err){0};
  struct infer_answer answer = {.model_name = SLICE("m"),
                                .model_version = SLICE("3"),
                                .id = slice_str(id),
                                .outputs = outputs,
                                .n_outputs = n};
  return infer_write(&arena, &answer, &body, &err);
}

static struct tensor tensor_of(enum dtype dtype, const void *data, uint64_t count, size_t bytes)
{
  return (struct tensor){.name = SLICE("y"),
                         .dtype = dtype,
                         .shape = {1, {(int64_t)count}},
                         .count = count,
                         .data = (void *)(uintptr_t)data,
                         .bytes = bytes};
}

/* The text between "data":[ and ]. */
static void expect_data(enum dtype dtype, const void *data, uint64_t count, size_t bytes,
                        const char *want)
{
  char whole[1000];
  struct tensor tensor = tensor_of(dtype, data, count, bytes);
  struct infer_output output = {.tensor = &tensor};
  EXPECT_INT(write_out(&output, 1, ""), OK);
  snprintf(whole, sizeof whole,
           "{\"model_name\":\"m\",\"model_version\":\"3\",\"outputs\":[{\"name\":\"y\","
           "\"datatype\":\"%s\",\"shape\":[%d],\"data\":[%s]}]}",
           dtype_name(dtype), (int)count, want);
  char *got = arena_copy(&arena, body.json).at
                  ? arena_print(&arena, "%.*s", (int)body.json.len, body.json.at)
                  : NULL;
  EXPECT_STR(got, whole);
  EXPECT(!body.binary && body.n_parts == 0 && body.bytes == body.json.len);
}

TEST(write_numbers)
{
  expect_data(DT_FP32, (float[]){0.1f, 1, -0.0f, 16777216, 3.4028235e38f, 1e-45f}, 6, 24,
              "0.1,1,-0.0,16777216,3.4028235e+38,1e-45");
  expect_data(DT_FP64, (double[]){0.1, 1e300, 5e-324, 0.30000000000000004}, 4, 32,
              "0.1,1e+300,5e-324,0.30000000000000004");
  expect_data(DT_INT64, (int64_t[]){INT64_MIN, 9007199254740993, -1}, 3, 24,
              "-9223372036854775808,9007199254740993,-1");
  expect_data(DT_UINT64, (uint64_t[]){UINT64_MAX, 0}, 2, 16, "18446744073709551615,0");
  expect_data(DT_INT32, (int32_t[]){INT32_MIN, INT32_MAX}, 2, 8, "-2147483648,2147483647");
  expect_data(DT_UINT32, (uint32_t[]){UINT32_MAX}, 1, 4, "4294967295");
  expect_data(DT_INT16, (int16_t[]){INT16_MIN, 7}, 2, 4, "-32768,7");
  expect_data(DT_UINT16, (uint16_t[]){UINT16_MAX}, 1, 2, "65535");
  expect_data(DT_INT8, (int8_t[]){-128, 127}, 2, 2, "-128,127");
  expect_data(DT_UINT8, (uint8_t[]){255, 0}, 2, 2, "255,0");
  expect_data(DT_BOOL, (uint8_t[]){1, 0}, 2, 2, "true,false");
  expect_data(DT_FP32, NULL, 0, 0, "");
}

TEST(JS_112_not_finite_values_are_strings)
{
  expect_data(DT_FP32, (float[]){NAN, INFINITY, -INFINITY, 1}, 4, 16,
              "\"NaN\",\"Infinity\",\"-Infinity\",1");
  expect_data(DT_FP64, (double[]){-NAN, INFINITY, -INFINITY}, 3, 24,
              "\"NaN\",\"Infinity\",\"-Infinity\"");
}

TEST(write_strings)
{
  expect_data(DT_BYTES, "\1\0\0\0a\0\0\0\0\5\0\0\0\"\\\n\xc3\xa9", 3, 18,
              "\"a\",\"\",\"\\\"\\\\\\n\xc3\xa9\"");
  struct tensor tensor = tensor_of(DT_BYTES, "\1\0\0\0a\2\0\0\0\xff\xfe", 2, 11);
  struct infer_output output = {.tensor = &tensor};
  EXPECT_INT(write_out(&output, 1, ""), E_BAD_MODEL_OUTPUT);
  EXPECT_STR(err.text,
             "output \"y\": element 1 is not UTF-8, JSON cannot carry it; ask for it with "
             "binary_data true");
  EXPECT_STR(err.field, "outputs[0]");
  output.form = INFER_BINARY;
  EXPECT_INT(write_out(&output, 1, ""), OK);
  EXPECT(body.n_parts == 1 && body.parts[0].len == 11);
}

TEST(write_half_floats_need_binary)
{
  struct tensor tensor = tensor_of(DT_BF16, "\x80\x3f", 1, 2);
  struct infer_output output = {.tensor = &tensor};
  EXPECT_INT(write_out(&output, 1, ""), E_BAD_DATATYPE);
  output.form = INFER_BINARY;
  EXPECT_INT(write_out(&output, 1, ""), OK);
}

TEST(write_binary_parts_are_views)
{
  float a[2] = {1, 2};
  int64_t c[1] = {7};
  struct tensor tensors[3] = {tensor_of(DT_FP32, a, 2, 8), tensor_of(DT_FP32, NULL, 0, 0),
                              tensor_of(DT_INT64, c, 1, 8)};
  struct infer_output outputs[4] = {{.tensor = &tensors[0], .form = INFER_BINARY},
                                    {.tensor = &tensors[1], .form = INFER_BINARY},
                                    {.tensor = &tensors[2], .form = INFER_JSON},
                                    {.tensor = &tensors[2], .form = INFER_BINARY}};
  EXPECT_INT(write_out(outputs, 4, "id \"1\""), OK);
  struct slice want = SLICE(
      "{\"model_name\":\"m\",\"model_version\":\"3\",\"id\":\"id \\\"1\\\"\",\"outputs\":["
      "{\"name\":\"y\",\"datatype\":\"FP32\",\"shape\":[2],\"parameters\":{\"binary_data_size\":8}}"
      ","
      "{\"name\":\"y\",\"datatype\":\"FP32\",\"shape\":[0],\"parameters\":{\"binary_data_size\":0}}"
      ","
      "{\"name\":\"y\",\"datatype\":\"INT64\",\"shape\":[1],\"data\":[7]},"
      "{\"name\":\"y\",\"datatype\":\"INT64\",\"shape\":[1],\"parameters\":{\"binary_data_size\":8}"
      "}]}");
  EXPECT(slice_eq(body.json, want));
  EXPECT(body.binary && body.n_parts == 2 && body.parts[0].at == (char *)a &&
         body.parts[1].at == (char *)c);
  EXPECT_INT(body.bytes, body.json.len + 16);
  EXPECT_INT(write_out(&outputs[1], 1, ""), OK); /* nothing but an empty one: no binary answer */
  EXPECT(!body.binary && body.n_parts == 0);
}

TEST(write_parameters_and_no_outputs)
{
  arena_deinit(&arena);
  arena_init(&arena, 1 << 20, NULL);
  struct infer_answer answer = {
      .model_name = SLICE("m"), .model_version = SLICE("1"), .parameters = SLICE("{\"a\":1}")};
  EXPECT_INT(infer_write(&arena, &answer, &body, &err), OK);
  EXPECT(slice_eq(body.json, SLICE("{\"model_name\":\"m\",\"model_version\":\"1\","
                                   "\"parameters\":{\"a\":1},\"outputs\":[]}")));
}

TEST(write_at_the_arena_cap)
{
  static float many[100000];
  struct tensor tensor = tensor_of(DT_FP32, many, 100000, sizeof many);
  struct infer_output output = {.tensor = &tensor};
  struct infer_answer answer = {.outputs = &output, .n_outputs = 1};
  arena_deinit(&arena);
  arena_init(&arena, 10000, NULL);
  EXPECT_INT(infer_write(&arena, &answer, &body, &err), E_OUT_OF_MEMORY);
}

/* What is written reads back as it was. */
TEST(write_then_read)
{
  static float values[5000];
  for (int i = 0; i < 5000; i++)
    values[i] = ldexpf((float)(i * 7919 % 10007) / 10007, i % 200 - 100);
  struct tensor tensor = tensor_of(DT_FP32, values, 5000, sizeof values);
  struct infer_output output = {.tensor = &tensor};
  EXPECT_INT(write_out(&output, 1, ""), OK);
  char *text = arena_print(&arena, "{\"inputs\":%.*s", (int)body.json.len, body.json.at);
  char *list = strstr(text, "\"outputs\":") + 10;
  char *request_text = arena_print(&arena, "{\"inputs\":%s", list);
  struct infer_request request;
  EXPECT_INT(infer_read(&arena, slice_str(request_text), SLICE_NONE, &request, &err), OK);
  EXPECT(request.n_inputs == 1 && request.inputs[0].bytes == sizeof values &&
         memcmp(request.inputs[0].data, values, sizeof values) == 0);
}

/* ---- classes */

static void expect_classes(struct tensor tensor, uint32_t n, const struct slice *labels,
                           uint32_t n_labels, const char *shape, const char *want)
{
  char whole[1000];
  struct infer_output output = {
      .tensor = &tensor, .classification = n, .labels = labels, .n_labels = n_labels};
  EXPECT_INT(write_out(&output, 1, ""), OK);
  snprintf(whole, sizeof whole,
           "{\"model_name\":\"m\",\"model_version\":\"3\",\"outputs\":[{\"name\":\"y\","
           "\"datatype\":\"BYTES\",\"shape\":%s,\"data\":[%s]}]}",
           shape, want);
  char *got = arena_print(&arena, "%.*s", (int)body.json.len, body.json.at);
  EXPECT_STR(got, whole);
}

TEST(classes_best_first)
{
  float f[6] = {0.1f, 0.7f, 0.2f, 9, 8, 10};
  struct tensor tensor = tensor_of(DT_FP32, f, 6, 24);
  expect_classes(tensor, 3, NULL, 0, "[3]", "\"10:5\",\"9:3\",\"8:4\"");
  tensor.shape = (struct shape){2, {2, 3}};
  expect_classes(tensor, 2, NULL, 0, "[2,2]", "\"0.7:1\",\"0.2:2\",\"10:2\",\"9:0\"");
  static const struct slice labels[] = {SLICE("zero"), SLICE("a:b")};
  expect_classes(tensor, 1000000, labels, 2, "[2,3]",
                 "\"0.7:1:a:b\",\"0.2:2\",\"0.1:0:zero\",\"10:2\",\"9:0:zero\",\"8:1:a:b\"");
}

TEST(classes_ties_and_nan)
{
  expect_classes(tensor_of(DT_FP32, (float[]){NAN, 1, -INFINITY, 1, NAN, INFINITY}, 6, 24), 6, NULL,
                 0, "[6]", "\"Infinity:5\",\"1:1\",\"1:3\",\"-Infinity:2\",\"NaN:0\",\"NaN:4\"");
  expect_classes(tensor_of(DT_FP64, (double[]){0.0, -0.0, 0.0}, 3, 24), 3, NULL, 0, "[3]",
                 "\"0:0\",\"-0.0:1\",\"0:2\"");
  expect_classes(tensor_of(DT_FP32, (float[]){5, 5, 5, 5, 5}, 5, 20), 2, NULL, 0, "[2]",
                 "\"5:0\",\"5:1\"");
}

TEST(classes_of_every_datatype)
{
  expect_classes(tensor_of(DT_INT64, (int64_t[]){9007199254740992, 9007199254740993, -5}, 3, 24), 3,
                 NULL, 0, "[3]", "\"9007199254740993:1\",\"9007199254740992:0\",\"-5:2\"");
  expect_classes(tensor_of(DT_UINT64, (uint64_t[]){UINT64_MAX - 1, UINT64_MAX}, 2, 16), 2, NULL, 0,
                 "[2]", "\"18446744073709551615:1\",\"18446744073709551614:0\"");
  expect_classes(tensor_of(DT_INT8, (int8_t[]){-1, 1}, 2, 2), 2, NULL, 0, "[2]",
                 "\"1:1\",\"-1:0\"");
  expect_classes(tensor_of(DT_UINT8, (uint8_t[]){255, 1}, 2, 2), 2, NULL, 0, "[2]",
                 "\"255:0\",\"1:1\"");
  expect_classes(tensor_of(DT_INT16, (int16_t[]){-2, -1}, 2, 4), 1, NULL, 0, "[1]", "\"-1:1\"");
  expect_classes(tensor_of(DT_UINT16, (uint16_t[]){2, 65535}, 2, 4), 1, NULL, 0, "[1]",
                 "\"65535:1\"");
  expect_classes(tensor_of(DT_INT32, (int32_t[]){-2, -1}, 2, 8), 1, NULL, 0, "[1]", "\"-1:1\"");
  expect_classes(tensor_of(DT_UINT32, (uint32_t[]){2, UINT32_MAX}, 2, 8), 1, NULL, 0, "[1]",
                 "\"4294967295:1\"");
  expect_classes(tensor_of(DT_BOOL, (uint8_t[]){0, 1}, 2, 2), 1, NULL, 0, "[1]", "\"1:1\"");
  expect_classes(
      tensor_of(DT_FP16, (uint16_t[]){0x3c00, 0xc000, 0x0001, 0x7e00, 0x7c00, 0x3800}, 6, 12), 6,
      NULL, 0, "[6]", "\"Infinity:4\",\"1:0\",\"0.5:5\",\"5.9604645e-08:2\",\"-2:1\",\"NaN:3\"");
  expect_classes(tensor_of(DT_BF16, (uint16_t[]){0x3f80, 0x4000}, 2, 4), 2, NULL, 0, "[2]",
                 "\"2:1\",\"1:0\"");
  struct tensor scalar = tensor_of(DT_FP32, (float[]){2.5f}, 1, 4);
  scalar.shape.rank = 0;
  expect_classes(scalar, 5, NULL, 0, "[]", "\"2.5:0\"");
  struct tensor empty = tensor_of(DT_FP32, NULL, 0, 0);
  expect_classes(empty, 5, NULL, 0, "[0]", "");
  empty.shape = (struct shape){2, {0, 4}};
  expect_classes(empty, 5, NULL, 0, "[0,4]", "");
  struct tensor text = tensor_of(DT_BYTES, "\0\0\0\0", 1, 4);
  struct infer_output output = {.tensor = &text, .classification = 1};
  EXPECT_INT(write_out(&output, 1, ""), E_BAD_DATATYPE);
}

/* Against a plain sort, for many sizes of group and of n. */
TEST(classes_against_a_sort)
{
  enum { CLASSES = 300 };
  uint16_t values[CLASSES];
  for (uint32_t i = 0; i < CLASSES; i++) values[i] = (uint16_t)(i * 7919 % 101);
  for (uint32_t n = 1; n <= CLASSES; n += 13) {
    struct tensor tensor = tensor_of(DT_UINT16, values, CLASSES, sizeof values);
    struct infer_output output = {.tensor = &tensor, .classification = n, .form = INFER_BINARY};
    EXPECT_INT(write_out(&output, 1, ""), OK);
    EXPECT_INT(body.n_parts, 1);
    struct tensor classes = tensor_of(DT_BYTES, body.parts[0].at, n, body.parts[0].len);
    bool used[CLASSES] = {false};
    size_t at = 0;
    for (uint32_t k = 0; k < n; k++) {
      uint32_t best = CLASSES;
      for (uint32_t i = 0; i < CLASSES; i++)
        if (!used[i] && (best == CLASSES || values[i] > values[best])) best = i;
      used[best] = true;
      char want[32];
      snprintf(want, sizeof want, "%u:%u", values[best], best);
      EXPECT(slice_eq(tensor_bytes_next(&classes, &at), slice_str(want)));
    }
  }
}
