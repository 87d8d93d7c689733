/* infer_read_test.c - V2 requests: what is read, and the exact code, place and words of what is
 * not.
 * The rows JS-1xx of the robustness catalogue that a codec can answer are named after their id.
 * Thread: main, and one with a small stack.
 * SPDX-License-Identifier: MIT */
#include <pthread.h>

#include "codec_rig.h"

/* One input "x" with the given datatype, shape and data, in every order of members. */
static enum code read_data(const char *type, const char *shape, const char *data)
{
  static const char *const orders[] = {"ntsd", "dtsn", "ndts", "sdnt", "tnds", "dsnt"};
  enum code first = OK;
  for (size_t k = 0; k < sizeof orders / sizeof *orders; k++) {
    char text[4096] = "{\"inputs\":[{", *to = text + strlen(text);
    for (int m = 0; m < 4; m++) {
      if (m) *to++ = ',';
      char member = orders[k][m];
      if (member == 'n') to += sprintf(to, "\"name\" : \"x\"");
      if (member == 't') to += sprintf(to, "\"datatype\":\"%s\"", type);
      if (member == 's') to += sprintf(to, "\"shape\":%s", shape);
      if (member == 'd') to += sprintf(to, "\"data\": %s", data);
    }
    sprintf(to, "}]}");
    enum code code = body_read(text);
    if (k == 0) first = code;
    EXPECT_INT(code, first);
  }
  return first;
}

/* ---- what is read */

TEST(infer_reads_a_request)
{
  EXPECT_INT(
      body_read(
          "{\"id\":\"a\\u00e9\",\"model_name\":\"m\",\"parameters\":{\"binary_data_output\":true,"
          "\"timeout\":250000,\"priority\":2,\"sequence_id\":18446744073709551615,"
          "\"sequence_start\":true,\"sequence_end\":false,\"slipway_debug\":true,"
          "\"mine\":\"v\",\"n\":1.5,\"b\":false},"
          "\"inputs\":[{\"name\":\"x\",\"shape\":[2,2],\"datatype\":\"FP32\",\"extra\":[{}],"
          "\"parameters\":{\"content_type\":\"np\"},\"data\":[[1,2.5],[-0.0,1e-3]]},"
          "{\"name\":\"y\",\"shape\":[1],\"datatype\":\"INT64\",\"data\":[9007199254740993]}],"
          "\"outputs\":[{\"name\":\"a\",\"parameters\":{\"binary_data\":false}},"
          "{\"name\":\"b\",\"parameters\":{\"classification\":3,\"binary_data\":true}},"
          "{\"name\":\"c\",\"x\":1}]}"),
      OK);
  EXPECT(slice_eq(request.id, SLICE("a\xc3\xa9")));
  EXPECT(request.binary_data_output && request.debug && request.sequence_start);
  EXPECT(!request.sequence_end);
  EXPECT_INT(request.timeout_us, 250000);
  EXPECT_INT(request.priority, 2);
  EXPECT(request.sequence_number == UINT64_MAX && request.sequence_name.len == 0);
  EXPECT_INT(request.n_others, 3);
  EXPECT(slice_eq(request.others[1].key, SLICE("n")) &&
         slice_eq(request.others[1].value, SLICE("1.5")) &&
         request.others[1].kind == INFER_PARAM_NUMBER);
  EXPECT_INT(request.n_inputs, 2);
  const struct tensor *x = &request.inputs[0];
  const float *f = x->data;
  EXPECT(slice_eq(x->name, SLICE("x")) && x->dtype == DT_FP32 && x->shape.rank == 2);
  EXPECT(x->count == 4 && x->bytes == 16 && x->shape.dims[1] == 2);
  EXPECT(f[0] == 1 && f[1] == 2.5f && f[2] == 0 && signbit(f[2]) && f[3] == 1e-3f);
  int64_t i;
  memcpy(&i, request.inputs[1].data, sizeof i);
  EXPECT(i == 9007199254740993);
  EXPECT_INT(request.n_outputs, 3);
  EXPECT(request.outputs[0].form == INFER_JSON && request.outputs[1].form == INFER_BINARY &&
         request.outputs[2].form == INFER_UNSAID);
  EXPECT_INT(request.outputs[1].classification, 3);
}

