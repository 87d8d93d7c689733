/* infer_read_test.c - V2 requests: what is read, and the exact code, place and words of what is not.
 * The rows JS-1xx of the robustness catalogue that a codec can answer are named after their id.
 * Thread: main, and one with a small stack.
 * SPDX-License-Identifier: MIT */
#include "wire/infer.h"

#include <pthread.h>

#include "test.h"

static struct arena arena;
static struct infer_request request;
static struct err err;

static enum code read_with_tail(const char *json, struct slice tail)
{
  arena_deinit(&arena);
  arena_init(&arena, 8 << 20, NULL);
  err = (struct err){0};
  return infer_read(&arena, slice_str(json), tail, &request, &err);
}

static enum code read(const char *json) { return read_with_tail(json, SLICE_NONE); }

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
    enum code code = read(text);
    if (k == 0) first = code;
    EXPECT_INT(code, first);
  }
  return first;
}

static void expect_fail(enum code got, enum code want, const char *field, const char *text)
{
  EXPECT_STR(code_name(got), code_name(want));
  EXPECT_STR(err.field, field);
  if (text) EXPECT_STR(err.text, text);
}

/* ---- what is read */

TEST(infer_reads_a_request)
{
  EXPECT_INT(read("{\"id\":\"a\\u00e9\",\"model_name\":\"m\",\"parameters\":{\"binary_data_output\":true,"
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
  EXPECT_INT(read("{\"id\":\"\",\"inputs\":[],\"outputs\":[]}"), OK);
  EXPECT(request.id.len == 0 && request.n_inputs == 0 && request.n_outputs == 0);
  EXPECT_INT(read("{\"id\":null,\"parameters\":null,\"outputs\":null,\"inputs\":[{\"name\":\"x\","
                  "\"parameters\":null,\"shape\":[1],\"datatype\":\"BOOL\",\"data\":[true]}]}"), OK);
  EXPECT_INT(read("{\"inputs\":[],\"parameters\":{\"sequence_id\":\"\"}}"), OK);
  EXPECT(request.sequence_name.len == 0 && request.sequence_number == 0);
  EXPECT_INT(read("{\"inputs\":[],\"parameters\":{\"sequence_id\":\"abc\"}}"), OK);
  EXPECT(slice_eq(request.sequence_name, SLICE("abc")));
}

TEST(infer_nesting_is_free_but_regular)
{
  static const char *const fine[] = {"[1,2,3,4,5,6]", "[[1,2,3],[4,5,6]]", "[[1,2],[3,4],[5,6]]",
                                     "[[[[1,2,3,4,5,6]]]]", "[ [ 1 , 2 , 3 ]\n,\t[ 4,5 , 6 ] ]",
                                     "[[[1],[2],[3]],[[4],[5],[6]]]"};
  static const char *const types[] = {"FP32", "FP64", "INT8", "UINT16", "INT32", "UINT64"};
  for (size_t i = 0; i < sizeof fine / sizeof *fine; i++)
    for (size_t k = 0; k < sizeof types / sizeof *types; k++) {
      EXPECT_INT(read_data(types[k], "[2,3]", fine[i]), OK);
      EXPECT_INT(request.inputs[0].count, 6);
      EXPECT_INT(request.inputs[0].bytes, 6 * dtype_width(request.inputs[0].dtype));
    }
  static const char *const ragged[] = {"[[1,2],[3,4,5,6]]", "[[1,2,3],4,5,6]", "[1,2,3,[4,5,6]]",
                                       "[[1,2,3],[4,5,6],[]]", "[[],[1,2,3,4,5,6]]",
                                       "[[[1,2,3]],[4,5,6]]", "[[1,2,3],[[4,5,6]]]"};
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
  char *to = text + sprintf(text, "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[10000],"
                                  "\"data\":[");
  for (int i = 0; i < 10000; i++)
    to += sprintf(to, i % 997 == 5 ? "%s\"NaN\"" : i & 1 ? "%s %.9g" : "%s%.17g", i ? "," : "",
                  (double)((float)i * 0.37f - 1000));
  sprintf(to, "]}]}");
  EXPECT_INT(read(text), OK);
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
  } rows[] = {{"", "["}, {"", "{\"a\":"}, {"{\"x\":", "["},
              {"{\"inputs\":[{\"name\":\"x\",\"shape\":[1],\"datatype\":\"FP32\",\"data\":", "["},
              {"{\"inputs\":[{\"data\":", "["}, {"{\"inputs\":[{\"name\":\"x\",\"y\":", "{\"a\":"}};
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
    /* The document is an object: an array at the top is refused before its depth shows. */
    EXPECT_STR(code_name(err.code), k == 0 ? "WRONG_TYPE" : "JSON_TOO_DEEP");
    EXPECT(arena_held(&arena) < 1 << 20);
  }
  pthread_attr_destroy(&attr);
}

