/* infer_limits_test.c - V2 requests at their limits: counts, binary sizes, parameters, memory, and
 * the split of a body.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "codec_rig.h"

static char many[400000];

static const char *many_make(const char *list, int n)
{
  char *to =
      many + sprintf(many, "{%s\"%s\":[", strcmp(list, "inputs") ? "\"inputs\":[]," : "", list);
  for (int i = 0; i < n; i++)
    to +=
        sprintf(to, "%s{\"name\":\"n%d\"%s}", i ? "," : "", i,
                strcmp(list, "inputs") ? "" : ",\"shape\":[1],\"datatype\":\"INT8\",\"data\":[1]");
  sprintf(to, "]}");
  return many;
}

TEST(JS_107_many_outputs_and_classes)
{
  EXPECT_INT(body_read(many_make("outputs", 64)), OK);
  EXPECT_INT(request.n_outputs, 64);
  EXPECT_INT(body_read(many_make("inputs", 64)), OK);
  EXPECT_INT(request.n_inputs, 64);
  EXPECT(slice_eq(request.inputs[63].name, SLICE("n63")));
  expect_fail(body_read(many_make("outputs", 10000)), E_INVALID_ARGUMENT, "outputs",
              "more than 64 outputs");
  expect_fail(body_read(many_make("inputs", 65)), E_INVALID_ARGUMENT, "inputs",
              "more than 64 inputs");
  EXPECT_INT(
      body_read("{\"inputs\":[],\"outputs\":[{\"name\":\"y\",\"parameters\":{\"classification\":"
                "1000000}}]}"),
      OK);
  body_read(
      "{\"inputs\":[],\"outputs\":[{\"name\":\"y\",\"parameters\":{\"classification\":1000000000}}]"
      "}");
  expect_fail(err.code, E_VALUE_OUT_OF_RANGE, "outputs[0].parameters.classification",
              "parameter \"classification\" is 1000000000, it must be 0 to 1000000");
  body_read(
      "{\"inputs\":[],\"outputs\":[{\"name\":\"y\",\"parameters\":{\"classification\":-1}}]}");
  EXPECT_STR(code_name(err.code), "VALUE_OUT_OF_RANGE");
  body_read(
      "{\"inputs\":[],\"outputs\":[{\"name\":\"y\",\"parameters\":{\"classification\":true}}]}");
  EXPECT_STR(code_name(err.code), "WRONG_TYPE");
  body_read("{\"inputs\":[],\"outputs\":[{\"name\":\"y\",\"parameters\":{\"binary_data\":1}}]}");
  expect_fail(err.code, E_WRONG_TYPE, "outputs[0].parameters.binary_data", NULL);
}

#define BINARY(size, type, shape)                                         \
  "{\"inputs\":[{\"name\":\"x\",\"shape\":" shape ",\"datatype\":\"" type \
  "\",\"parameters\":{\"binary_data_size\":" size "}}]}"

TEST(JS_108_binary_sizes)
{
  struct slice eight = slice_of("\0\0\x80\x3f\0\0\0\x40", 8);
  EXPECT_INT(read_with_tail(BINARY("8", "FP32", "[2]"), eight), OK);
  EXPECT(((float *)request.inputs[0].data)[1] == 2.0f);
  const char *where = "inputs[0].parameters.binary_data_size";
  expect_fail(read_with_tail(BINARY("-8", "FP32", "[2]"), eight), E_BAD_SIZE, where, NULL);
  expect_fail(read_with_tail(BINARY("99999999999999999999999", "FP32", "[2]"), eight), E_BAD_SIZE,
              where, NULL);
  expect_fail(read_with_tail(BINARY("12", "FP32", "[3]"), eight), E_BAD_SIZE, where, NULL);
  expect_fail(read_with_tail(BINARY("8", "FP32", "[3]"), eight), E_BAD_SIZE, where,
              "input \"x\": shape [3] of FP32 needs 3 values of 4 bytes, got 8 bytes");
  expect_fail(read_with_tail(BINARY("8", "FP32", "[2147483647,2147483647,2]"), eight), E_BAD_SIZE,
              where, NULL);
  expect_fail(read_with_tail(BINARY("7", "FP32", "[2]"), eight), E_BAD_SIZE, where, NULL);
  expect_fail(read_with_tail(BINARY("4", "FP32", "[1]"), eight), E_BAD_SIZE, "", NULL);
  EXPECT(strstr(err.text, "4 bytes are left over"));
  expect_fail(read_with_tail("{\"inputs\":[]}", eight), E_BAD_SIZE, "", NULL);
  expect_fail(read_with_tail(BINARY("8.0", "FP32", "[2]"), eight), E_WRONG_TYPE, where, NULL);
  expect_fail(read_with_tail(BINARY("\"8\"", "FP32", "[2]"), eight), E_WRONG_TYPE, where, NULL);
  expect_fail(
      body_read("{\"inputs\":[{\"name\":\"x\",\"shape\":[1],\"datatype\":\"FP32\",\"data\":[1],"
                "\"parameters\":{\"binary_data_size\":4}}]}"),
      E_INVALID_ARGUMENT, "inputs[0]", "input \"x\" has both data and binary_data_size");
  expect_fail(
      body_read(
          "{\"inputs\":[{\"name\":\"x\",\"shape\":[1],\"datatype\":\"FP32\",\"data\":null}]}"),
      E_INVALID_ARGUMENT, "inputs[0]", "input \"x\" has neither data nor binary_data_size");
  EXPECT_INT(
      body_read("{\"inputs\":[{\"name\":\"x\",\"shape\":[0,4],\"datatype\":\"FP32\",\"data\":null,"
                "\"parameters\":{\"binary_data_size\":0}}]}"),
      OK);
  EXPECT(request.inputs[0].count == 0 && request.inputs[0].bytes == 0);
}

TEST(JS_108_mixed_and_misaligned)
{
  /* INT8 first, so the floats start one byte off; then JSON; then BYTES. */
  static _Alignas(16) const char body[] = "\x05\0\0\x80\x3f\x02\0\0\0hi\0\0\0\0";
  const char *json =
      "{\"inputs\":["
      "{\"name\":\"a\",\"shape\":[1],\"datatype\":\"INT8\",\"parameters\":{\"binary_data_size\":1}}"
      ","
      "{\"name\":\"b\",\"shape\":[1],\"datatype\":\"FP32\",\"parameters\":{\"binary_data_size\":4}}"
      ","
      "{\"name\":\"c\",\"shape\":[2],\"datatype\":\"INT32\",\"data\":[3,4]},"
      "{\"name\":\"d\",\"shape\":[2],\"datatype\":\"BYTES\",\"parameters\":{\"binary_data_size\":"
      "10}}]}";
  EXPECT_INT(read_with_tail(json, slice_of(body, 15)), OK);
  EXPECT(request.inputs[0].data == body); /* a view */
  EXPECT((uintptr_t)request.inputs[1].data % 4 == 0 && *(float *)request.inputs[1].data == 1.0f);
  EXPECT(((int32_t *)request.inputs[2].data)[1] == 4);
  size_t at = 0;
  EXPECT(request.inputs[3].data == body + 5);
  EXPECT(slice_eq(tensor_bytes_next(&request.inputs[3], &at), SLICE("hi")));
  EXPECT(tensor_bytes_next(&request.inputs[3], &at).len == 0);
  EXPECT_INT(read_with_tail(json, slice_of(body, 14)), E_BAD_SIZE);
}