TEST(infer_optional_members_may_be_null_or_empty)
{
  EXPECT_INT(body_read("{\"id\":\"\",\"inputs\":[],\"outputs\":[]}"), OK);
  EXPECT(request.id.len == 0 && request.n_inputs == 0 && request.n_outputs == 0);
  EXPECT_INT(
      body_read("{\"id\":null,\"parameters\":null,\"outputs\":null,\"inputs\":[{\"name\":\"x\","
                "\"parameters\":null,\"shape\":[1],\"datatype\":\"BOOL\",\"data\":[true]}]}"),
      OK);
  EXPECT_INT(body_read("{\"inputs\":[],\"parameters\":{\"sequence_id\":\"\"}}"), OK);
  EXPECT(request.sequence_name.len == 0 && request.sequence_number == 0);
  EXPECT_INT(body_read("{\"inputs\":[],\"parameters\":{\"sequence_id\":\"abc\"}}"), OK);
  EXPECT(slice_eq(request.sequence_name, SLICE("abc")));
}

TEST(infer_nesting_is_free_but_regular)
{
  static const char *const fine[] = {"[1,2,3,4,5,6]",
                                     "[[1,2,3],[4,5,6]]",
                                     "[[1,2],[3,4],[5,6]]",
                                     "[[[[1,2,3,4,5,6]]]]",
                                     "[ [ 1 , 2 , 3 ]\n,\t[ 4,5 , 6 ] ]",
                                     "[[[1],[2],[3]],[[4],[5],[6]]]"};
  static const char *const types[] = {"FP32", "FP64", "INT8", "UINT16", "INT32", "UINT64"};
  for (size_t i = 0; i < sizeof fine / sizeof *fine; i++)
    for (size_t k = 0; k < sizeof types / sizeof *types; k++) {
      EXPECT_INT(read_data(types[k], "[2,3]", fine[i]), OK);
      EXPECT_INT(request.inputs[0].count, 6);
      EXPECT_INT(request.inputs[0].bytes, 6 * dtype_width(request.inputs[0].dtype));
    }
  static const char *const ragged[] = {
      "[[1,2],[3,4,5,6]]",  "[[1,2,3],4,5,6]",     "[1,2,3,[4,5,6]]",    "[[1,2,3],[4,5,6],[]]",
      "[[],[1,2,3,4,5,6]]", "[[[1,2,3]],[4,5,6]]", "[[1,2,3],[[4,5,6]]]"};
  for (size_t i = 0; i < sizeof ragged / sizeof *ragged; i++)
    for (size_t k = 0; k < sizeof types / sizeof *types; k++)
      expect_fail(read_data(types[k], "[2,3]", ragged[i]), E_BAD_SHAPE, "inputs[0].data", NULL);
  EXPECT(strstr(err.text, "ragged"));
}

TEST(infer_empty_and_scalar_tensors)
{
  EXPECT_INT(read_data("FP32", "[0]", "[]"), OK);
  EXPECT(request.inputs[0].count == 0 && request.inputs[0].data == NULL);
  EXPECT_INT(read_data("FP32", "[2,0]", "[[],[]]"), OK);
  EXPECT_INT(read_data("BYTES", "[3,0]", "[]"), OK);
  EXPECT_INT(read_data("INT32", "[]", "7"), OK);
  EXPECT(request.inputs[0].count == 1 && *(int32_t *)request.inputs[0].data == 7);
  EXPECT_INT(read_data("INT32", "[]", "[7]"), OK);
  EXPECT_INT(read_data("FP64", "[]", "0.5"), OK);
  expect_fail(read_data("INT32", "[1]", "7"), E_WRONG_TYPE, "inputs[0].data", NULL);
  expect_fail(read_data("FP32", "[0]", "[1]"), E_BAD_SHAPE, "inputs[0].data",
              "input \"x\": shape [0] needs 0 values, got 1");
}