TEST(JS_102_numbers_of_the_wrong_kind)
{
  static const struct {
    const char *type, *data;
    enum code code;
    const char *text;
  } rows[] = {
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
      {"INT32", "[1,\"1\"]", E_WRONG_TYPE, "input \"x\": element 1 is \"1\", not an integer for INT32"},
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
  for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
    const char *field = strcmp(rows[k].type, "BYTES") ? "inputs[0].data[1]" : "inputs[0].data";
    expect_fail(read_data(rows[k].type, "[2]", rows[k].data), rows[k].code, field, rows[k].text);
  }
  static const char *const broken[] = {"[1,NaN]", "[1,Infinity]", "[1,-]", "[1,01]", "[1,1.]", "[1,]",
                                       "[1 2]", "[1,tru]", "[1,+1]", "[1,0x1]", "[1,\"\\x\"]", "[1,.5]",
                                       "[1,11111111111111111111111111111111111111111111111111111111"
                                       "1111111111111111111111]"};
  for (size_t k = 0; k < sizeof broken / sizeof *broken; k++)
    for (int type = 0; type < 4; type++)
      EXPECT_STR(code_name(read_data(type == 0   ? "FP32"
                                     : type == 1 ? "FP64"
                                     : type == 2 ? "INT64"
                                                 : "BOOL", "[2]", broken[k])), "BAD_JSON");
}

TEST(JS_103_text_that_is_not_text)
{
  EXPECT_INT(read("{\"inputs\":[],\"id\":\"\xff\"}"), E_BAD_JSON);
  EXPECT_INT(read("{\"inputs\":[],\"id\":\"\xc0\xaf\"}"), E_BAD_JSON);
  EXPECT_INT(read("{\"inputs\":[],\"id\":\"\\ud800\"}"), E_BAD_JSON);
  EXPECT_INT(read("\xef\xbb\xbf{\"inputs\":[]}"), E_BAD_JSON);
  EXPECT(strstr(err.text, "byte order mark"));
  EXPECT_INT(infer_read(&arena, slice_of("{\0\"\0", 4), SLICE_NONE, &request, &err), E_BAD_JSON);
  EXPECT_INT(read("{\"inputs\":[{\"name\":\"x\\u0000y\",\"shape\":[0],\"datatype\":\"FP32\",\"data\":[]}]}"),
             E_BAD_NAME);
  expect_fail(err.code, E_BAD_NAME, "inputs[0].name", NULL);
  EXPECT_INT(read("{\"inputs\":[],\"outputs\":[{\"name\":\"x\\u0000\"}]}"), E_BAD_NAME);
  expect_fail(read_data("BYTES", "[1]", "[\"\xed\xa0\x80\"]"), E_BAD_JSON, "", NULL);
}