TEST(JS_108_binary_contents)
{
  expect_fail(read_with_tail(BINARY("9", "BOOL", "[9]"), slice_of("\1\0\1\0\1\0\1\0\2", 9)),
              E_VALUE_OUT_OF_RANGE, "inputs[0].parameters.binary_data_size",
              "input \"x\": element 8 is 2, outside BOOL");
  expect_fail(read_with_tail(BINARY("9", "BOOL", "[9]"), slice_of("\1\0\1\x80\1\0\1\0\1", 9)),
              E_VALUE_OUT_OF_RANGE, "inputs[0].parameters.binary_data_size", NULL);
  EXPECT_INT(read_with_tail(BINARY("9", "BOOL", "[9]"), slice_of("\1\0\1\1\1\0\1\0\1", 9)), OK);
  expect_fail(read_with_tail(BINARY("6", "BYTES", "[1]"), slice_of("\3\0\0\0hi", 6)), E_BAD_SIZE,
              "inputs[0].parameters.binary_data_size",
              "input \"x\": element 0 says 3 bytes, only 2 are left");
  EXPECT_INT(read_with_tail(BINARY("6", "BYTES", "[1]"), slice_of("\1\0\0\0hi", 6)), E_BAD_SIZE);
  EXPECT_INT(read_with_tail(BINARY("6", "BYTES", "[2]"), slice_of("\2\0\0\0hi", 6)), E_BAD_SIZE);
  EXPECT_INT(read_with_tail(BINARY("6", "BYTES", "[1]"), slice_of("\2\0\0\0\xff\xff", 6)), OK);
  EXPECT_INT(read_with_tail(BINARY("2", "FP16", "[1]"), slice_of("\0\x3c", 2)), OK);
  EXPECT_INT(read_with_tail(BINARY("2", "BF16", "[1]"), slice_of("\x80\x3f", 2)), OK);
}