TEST(infer_all_datatypes_and_their_edges)
{
  static const struct {
    const char *type, *data;
    unsigned char want[16];
  } rows[] = {
      {"BOOL", "[true,false,1,0]", {1, 0, 1, 0}},
      {"UINT8", "[0,255]", {0, 255}},
      {"INT8", "[-128,127]", {0x80, 0x7f}},
      {"UINT16", "[0,65535]", {0, 0, 255, 255}},
      {"INT16", "[-32768,32767]", {0, 0x80, 0xff, 0x7f}},
      {"UINT32", "[1,4294967295]", {1, 0, 0, 0, 255, 255, 255, 255}},
      {"INT32", "[-2147483648,-0]", {0, 0, 0, 0x80, 0, 0, 0, 0}},
      {"UINT64", "[18446744073709551615]", {255, 255, 255, 255, 255, 255, 255, 255}},
      {"INT64", "[-9223372036854775808]", {0, 0, 0, 0, 0, 0, 0, 0x80}},
      {"FP32", "[1,-0.0]", {0, 0, 0x80, 0x3f, 0, 0, 0, 0x80}},
      {"FP32", "[\"Infinity\",\"-Infinity\"]", {0, 0, 0x80, 0x7f, 0, 0, 0x80, 0xff}},
      {"FP32", "[\"\\u0049nfinity\"]", {0, 0, 0x80, 0x7f}},
      {"FP32", "[1e-45]", {1, 0, 0, 0}},
      {"FP64", "[1,\"-Infinity\"]", {0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0, 0, 0, 0, 0, 0, 0xf0, 0xff}},
      {"BYTES", "[\"a\",\"\"]", {1, 0, 0, 0, 'a', 0, 0, 0, 0}},
      {"BYTES", "[\"\\u00e9\\n\\u0000\"]", {4, 0, 0, 0, 0xc3, 0xa9, '\n', 0}},
  };
  for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
    char shape[16];
    int n = 1;
    for (const char *c = rows[k].data; *c; c++) n += *c == ',';
    sprintf(shape, "[%d]", n);
    EXPECT_INT(read_data(rows[k].type, shape, rows[k].data), OK);
    const struct tensor *x = &request.inputs[0];
    EXPECT(x->bytes && x->bytes <= 16 && memcmp(x->data, rows[k].want, x->bytes) == 0);
  }
  EXPECT_INT(read_data("FP32", "[2]", "[\"NaN\", \"NaN\"]"), OK);
  EXPECT(isnan(((float *)request.inputs[0].data)[1]));
}

/* Values of every length, in one tensor: the run loop, its odd elements and its ends. */
TEST(infer_many_values)
{
  static char text[400000];
  char *to = text + sprintf(text,
                            "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[10000],"
                            "\"data\":[");
  for (int i = 0; i < 10000; i++)
    to += sprintf(to,
                  i % 997 == 5 ? "%s\"NaN\""
                  : i & 1      ? "%s %.9g"
                               : "%s%.17g",
                  i ? "," : "", (double)((float)i * 0.37f - 1000));
  sprintf(to, "]}]}");
  EXPECT_INT(body_read(text), OK);
  const float *x = request.inputs[0].data;
  for (int i = 0; i < 10000; i++)
    EXPECT(i % 997 == 5 ? isnan(x[i]) : x[i] == (float)i * 0.37f - 1000);
}

/* ---- JS rows */

static struct slice deep;

static void *deep_read(void *unused)
{
  (void)unused;
  if (infer_read(&arena, deep, SLICE_NONE, &request, &err) == OK) err.code = OK;
  return NULL;
}

TEST(JS_101_deep_nesting_on_a_small_stack)
{
  static char text[700000];
  static const struct {
    const char *head, *unit;
  } rows[] = {{"", "["},
              {"", "{\"a\":"},
              {"{\"x\":", "["},
              {"{\"inputs\":[{\"name\":\"x\",\"shape\":[1],\"datatype\":\"FP32\",\"data\":", "["},
              {"{\"inputs\":[{\"data\":", "["},
              {"{\"inputs\":[{\"name\":\"x\",\"y\":", "{\"a\":"}};
  pthread_attr_t attr;
  pthread_t thread;
  pthread_attr_init(&attr);
  pthread_attr_setstacksize(&attr, 256 << 10);
  for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
    size_t len = (size_t)sprintf(text, "%s", rows[k].head), each = strlen(rows[k].unit);
    for (int i = 0; i < 100000; i++, len += each) memcpy(text + len, rows[k].unit, each);
    deep = slice_of(text, len);
    arena_deinit(&arena);
    arena_init(&arena, 8 << 20, NULL);
    err = (struct err){0};
    EXPECT(pthread_create(&thread, &attr, deep_read, NULL) == 0);
    pthread_join(thread, NULL);
    EXPECT_STR(code_name(err.code), "JSON_TOO_DEEP");
    EXPECT(arena_held(&arena) < 1 << 20);
  }
  pthread_attr_destroy(&attr);
}