TEST(JS_104_shapes)
{
  static const char *const wrong[] = {"[-1]", "[9223372036854775808]", "[2147483648]", "[1.5]",
                                      "[4294967296,4294967296,4294967296]", "[1e1]",
                                      "[2147483647,2147483647,2147483647]",
                                      "[0,2147483647,2147483647,2147483647]",
                                      "[1,1,1,1,1,1,1,1,1]"};
  for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++)
    EXPECT_STR(code_name(read_data("FP32", wrong[k], "[1]")), "BAD_SHAPE");
  EXPECT_STR(code_name(read_data("FP32", "\"1\"", "[1]")), "WRONG_TYPE");
  EXPECT_STR(code_name(read_data("FP32", "[\"1\"]", "[1]")), "WRONG_TYPE");
  EXPECT_STR(code_name(read_data("FP32", "null", "[1]")), "WRONG_TYPE");
  EXPECT_STR(code_name(read_data("FP32", "{}", "[1]")), "WRONG_TYPE");
  read("{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[1,-3],\"data\":[1]}]}");
  expect_fail(err.code, E_BAD_SHAPE, "inputs[0].shape[1]",
              "input \"x\": dimension -3 is not an integer in 0..2147483647");
  read("{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"data\":[1]}]}");
  expect_fail(err.code, E_BAD_SHAPE, "inputs[0]", "input \"x\" has no shape");
  char text[4000] = "{\"inputs\":[{\"name\":\"x\",\"shape\":[1", *to = text + strlen(text);
  for (int i = 1; i < 1000; i++) *to++ = ',', *to++ = '1';
  strcpy(to, "]}]}");
  EXPECT_STR(code_name(read(text)), "BAD_SHAPE");
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
  expect_fail(read_data("BYTES", "[1]", "[1]"), E_WRONG_TYPE, "inputs[0].data", NULL);
  read("{\"inputs\":[{\"name\":\"x\",\"shape\":[1],\"data\":[1]}]}");
  expect_fail(err.code, E_BAD_DATATYPE, "inputs[0]", "input \"x\" has no datatype");
  read("{\"inputs\":[{\"name\":\"x\",\"shape\":[1],\"datatype\":1,\"data\":[1]}]}");
  expect_fail(err.code, E_WRONG_TYPE, "inputs[0].datatype", NULL);
}

TEST(JS_106_names_twice)
{
  read("{\"inputs\":[{\"name\":\"x\",\"shape\":[0],\"datatype\":\"FP32\",\"data\":[]},"
       "{\"name\":\"x\",\"shape\":[0],\"datatype\":\"FP32\",\"data\":[]}]}");
  expect_fail(err.code, E_INVALID_ARGUMENT, "inputs[1]", "input \"x\" is given twice");
  read("{\"inputs\":[],\"outputs\":[{\"name\":\"y\"},{\"name\":\"y\"}]}");
  expect_fail(err.code, E_INVALID_ARGUMENT, "outputs[1]", "output \"y\" is asked twice");
  read("{\"inputs\":[{\"shape\":[0],\"datatype\":\"FP32\",\"data\":[]}]}");
  expect_fail(err.code, E_INVALID_ARGUMENT, "inputs[0]", "input 0 has no name");
  read("{\"inputs\":[{\"name\":\"\"}]}");
  expect_fail(err.code, E_BAD_NAME, "inputs[0].name", NULL);
  read("{\"inputs\":[],\"outputs\":[{}]}");
  expect_fail(err.code, E_INVALID_ARGUMENT, "outputs[0]", NULL);
}

static char many[400000];

static const char *many_make(const char *list, int n)
{
  char *to = many + sprintf(many, "{%s\"%s\":[", strcmp(list, "inputs") ? "\"inputs\":[]," : "", list);
  for (int i = 0; i < n; i++)
    to += sprintf(to, "%s{\"name\":\"n%d\"%s}", i ? "," : "", i,
                  strcmp(list, "inputs") ? "" : ",\"shape\":[1],\"datatype\":\"INT8\",\"data\":[1]");
  sprintf(to, "]}");
  return many;
}

TEST(JS_107_many_outputs_and_classes)
{
  EXPECT_INT(read(many_make("outputs", 64)), OK);
  EXPECT_INT(request.n_outputs, 64);
  EXPECT_INT(read(many_make("inputs", 64)), OK);
  EXPECT_INT(request.n_inputs, 64);
  EXPECT(slice_eq(request.inputs[63].name, SLICE("n63")));
  expect_fail(read(many_make("outputs", 10000)), E_INVALID_ARGUMENT, "outputs", "more than 64 outputs");
  expect_fail(read(many_make("inputs", 65)), E_INVALID_ARGUMENT, "inputs", "more than 64 inputs");
  EXPECT_INT(read("{\"inputs\":[],\"outputs\":[{\"name\":\"y\",\"parameters\":{\"classification\":1000000}}]}"),
             OK);
  read("{\"inputs\":[],\"outputs\":[{\"name\":\"y\",\"parameters\":{\"classification\":1000000000}}]}");
  expect_fail(err.code, E_VALUE_OUT_OF_RANGE, "outputs[0].parameters.classification",
              "parameter \"classification\" is 1000000000, it must be 0 to 1000000");
  read("{\"inputs\":[],\"outputs\":[{\"name\":\"y\",\"parameters\":{\"classification\":-1}}]}");
  EXPECT_STR(code_name(err.code), "VALUE_OUT_OF_RANGE");
  read("{\"inputs\":[],\"outputs\":[{\"name\":\"y\",\"parameters\":{\"classification\":true}}]}");
  EXPECT_STR(code_name(err.code), "WRONG_TYPE");
  read("{\"inputs\":[],\"outputs\":[{\"name\":\"y\",\"parameters\":{\"binary_data\":1}}]}");
  expect_fail(err.code, E_WRONG_TYPE, "outputs[0].parameters.binary_data", NULL);
}