TEST(JS_109_reserved_parameters)
{
  static const char *const reserved[] = {"triton_enable_empty_final_response",
                                         "triton_",
                                         "headers",
                                         "slipway_",
                                         "slipway_tenant",
                                         "shared_memory_region"};
  for (size_t k = 0; k < sizeof reserved / sizeof *reserved; k++) {
    char text[200], field[100];
    sprintf(text, "{\"inputs\":[],\"parameters\":{\"%s\":true}}", reserved[k]);
    sprintf(field, "parameters.%s", reserved[k]);
    expect_fail(body_read(text), E_RESERVED_PARAMETER, field, NULL);
  }
  EXPECT_INT(body_read("{\"inputs\":[],\"parameters\":{\"slipway_debug\":false,\"tritonish\":1}}"),
             OK);
  static const char *const wrong[] = {"{\"timeout\":-1}",
                                      "{\"priority\":\"high\"}",
                                      "{\"timeout\":1.5}",
                                      "{\"sequence_id\":-3}",
                                      "{\"sequence_id\":true}",
                                      "{\"sequence_start\":1}",
                                      "{\"binary_data_output\":\"true\"}",
                                      "{\"slipway_debug\":1}",
                                      "{\"k\":null}",
                                      "{\"k\":[]}",
                                      "{\"k\":{\"a\":1}}",
                                      "[]",
                                      "\"x\""};
  for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
    char text[200];
    sprintf(text, "{\"inputs\":[],\"parameters\":%s}", wrong[k]);
    enum code code = body_read(text);
    EXPECT(code == E_WRONG_TYPE || code == E_VALUE_OUT_OF_RANGE);
    EXPECT(strncmp(err.field, "parameters", 10) == 0);
  }
  char *to = many + sprintf(many, "{\"inputs\":[],\"parameters\":{");
  for (int i = 0; i < 65; i++) to += sprintf(to, "%s\"k%d\":%d", i ? "," : "", i, i);
  sprintf(to, "}}");
  expect_fail(body_read(many), E_INVALID_ARGUMENT, "parameters", "more than 64 parameters");
  sprintf(strstr(many, ",\"k64\""), "}}");
  EXPECT_INT(body_read(many), OK);
  EXPECT_INT(request.n_others, 64);
  EXPECT(slice_eq(request.others[63].key, SLICE("k63")) &&
         slice_eq(request.others[0].key, SLICE("k0")));
}