static const struct {
  const char *type, *data;
  enum code code;
  const char *text;
} wrong_kinds[] = {
    {"UINT8", "[1,300]", E_VALUE_OUT_OF_RANGE, "input \"x\": element 1 is 300, outside UINT8"},
    {"UINT8", "[1,-1]", E_VALUE_OUT_OF_RANGE, "input \"x\": element 1 is -1, outside UINT8"},
    {"UINT8", "[1,256]", E_VALUE_OUT_OF_RANGE, NULL},
    {"INT8", "[1,128]", E_VALUE_OUT_OF_RANGE, NULL},
    {"INT8", "[1,-129]", E_VALUE_OUT_OF_RANGE, NULL},
    {"UINT16", "[1,65536]", E_VALUE_OUT_OF_RANGE, NULL},
    {"INT16", "[1,32768]", E_VALUE_OUT_OF_RANGE, NULL},
    {"INT32", "[1,2147483648]", E_VALUE_OUT_OF_RANGE, NULL},
    {"INT32", "[1,-2147483649]", E_VALUE_OUT_OF_RANGE, NULL},
    {"UINT32", "[1,4294967296]", E_VALUE_OUT_OF_RANGE, NULL},
    {"INT64", "[1,9223372036854775808]", E_VALUE_OUT_OF_RANGE, NULL},
    {"INT64", "[1,-9223372036854775809]", E_VALUE_OUT_OF_RANGE, NULL},
    {"INT64", "[1,99999999999999999999999]", E_VALUE_OUT_OF_RANGE, NULL},
    {"UINT64", "[1,18446744073709551616]", E_VALUE_OUT_OF_RANGE, NULL},
    {"UINT64", "[1,-18446744073709551615]", E_VALUE_OUT_OF_RANGE, NULL},
    {"BOOL", "[true,2]", E_VALUE_OUT_OF_RANGE, "input \"x\": element 1 is 2, outside BOOL"},
    {"FP32", "[1,1e39]", E_VALUE_OUT_OF_RANGE, "input \"x\": element 1 is 1e39, outside FP32"},
    {"FP32", "[1,-3.4028236e38]", E_VALUE_OUT_OF_RANGE, NULL},
    {"FP64", "[1,1e309]", E_VALUE_OUT_OF_RANGE, NULL},
    {"INT32", "[1,3.7]", E_WRONG_TYPE, "input \"x\": element 1 is 3.7, not an integer for INT32"},
    {"INT32", "[1,1e2]", E_WRONG_TYPE, NULL},
    {"INT32", "[1,1.0]", E_WRONG_TYPE, NULL},
    {"INT32", "[1,\"1\"]", E_WRONG_TYPE,
     "input \"x\": element 1 is \"1\", not an integer for INT32"},
    {"INT32", "[1,true]", E_WRONG_TYPE, NULL},
    {"INT32", "[1,null]", E_WRONG_TYPE, NULL},
    {"FP32", "[1,true]", E_WRONG_TYPE, "input \"x\": element 1 is true, not a number for FP32"},
    {"FP32", "[1,\"1\"]", E_WRONG_TYPE, NULL},
    {"FP32", "[1,\"nan\"]", E_WRONG_TYPE, NULL},
    {"FP32", "[1,\"+Infinity\"]", E_WRONG_TYPE, NULL},
    {"FP32", "[1,\"a string that is longer than any word that is a float can be written\"]",
     E_WRONG_TYPE, NULL},
    {"FP32", "[1,null]", E_WRONG_TYPE, NULL},
    {"FP32", "[1,{}]", E_WRONG_TYPE, NULL},
    {"FP64", "[1,false]", E_WRONG_TYPE, NULL},
    {"BOOL", "[true,\"true\"]", E_WRONG_TYPE, NULL},
    {"BOOL", "[true,0.5]", E_WRONG_TYPE, NULL},
    {"BYTES", "[\"a\",1]", E_WRONG_TYPE, "input \"x\": element 1 is not a string"},
    {"BYTES", "[\"a\",{\"b64\":\"AA==\"}]", E_WRONG_TYPE, NULL},
};