#define BINARY(size, type, shape)                                                        \
  "{\"inputs\":[{\"name\":\"x\",\"shape\":" shape ",\"datatype\":\"" type                \
  "\",\"parameters\":{\"binary_data_size\":" size "}}]}"

TEST(JS_108_binary_sizes)
{
  struct slice eight = slice_of("\0\0\x80\x3f\0\0\0\x40", 8);
  EXPECT_INT(read_with_tail(BINARY("8", "FP32", "[2]"), eight), OK);
  EXPECT(((float *)request.inputs[0].data)[1] == 2.0f);
  const char *where = "inputs[0].parameters.binary_data_size";
  expect_fail(read_with_tail(BINARY("-8", "FP32", "[2]"), eight), E_BAD_SIZE, where, NULL);
  expect_fail(read_with_tail(BINARY("99999999999999999999999", "FP32", "[2]"), eight), E_BAD_SIZE, where,
              NULL);
  expect_fail(read_with_tail(BINARY("12", "FP32", "[3]"), eight), E_BAD_SIZE, where, NULL);
  expect_fail(read_with_tail(BINARY("8", "FP32", "[3]"), eight), E_BAD_SIZE, where,
              "input \"x\": shape [3] of FP32 needs 3 values of 4 bytes, got 8 bytes");
  expect_fail(read_with_tail(BINARY("8", "FP32", "[2147483647,2147483647,2]"), eight), E_BAD_SIZE, where,
              NULL);
  expect_fail(read_with_tail(BINARY("7", "FP32", "[2]"), eight), E_BAD_SIZE, where, NULL);
  expect_fail(read_with_tail(BINARY("4", "FP32", "[1]"), eight), E_BAD_SIZE, "", NULL);
  EXPECT(strstr(err.text, "4 bytes are left over"));
  expect_fail(read_with_tail("{\"inputs\":[]}", eight), E_BAD_SIZE, "", NULL);
  expect_fail(read_with_tail(BINARY("8.0", "FP32", "[2]"), eight), E_WRONG_TYPE, where, NULL);
  expect_fail(read_with_tail(BINARY("\"8\"", "FP32", "[2]"), eight), E_WRONG_TYPE, where, NULL);
  expect_fail(read("{\"inputs\":[{\"name\":\"x\",\"shape\":[1],\"datatype\":\"FP32\",\"data\":[1],"
                   "\"parameters\":{\"binary_data_size\":4}}]}"),
              E_INVALID_ARGUMENT, "inputs[0]",
              "input \"x\" has both data and binary_data_size");
  expect_fail(read("{\"inputs\":[{\"name\":\"x\",\"shape\":[1],\"datatype\":\"FP32\",\"data\":null}]}"),
              E_INVALID_ARGUMENT, "inputs[0]",
              "input \"x\" has neither data nor binary_data_size");
  EXPECT_INT(read("{\"inputs\":[{\"name\":\"x\",\"shape\":[0,4],\"datatype\":\"FP32\",\"data\":null,"
                  "\"parameters\":{\"binary_data_size\":0}}]}"), OK);
  EXPECT(request.inputs[0].count == 0 && request.inputs[0].bytes == 0);
}