TEST(JS_114_documents)
{
  static const char *const broken[] = {"",
                                       "{",
                                       "{}x",
                                       "{}{}",
                                       "{\"inputs\":[]}\n{}",
                                       "{\"inputs\":[]}/**/",
                                       "{\"inputs\":[],}",
                                       "{\"inputs\":[}"};
  for (size_t k = 0; k < sizeof broken / sizeof *broken; k++)
    EXPECT_STR(code_name(body_read(broken[k])), "BAD_JSON");
  static const char *const others[] = {"[]", "\"x\"", "1", "null", "[{}]", "true"};
  for (size_t k = 0; k < sizeof others / sizeof *others; k++)
    EXPECT_STR(code_name(body_read(others[k])), "WRONG_TYPE");
  expect_fail(body_read("{}"), E_INVALID_ARGUMENT, "inputs",
              "the request has no inputs; \"instances\" go to /v1/models/MODEL:predict");
  expect_fail(body_read("{\"inputs\":{}}"), E_WRONG_TYPE, "inputs", NULL);
  expect_fail(body_read("{\"inputs\":null}"), E_WRONG_TYPE, "inputs", NULL);
  expect_fail(body_read("{\"inputs\":[1]}"), E_WRONG_TYPE, "inputs", NULL);
  expect_fail(body_read("{\"inputs\":[],\"outputs\":[\"y\"]}"), E_WRONG_TYPE, "outputs", NULL);
  expect_fail(body_read("{\"inputs\":[],\"inputs\":[]}"), E_DUPLICATE_KEY, "", NULL);
  expect_fail(body_read("{\"inputs\":[{\"name\":\"x\",\"name\":\"y\"}]}"), E_DUPLICATE_KEY, "",
              NULL);
  expect_fail(body_read("{\"inputs\":[],\"unknown\":{\"a\":[{\"b\":1,\"b\":2}]}}"), E_DUPLICATE_KEY,
              "", NULL);
}

TEST(JS_116_shared_memory_parameters)
{
  body_read(
      "{\"inputs\":[{\"name\":\"x\",\"shape\":[1],\"datatype\":\"FP32\","
      "\"parameters\":{\"shared_memory_region\":\"r\"}}]}");
  expect_fail(err.code, E_RESERVED_PARAMETER, "inputs[0].parameters.shared_memory_region", NULL);
  body_read(
      "{\"inputs\":[],\"outputs\":[{\"name\":\"x\",\"parameters\":{\"shared_memory_byte_size\":4}}]"
      "}");
  expect_fail(err.code, E_RESERVED_PARAMETER, "outputs[0].parameters.shared_memory_byte_size",
              NULL);
}

TEST(JS_117_ids)
{
  char text[400];
  sprintf(text, "{\"inputs\":[],\"id\":\"%0256d\"}", 1);
  EXPECT_INT(body_read(text), OK);
  EXPECT_INT(request.id.len, 256);
  sprintf(text, "{\"inputs\":[],\"id\":\"%0257d\"}", 1);
  expect_fail(body_read(text), E_INVALID_ARGUMENT, "id", NULL);
  expect_fail(body_read("{\"inputs\":[],\"id\":7}"), E_WRONG_TYPE, "id", NULL);
  EXPECT_INT(body_read("{\"inputs\":[],\"id\":\"%n\\u001b[31m\\r\\n\"}"), OK);
  EXPECT(slice_eq(request.id, SLICE("%n\x1b[31m\r\n")));
}