TEST(JS_102_numbers_of_the_wrong_kind)
{
  for (size_t k = 0; k < sizeof wrong_kinds / sizeof *wrong_kinds; k++) {
    const char *field =
        "inputs[0].data[1]";
    expect_fail(read_data(wrong_kinds[k].type, "[2]", wrong_kinds[k].data), wrong_kinds[k].code,
                field, wrong_kinds[k].text);
  }
  static const char *const broken[] = {"[1,NaN]",
                                       "[1,Infinity]",
                                       "[1,-]",
                                       "[1,01]",
                                       "[1,1.]",
                                       "[1,]",
                                       "[1 2]",
                                       "[1,tru]",
                                       "[1,+1]",
                                       "[1,0x1]",
                                       "[1,\"\\x\"]",
                                       "[1,.5]",
                                       "[1,11111111111111111111111111111111111111111111111111111111"
                                       "1111111111111111111111]"};
  for (size_t k = 0; k < sizeof broken / sizeof *broken; k++)
    for (int type = 0; type < 4; type++)
      EXPECT_STR(code_name(read_data(type == 0   ? "FP32"
                                     : type == 1 ? "FP64"
                                     : type == 2 ? "INT64"
                                                 : "BOOL",
                                     "[2]", broken[k])),
                 "BAD_JSON");
}

TEST(JS_103_text_that_is_not_text)
{
  EXPECT_INT(body_read("{\"inputs\":[],\"id\":\"\xff\"}"), E_BAD_JSON);
  EXPECT_INT(body_read("{\"inputs\":[],\"id\":\"\xc0\xaf\"}"), E_BAD_JSON);
  EXPECT_INT(body_read("{\"inputs\":[],\"id\":\"\\ud800\"}"), E_BAD_JSON);
  EXPECT_INT(body_read("\xef\xbb\xbf{\"inputs\":[]}"), E_BAD_JSON);
  EXPECT(strstr(err.text, "byte order mark"));
  EXPECT_INT(infer_read(&arena, slice_of("{\0\"\0", 4), SLICE_NONE, &request, &err), E_BAD_JSON);
  EXPECT_INT(body_read("{\"inputs\":[{\"name\":\"x\\u0000y\",\"shape\":[0],\"datatype\":\"FP32\","
                       "\"data\":[]}]}"),
             E_BAD_NAME);
  expect_fail(err.code, E_BAD_NAME, "inputs[0].name", NULL);
  EXPECT_INT(body_read("{\"inputs\":[],\"outputs\":[{\"name\":\"x\\u0000\"}]}"), E_BAD_NAME);
  expect_fail(read_data("BYTES", "[1]", "[\"\xed\xa0\x80\"]"), E_BAD_JSON, "", NULL);
}