TEST(JS_108_mixed_and_misaligned)
{
  /* INT8 first, so the floats start one byte off; then JSON; then BYTES. */
  static _Alignas(16) const char body[] = "\x05\0\0\x80\x3f\x02\0\0\0hi\0\0\0\0";
  const char *json =
      "{\"inputs\":["
      "{\"name\":\"a\",\"shape\":[1],\"datatype\":\"INT8\",\"parameters\":{\"binary_data_size\":1}},"
      "{\"name\":\"b\",\"shape\":[1],\"datatype\":\"FP32\",\"parameters\":{\"binary_data_size\":4}},"
      "{\"name\":\"c\",\"shape\":[2],\"datatype\":\"INT32\",\"data\":[3,4]},"
      "{\"name\":\"d\",\"shape\":[2],\"datatype\":\"BYTES\",\"parameters\":{\"binary_data_size\":10}}]}";
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
  static const char *const reserved[] = {"triton_enable_empty_final_response", "triton_", "headers",
                                         "slipway_", "slipway_tenant", "shared_memory_region"};
  for (size_t k = 0; k < sizeof reserved / sizeof *reserved; k++) {
    char text[200], field[100];
    sprintf(text, "{\"inputs\":[],\"parameters\":{\"%s\":true}}", reserved[k]);
    sprintf(field, "parameters.%s", reserved[k]);
    expect_fail(read(text), E_RESERVED_PARAMETER, field, NULL);
  }
  EXPECT_INT(read("{\"inputs\":[],\"parameters\":{\"slipway_debug\":false,\"tritonish\":1}}"), OK);
  static const char *const wrong[] = {
      "{\"timeout\":-1}", "{\"priority\":\"high\"}", "{\"timeout\":1.5}", "{\"sequence_id\":-3}",
      "{\"sequence_id\":true}", "{\"sequence_start\":1}", "{\"binary_data_output\":\"true\"}",
      "{\"slipway_debug\":1}", "{\"k\":null}", "{\"k\":[]}", "{\"k\":{\"a\":1}}", "[]", "\"x\""};
  for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
    char text[200];
    sprintf(text, "{\"inputs\":[],\"parameters\":%s}", wrong[k]);
    enum code code = read(text);
    EXPECT(code == E_WRONG_TYPE || code == E_VALUE_OUT_OF_RANGE);
    EXPECT(strncmp(err.field, "parameters", 10) == 0);
  }
  char *to = many + sprintf(many, "{\"inputs\":[],\"parameters\":{");
  for (int i = 0; i < 65; i++) to += sprintf(to, "%s\"k%d\":%d", i ? "," : "", i, i);
  sprintf(to, "}}");
  expect_fail(read(many), E_INVALID_ARGUMENT, "parameters", "more than 64 parameters");
  sprintf(strstr(many, ",\"k64\""), "}}");
  EXPECT_INT(read(many), OK);
  EXPECT_INT(request.n_others, 64);
  EXPECT(slice_eq(request.others[63].key, SLICE("k63")) && slice_eq(request.others[0].key, SLICE("k0")));
}

TEST(JS_114_documents)
{
  static const char *const broken[] = {"", "{", "{}x", "{}{}", "{\"inputs\":[]}\n{}", "{\"inputs\":[]}/**/",
                                       "{\"inputs\":[],}", "{\"inputs\":[}"};
  for (size_t k = 0; k < sizeof broken / sizeof *broken; k++)
    EXPECT_STR(code_name(read(broken[k])), "BAD_JSON");
  static const char *const others[] = {"[]", "\"x\"", "1", "null", "[{}]", "true"};
  for (size_t k = 0; k < sizeof others / sizeof *others; k++)
    EXPECT_STR(code_name(read(others[k])), "WRONG_TYPE");
  expect_fail(read("{}"), E_INVALID_ARGUMENT, "inputs", "the request has no inputs");
  expect_fail(read("{\"inputs\":{}}"), E_WRONG_TYPE, "inputs", NULL);
  expect_fail(read("{\"inputs\":null}"), E_WRONG_TYPE, "inputs", NULL);
  expect_fail(read("{\"inputs\":[1]}"), E_WRONG_TYPE, "inputs", NULL);
  expect_fail(read("{\"inputs\":[],\"outputs\":[\"y\"]}"), E_WRONG_TYPE, "outputs", NULL);
  expect_fail(read("{\"inputs\":[],\"inputs\":[]}"), E_DUPLICATE_KEY, "", NULL);
  expect_fail(read("{\"inputs\":[{\"name\":\"x\",\"name\":\"y\"}]}"), E_DUPLICATE_KEY, "", NULL);
  expect_fail(read("{\"inputs\":[],\"unknown\":{\"a\":[{\"b\":1,\"b\":2}]}}"), E_DUPLICATE_KEY, "", NULL);
}