TEST(infer_client_text_in_errors_is_cut_and_clean)
{
  char text[2000];
  memset(text, 0, sizeof text);
  char *to = text + sprintf(text, "{\"inputs\":[{\"name\":\"\\u001b[31m\\n");
  memset(to, 'n', 500);
  sprintf(to + 500, "\",\"shape\":[1],\"datatype\":\"FP32\",\"data\":[true]}]}");
  EXPECT_INT(body_read(text), E_WRONG_TYPE);
  EXPECT(strlen(err.text) < 160);
  EXPECT(!strchr(err.text, 27) && !strchr(err.text, '\n'));
}

/* A deep or long hostile body must not take more than 4 times its size and a mebibyte. */
TEST(infer_memory_is_bounded_by_the_body)
{
  enum { SIZE = 1 << 20 };
  static char text[SIZE + 200];
  static const char *const units[] = {
      "0,", "\"\",", "\"\\n\",", "[],", "{},", "{\"a\":1,\"b\":2},", "[0],"};
  static const char *const types[] = {"FP64", "BYTES", "BYTES", "FP32", "BYTES", "BYTES", "INT64"};
  for (size_t k = 0; k < sizeof units / sizeof *units; k++) {
    size_t each = strlen(units[k]), n = SIZE / each;
    char *to = text + sprintf(text,
                              "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"%s\",\"shape\":[%zu],"
                              "\"data\":[",
                              types[k], n);
    for (size_t i = 0; i < n; i++, to += each) memcpy(to, units[k], each);
    strcpy(to - 1, "]}]}");
    struct slice body = slice_str(text);
    arena_deinit(&arena);
    arena_init(&arena, 4 * body.len + (1 << 20), NULL);
    enum code code = infer_read(&arena, body, SLICE_NONE, &request, &err);
    EXPECT(code != E_OUT_OF_MEMORY);
    EXPECT(k > 2 || code == OK);
  }
}

TEST(infer_at_the_arena_cap)
{
  arena_deinit(&arena);
  arena_init(&arena, 1000, NULL);
  EXPECT_INT(infer_read(&arena, slice_str(many_make("inputs", 64)), SLICE_NONE, &request, &err),
             E_OUT_OF_MEMORY);
  arena_deinit(&arena);
  arena_init(&arena, 100, NULL);
  EXPECT_INT(infer_read(&arena, SLICE(BINARY("400", "FP32", "[100]")), slice_of(many + 1, 400),
                        &request, &err),
             E_OUT_OF_MEMORY);
}

/* ---- splitting */

TEST(infer_split_header)
{
  struct slice json, tail, body = SLICE("{}abcd");
  bool raw = true;
  EXPECT_INT(infer_split(body, SLICE_NONE, &json, &tail, &raw, &err), OK);
  EXPECT(json.len == 6 && tail.len == 0 && !raw);
  EXPECT_INT(infer_split(body, SLICE("2"), &json, &tail, &raw, &err), OK);
  EXPECT(slice_eq(json, SLICE("{}")) && slice_eq(tail, SLICE("abcd")) && !raw);
  EXPECT_INT(infer_split(body, SLICE("6"), &json, &tail, &raw, &err), OK);
  EXPECT(json.len == 6 && tail.len == 0);
  EXPECT_INT(infer_split(body, SLICE("0"), &json, &tail, &raw, &err), OK);
  EXPECT(raw && tail.len == 6);
  EXPECT_INT(infer_split(SLICE_NONE, SLICE("0"), &json, &tail, &raw, &err), OK);
  EXPECT(raw && tail.len == 0);
  EXPECT_INT(infer_split(body, SLICE("7"), &json, &tail, &raw, &err), E_BAD_SIZE);
  static const char *const wrong[] = {"",
                                      "+2",
                                      "-1",
                                      "0x2",
                                      "2 ",
                                      " 2",
                                      "2,2",
                                      "2.0",
                                      "1e1",
                                      "two",
                                      "06",
                                      "0000000000000000002",
                                      "99999999999999999999"};
  for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++)
    EXPECT_INT(infer_split(body, slice_str(wrong[k]), &json, &tail, &raw, &err),
               E_INVALID_ARGUMENT);
}