TEST(JS_104_shapes)
{
  static const char *const wrong[] = {"[-1]",
                                      "[9223372036854775808]",
                                      "[2147483648]",
                                      "[1.5]",
                                      "[4294967296,4294967296,4294967296]",
                                      "[1e1]",
                                      "[2147483647,2147483647,2147483647]",
                                      "[0,2147483647,2147483647,2147483647]",
                                      "[1,1,1,1,1,1,1,1,1]"};
  for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++)
    EXPECT_STR(code_name(read_data("FP32", wrong[k], "[1]")), "BAD_SHAPE");
  EXPECT_STR(code_name(read_data("FP32", "\"1\"", "[1]")), "WRONG_TYPE");
  EXPECT_STR(code_name(read_data("FP32", "[\"1\"]", "[1]")), "WRONG_TYPE");
  EXPECT_STR(code_name(read_data("FP32", "null", "[1]")), "WRONG_TYPE");
  EXPECT_STR(code_name(read_data("FP32", "{}", "[1]")), "WRONG_TYPE");
  body_read("{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[1,-3],\"data\":[1]}]}");
  expect_fail(err.code, E_BAD_SHAPE, "inputs[0].shape[1]",
              "input \"x\": dimension -3 is not an integer in 0..2147483647");
  body_read("{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"data\":[1]}]}");
  expect_fail(err.code, E_BAD_SHAPE, "inputs[0]", "input \"x\" has no shape");
  char text[4000] = "{\"inputs\":[{\"name\":\"x\",\"shape\":[1", *to = text + strlen(text);
  for (int i = 1; i < 1000; i++) *to++ = ',', *to++ = '1';
  strcpy(to, "]}]}");
  EXPECT_STR(code_name(body_read(text)), "BAD_SHAPE");
  EXPECT_INT(read_data("FP32", "[0]", "[]"), OK);
  expect_fail(read_data("FP32", "[2,3]", "[1,2,3,4,5]"), E_BAD_SHAPE, "inputs[0].data",
              "input \"x\": shape [2,3] needs 6 values, got 5");
  expect_fail(read_data("INT8", "[2,3]", "[[1,2,3,4],[5,6,7,8]]"), E_BAD_SHAPE, "inputs[0].data",
              "input \"x\": shape [2,3] needs 6 values, got 8");
  expect_fail(read_data("FP64", "[2147483647,2]", "[1]"), E_BAD_SHAPE, "inputs[0].data",
              "input \"x\": shape [2147483647,2] needs 4294967294 values, got 1");
  EXPECT(arena_held(&arena) < 1 << 16);
}

TEST(JS_105_datatypes)
{
  expect_fail(read_data("FP31", "[1]", "[1]"), E_BAD_DATATYPE, "inputs[0].datatype", NULL);
  expect_fail(read_data("fp32", "[1]", "[1]"), E_BAD_DATATYPE, "inputs[0].datatype", NULL);
  expect_fail(read_data("NONE", "[1]", "[1]"), E_BAD_DATATYPE, "inputs[0].datatype", NULL);
  expect_fail(read_data("FP16", "[1]", "[1]"), E_BAD_DATATYPE, "inputs[0].data",
              "input \"x\": FP16 travels binary only; send it with binary_data_size");
  expect_fail(read_data("BF16", "[1]", "[1]"), E_BAD_DATATYPE, "inputs[0].data", NULL);
  expect_fail(read_data("BYTES", "[1]", "[1]"), E_WRONG_TYPE, "inputs[0].data[0]", NULL);
  body_read("{\"inputs\":[{\"name\":\"x\",\"shape\":[1],\"data\":[1]}]}");
  expect_fail(err.code, E_BAD_DATATYPE, "inputs[0]", "input \"x\" has no datatype");
  body_read("{\"inputs\":[{\"name\":\"x\",\"shape\":[1],\"datatype\":1,\"data\":[1]}]}");
  expect_fail(err.code, E_WRONG_TYPE, "inputs[0].datatype", NULL);
}

TEST(JS_106_names_twice)
{
  body_read(
      "{\"inputs\":[{\"name\":\"x\",\"shape\":[0],\"datatype\":\"FP32\",\"data\":[]},"
      "{\"name\":\"x\",\"shape\":[0],\"datatype\":\"FP32\",\"data\":[]}]}");
  expect_fail(err.code, E_INVALID_ARGUMENT, "inputs[1]", "input \"x\" is given twice");
  body_read("{\"inputs\":[],\"outputs\":[{\"name\":\"y\"},{\"name\":\"y\"}]}");
  expect_fail(err.code, E_INVALID_ARGUMENT, "outputs[1]", "output \"y\" is asked twice");
  body_read("{\"inputs\":[{\"shape\":[0],\"datatype\":\"FP32\",\"data\":[]}]}");
  expect_fail(err.code, E_INVALID_ARGUMENT, "inputs[0]", "input 0 has no name");
  body_read("{\"inputs\":[{\"name\":\"\"}]}");
  expect_fail(err.code, E_BAD_NAME, "inputs[0].name", NULL);
  body_read("{\"inputs\":[],\"outputs\":[{}]}");
  expect_fail(err.code, E_INVALID_ARGUMENT, "outputs[0]", NULL);
}