TEST(JS_116_shared_memory_parameters)
{
  read("{\"inputs\":[{\"name\":\"x\",\"shape\":[1],\"datatype\":\"FP32\","
       "\"parameters\":{\"shared_memory_region\":\"r\"}}]}");
  expect_fail(err.code, E_RESERVED_PARAMETER, "inputs[0].parameters.shared_memory_region", NULL);
  read("{\"inputs\":[],\"outputs\":[{\"name\":\"x\",\"parameters\":{\"shared_memory_byte_size\":4}}]}");
  expect_fail(err.code, E_RESERVED_PARAMETER, "outputs[0].parameters.shared_memory_byte_size", NULL);
}

TEST(JS_117_ids)
{
  char text[400];
  sprintf(text, "{\"inputs\":[],\"id\":\"%0256d\"}", 1);
  EXPECT_INT(read(text), OK);
  EXPECT_INT(request.id.len, 256);
  sprintf(text, "{\"inputs\":[],\"id\":\"%0257d\"}", 1);
  expect_fail(read(text), E_INVALID_ARGUMENT, "id", NULL);
  expect_fail(read("{\"inputs\":[],\"id\":7}"), E_WRONG_TYPE, "id", NULL);
  EXPECT_INT(read("{\"inputs\":[],\"id\":\"%n\\u001b[31m\\r\\n\"}"), OK);
  EXPECT(slice_eq(request.id, SLICE("%n\x1b[31m\r\n")));
}

TEST(infer_client_text_in_errors_is_cut_and_clean)
{
  char text[2000];
  memset(text, 0, sizeof text);
  char *to = text + sprintf(text, "{\"inputs\":[{\"name\":\"\\u001b[31m\\n");
  memset(to, 'n', 500);
  sprintf(to + 500, "\",\"shape\":[1],\"datatype\":\"FP32\",\"data\":[true]}]}");
  EXPECT_INT(read(text), E_WRONG_TYPE);
  EXPECT(strlen(err.text) < 160);
  EXPECT(!strchr(err.text, 27) && !strchr(err.text, '\n'));
}

/* A deep or long hostile body must not take more than 4 times its size and a mebibyte. */
TEST(infer_memory_is_bounded_by_the_body)
{
  enum { SIZE = 1 << 20 };
  static char text[SIZE + 200];
  static const char *const units[] = {"0,", "\"\",", "\"\\n\",", "[],", "{},", "{\"a\":1,\"b\":2},", "[0],"};
  static const char *const types[] = {"FP64", "BYTES", "BYTES", "FP32", "BYTES", "BYTES", "INT64"};
  for (size_t k = 0; k < sizeof units / sizeof *units; k++) {
    size_t each = strlen(units[k]), n = SIZE / each;
    char *to = text + sprintf(text, "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"%s\",\"shape\":[%zu],"
                                    "\"data\":[", types[k], n);
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
  EXPECT_INT(infer_read(&arena, SLICE(BINARY("400", "FP32", "[100]")),
                        slice_of(many + 1, 400), &request, &err), E_OUT_OF_MEMORY);
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
  EXPECT_INT(infer_split(body, SLICE("000006"), &json, &tail, &raw, &err), OK);
  EXPECT(json.len == 6 && tail.len == 0);
  EXPECT_INT(infer_split(body, SLICE("0"), &json, &tail, &raw, &err), OK);
  EXPECT(raw && tail.len == 6);
  EXPECT_INT(infer_split(SLICE_NONE, SLICE("0"), &json, &tail, &raw, &err), OK);
  EXPECT(raw && tail.len == 0);
  EXPECT_INT(infer_split(body, SLICE("7"), &json, &tail, &raw, &err), E_BAD_SIZE);
  static const char *const wrong[] = {"", "+2", "-1", "0x2", "2 ", " 2", "2,2", "2.0", "1e1", "two",
                                      "0000000000000000002", "99999999999999999999"};
  for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++)
    EXPECT_INT(infer_split(body, slice_str(wrong[k]), &json, &tail, &raw, &err), E_INVALID_ARGUMENT);
}
