/* json_test.c - what the JSON reader takes and refuses, and what the writer writes.
 * The tables follow the naming of JSONTestSuite (y must be accepted, n refused, i is free and
 * pinned here), with cases of our own.
 * Thread: main, and one with a small stack.
 * SPDX-License-Identifier: MIT */
#include "wire/json.h"

#include <pthread.h>

#include "base/mem.h"
#include "test.h"

static enum code read_all(struct slice text, struct err *err)
{
  struct arena arena;
  struct json json;
  arena_init(&arena, 64 << 20, NULL);
  json_init(&json, &arena, text, err);
  enum json_kind kind;
  do kind = json_next(&json);
  while (kind != JSON_BAD && kind != JSON_DONE);
  enum code code = json.code;
  /* The skipping way must agree with the reading one. */
  struct json again;
  json_init(&again, &arena, text, NULL);
  enum code skipped = json_skip(&again, NULL);
  if (skipped == OK) skipped = json_end(&again);
  EXPECT_INT(skipped, code);
  arena_deinit(&arena);
  return code;
}

static void expect_code(struct slice text, enum code want)
{
  struct err err = {0};
  enum code got = read_all(text, &err);
  if (got == want) return;
  printf("'%.*s' is %s (%s), expected %s\n", (int)(text.len < 80 ? text.len : 80), text.at,
         code_name(got), err.text, code_name(want));
  EXPECT(got == want);
}

#define S(literal)               \
  {                              \
    literal, sizeof(literal) - 1 \
  }

/* clang-format off */
static const struct slice accepted[] = {
    S("[]"), S("{}"), S("null"), S("true"), S("false"), S("0"), S("-0"), S("\"\""), S(" [ ] "),
    S("\t\n\r [1 , 2 ]\n"), S("[null,1,true,false,\"x\",{},[]]"), S("[1e1]"), S("[1E+1]"),
    S("[1e-1]"), S("[0e0]"), S("[0E+1]"), S("[1.5e300]"), S("[-0.0]"), S("[-1]"), S("[123e45]"),
    S("[0.1]"), S("[123.456789]"), S("[9007199254740993]"), S("[18446744073709551616]"),
    S("[-0.0000000000000000000000000000000000000000000000000000000000000000000000000000000001]"),
    S("{\"a\":1}"), S("{\"a\":1,\"b\":2}"), S("{\"\":0}"), S("{\"a\":{\"a\":1}}"),
    S("[{\"a\":1},{\"a\":1}]"), S("{\"a\\u0000b\":1}"), S("[\"\\u0060\\u012a\\u12AB\"]"),
    S("[\"\\uD801\\udc37\"]"), S("[\"\\ud83d\\ude39\\ud83d\\udc8d\"]"),
    S("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]"), S("[\"\\u0000\"]"), S("[\"\\uFFFF\"]"), S("[\"\x7f\"]"),
    S("[\"\xc3\xa9\"]"), S("[\"\xe2\x80\xa8\"]"), S("[\"\xf0\x9f\x98\xb9\"]"),
    S("[\"\xf4\x8f\xbf\xbf\"]"), S("[\"\xef\xbf\xbf\"]"), S("[\"/*comment*/\"]"),
    S("[\"long enough to be read by the word, and more of it\"]"), S("[\"\\ud800\\udc00x\"]"),
    S("\"a\""),
};
/* clang-format on */

TEST(json_accepts)
{
  for (size_t i = 0; i < sizeof accepted / sizeof *accepted; i++) expect_code(accepted[i], OK);
}

/* clang-format off */
static const struct slice refused[] = {
    S(""), S(" "), S("["), S("]"), S("{"), S("}"), S("[1"), S("[1,"), S("[,1]"), S("[1,]"),
    S("[1,,2]"), S("[1 2]"), S("[1:2]"), S("[1}"), S("{1:1}"), S("{a:1}"), S("{'a':1}"),
    S("{\"a\"}"), S("{\"a\":}"), S("{\"a\" 1}"), S("{\"a\"::1}"), S("{\"a\":1,}"), S("{,\"a\":1}"),
    S("{\"a\":1 \"b\":2}"), S("{\"a\":1]"), S("{\"a\":1"), S("{\"a"), S("{\"a\":\"b"), S("[1]x"),
    S("[1]]"), S("[][]"), S("{}{}"), S("1 2"), S("{}#"), S("{}/**/"), S("[1]//x"), S("/**/[1]"),
    S("[1 /*x*/]"), S("tru"), S("True"), S("TRUE"), S("truee"), S("nul"), S("nulll"), S("fals"),
    S("NaN"), S("[NaN]"), S("[-NaN]"), S("[Infinity]"), S("[-Infinity]"), S("[inf]"), S("[+1]"),
    S("[01]"), S("[-01]"), S("[00]"), S("[-]"), S("[.5]"), S("[-.5]"), S("[2.]"), S("[2.e3]"),
    S("[1.]"), S("[1e]"), S("[1e+]"), S("[1E-]"), S("[1e1.5]"), S("[0x10]"), S("[1_000]"),
    S("[1a]"), S("[1.2.3]"), S("[--1]"), S("[1-2]"), S("[1+2]"), S("[0e]"), S("[0.]"), S("[0.e1]"),
    S("[1eE2]"), S("[\xef\xbc\x91]"), S("[\"]"), S("[\"\\\"]"), S("[\"\\\\\\\"]"), S("[\"\\x\"]"),
    S("[\"\\a\"]"), S("[\"\\0\"]"), S("[\"\\u\"]"), S("[\"\\u12\"]"), S("[\"\\u123\"]"),
    S("[\"\\u123g\"]"), S("[\"\\U0041\"]"), S("[\"\\"), S("[\"\\u"), S("[\"\\u0041"),
    S("[\"\n\"]"), S("[\"\t\"]"), S("[\"\0\"]"), S("[\"a\x1f\"]"), S("[\"\\\0\"]"), S("['a']"),
    S("[a]"), S("[\"a\" \"b\"]"), S("[\"a\":1]"), S("[\f]"), S("[\v1]"), S("[\xc2\xa0]"),
    S("[\xe2\x81\xa0]"), S("\xef\xbb\xbf[]"), S("\xef\xbb\xbf"), S("\xff\xfe[\0]\0"), S("\0[\0]"),
    S("[]\0"), S("\xfe\xff\0[\0]"), S("[\"\\ud800\"]"), S("[\"\\udc00\"]"),
    S("[\"\\ud800\\ud800\"]"), S("[\"\\ud800a\"]"), S("[\"\\ud800\\n\"]"),
    S("[\"\\udc00\\ud800\"]"), S("[\"\\ud83d\\u\"]"), S("[\"\\ud83d\\u00\"]"),
    S("{\"\\ud800\":1}"), S("[\"\xff\"]"), S("[\"\x80\"]"), S("[\"\xc0\xaf\"]"),
    S("[\"\xc1\xbf\"]"), S("[\"\xe0\x80\xaf\"]"), S("[\"\xf0\x80\x80\xaf\"]"),
    S("[\"\xed\xa0\x80\"]"), S("[\"\xed\xbf\xbf\"]"), S("[\"\xf4\x90\x80\x80\"]"),
    S("[\"\xf8\x88\x80\x80\x80\"]"), S("[\"\xc3\"]"), S("[\"\xe2\x82\"]"), S("[\"\xe2\x82"),
    S("{\"\xff\":1}"), S("[\"seven c\xff\"]"), S("*"), S("<html>"), S("[1]\x01"),
};
/* clang-format on */

TEST(json_refuses)
{
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) expect_code(refused[i], E_BAD_JSON);
}

TEST(json_duplicate_keys)
{
  expect_code(SLICE("{\"a\":1,\"a\":1}"), E_DUPLICATE_KEY);
  expect_code(SLICE("{\"a\":1,\"\\u0061\":1}"), E_DUPLICATE_KEY);
  expect_code(SLICE("{\"\":1,\"\":1}"), E_DUPLICATE_KEY);
  expect_code(SLICE("{\"x\":[{\"y\":{\"k\":1,\"k\":2}}]}"), E_DUPLICATE_KEY);
  expect_code(SLICE("{\"a\":{\"b\":1},\"b\":{\"a\":2},\"c\":{\"c\":{\"c\":0}}}"), OK);
  expect_code(SLICE("{\"a\":1,\"A\":2,\"a \":3}"), OK);
  expect_code(SLICE("{\"a\":{\"b\":{},\"c\":{}},\"a\":0}"), E_DUPLICATE_KEY);
}

/* n keys k0..k(n-1), then k`again` if that is not negative. */
static struct slice keys_make(char *to, int n, int again)
{
  size_t len = 0;
  to[len++] = '{';
  for (int i = 0; i < n; i++) len += (size_t)sprintf(to + len, "%s\"k%d\":%d", i ? "," : "", i, i);
  if (again >= 0) len += (size_t)sprintf(to + len, ",\"k%d\":0", again);
  to[len++] = '}';
  return slice_of(to, len);
}

TEST(json_duplicate_keys_in_objects_of_every_size)
{
  static char text[20000];
  for (int n = 1; n <= 1023; n += n < 40 ? 1 : 41) {
    expect_code(keys_make(text, n, -1), OK);
    expect_code(keys_make(text, n, 0), E_DUPLICATE_KEY);
    expect_code(keys_make(text, n, n / 2), E_DUPLICATE_KEY);
    expect_code(keys_make(text, n, n - 1), E_DUPLICATE_KEY);
  }
  expect_code(keys_make(text, 1024, -1), OK);
  expect_code(keys_make(text, 1025, -1), E_BAD_JSON);
}

/* Objects inside objects while the outer one's keys are sorted already. */
TEST(json_keys_of_nested_objects_do_not_mix)
{
  static char text[200000];
  size_t len = 0;
  text[len++] = '{';
  for (int i = 0; i < 60; i++) {
    static char inner[2000];
    struct slice in = keys_make(inner, i, -1);
    len += (size_t)sprintf(text + len, "%s\"k%d\":%.*s", i ? "," : "", i, (int)in.len, in.at);
  }
  size_t fine = len;
  text[len++] = '}';
  expect_code(slice_of(text, len), OK);
  len = fine + (size_t)sprintf(text + fine, ",\"k7\":1}");
  expect_code(slice_of(text, len), E_DUPLICATE_KEY);
}

TEST(json_depth)
{
  char text[300];
  memset(text, '[', 65);
  memset(text + 64, ']', 64);
  expect_code(slice_of(text, 128), OK);
  memset(text, '[', 65);
  memset(text + 65, ']', 65);
  expect_code(slice_of(text, 130), E_JSON_TOO_DEEP);
}

static struct slice deep;

static void *deep_read(void *arg)
{
  struct err *err = arg;
  read_all(deep, err);
  return NULL;
}

TEST(json_100000_levels_on_a_small_stack)
{
  static char text[600000];
  pthread_attr_t attr;
  pthread_t thread;
  pthread_attr_init(&attr);
  pthread_attr_setstacksize(&attr, 256 << 10);
  for (int round = 0; round < 2; round++) {
    const char *unit = round ? "{\"a\":" : "[";
    size_t each = strlen(unit);
    for (int i = 0; i < 100000; i++) memcpy(text + (size_t)i * each, unit, each);
    deep = slice_of(text, 100000 * each);
    struct err err = {0};
    EXPECT(pthread_create(&thread, &attr, deep_read, &err) == 0);
    pthread_join(thread, NULL);
    EXPECT_INT(err.code, E_JSON_TOO_DEEP);
  }
  pthread_attr_destroy(&attr);
}

TEST(json_number_length)
{
  char text[3000];
  memset(text, '1', sizeof text);
  expect_code(slice_of(text, 64), OK);
  expect_code(slice_of(text, 65), E_BAD_JSON);
  memset(text, '0', sizeof text);
  text[1] = '.';
  text[1000] = '5';
  expect_code(slice_of(text, 1001), OK); /* zeros right after the point are free */
  text[2000] = '5';
  text[1000] = '0';
  expect_code(slice_of(text, 2001), E_BAD_JSON); /* but not without end */
}

TEST(json_string_length)
{
  size_t max = JSON_STRING_MAX;
  char *text = grab(max + 8);
  memset(text, 'x', max + 8);
  text[0] = text[max + 1] = '"';
  expect_code(slice_of(text, max + 2), OK);
  text[max + 1] = 'x';
  text[max + 2] = '"';
  expect_code(slice_of(text, max + 3), E_BAD_JSON);
  ungrab(text);
}

TEST(json_tokens_and_unescaping)
{
  struct arena arena;
  struct json json;
  struct err err = {0};
  arena_init(&arena, 1 << 16, NULL);
  json_init(&json, &arena,
            SLICE(" {\"a\\n\\u00e9\\ud83d\\ude39\" : [\"plain\", -1.5e3, true,false,null ,{}]} "),
            &err);
  EXPECT_INT(json_next(&json), JSON_OBJECT);
  EXPECT_INT(json_next(&json), JSON_KEY);
  EXPECT(slice_eq(json.text, SLICE("a\n\xc3\xa9\xf0\x9f\x98\xb9")));
  EXPECT_INT(json_next(&json), JSON_ARRAY);
  EXPECT_INT(json_next(&json), JSON_STRING);
  EXPECT(slice_eq(json.text, SLICE("plain")));
  EXPECT_INT(json_next(&json), JSON_NUMBER);
  EXPECT(slice_eq(json.text, SLICE("-1.5e3")));
  EXPECT_INT(json_next(&json), JSON_TRUE);
  EXPECT_INT(json_next(&json), JSON_FALSE);
  EXPECT_INT(json_next(&json), JSON_NULL);
  EXPECT_INT(json_next(&json), JSON_OBJECT);
  EXPECT_INT(json_next(&json), JSON_OBJECT_END);
  EXPECT_INT(json_next(&json), JSON_ARRAY_END);
  EXPECT_INT(json_next(&json), JSON_OBJECT_END);
  EXPECT_INT(json_next(&json), JSON_DONE);
  EXPECT_INT(json_next(&json), JSON_DONE);
  EXPECT_INT(json_end(&json), OK);
  arena_deinit(&arena);
}

TEST(json_errors_carry_the_offset)
{
  struct err err = {0};
  read_all(SLICE("[1, 2, x]"), &err);
  EXPECT_STR(err.text, "the JSON text is refused at byte 7: a value is due");
  read_all(SLICE("{\"a\":1,\"a\":2}"), &err);
  EXPECT_STR(err.text, "key \"a\" is twice in one object, at byte 7");
  read_all(SLICE("{} x"), &err);
  EXPECT_STR(err.text, "the JSON text is refused at byte 3: bytes after the end of the document");
}

TEST(json_skip_gives_the_raw_text)
{
  struct arena arena;
  struct json json;
  struct err err = {0};
  struct slice raw = SLICE_NONE;
  arena_init(&arena, 1 << 16, NULL);
  json_init(&json, &arena, SLICE("{\"a\" :  [1, {\"b\":\"\\n\"}] , \"c\":\"x\",\"d\":7}"), &err);
  EXPECT_INT(json_next(&json), JSON_OBJECT);
  EXPECT_INT(json_next(&json), JSON_KEY);
  EXPECT_INT(json_skip(&json, &raw), OK);
  EXPECT(slice_eq(raw, SLICE("[1, {\"b\":\"\\n\"}]")));
  EXPECT_INT(json_next(&json), JSON_KEY);
  EXPECT_INT(json_skip(&json, &raw), OK);
  EXPECT(slice_eq(raw, SLICE("\"x\"")));
  EXPECT_INT(json_next(&json), JSON_KEY);
  EXPECT_INT(json_skip(&json, NULL), OK);
  EXPECT_INT(json_next(&json), JSON_OBJECT_END);
  EXPECT_INT(json_skip(&json, NULL), E_BAD_JSON); /* nothing there to skip: said, not skipped */
  EXPECT_INT(arena_held(&arena), 0);              /* and skipping took no memory */
  arena_deinit(&arena);
}

TEST(json_read_values)
{
  struct arena arena;
  struct json json;
  struct err err = {0};
  struct slice text;
  bool yes = false;
  int64_t i = 0;
  uint64_t u = 0;
  double d = 0;
  arena_init(&arena, 1 << 16, NULL);
  json_init(&json, &arena,
            SLICE("[\"s\",true,-9223372036854775808,18446744073709551615,1e-3,-1,1.0,"
                  "9223372036854775808,\"x\"]"),
            &err);
  EXPECT_INT(json_next(&json), JSON_ARRAY);
  EXPECT_INT(json_read_str(&json, &text), OK);
  EXPECT(slice_eq(text, SLICE("s")));
  EXPECT_INT(json_read_bool(&json, &yes), OK);
  EXPECT(yes);
  EXPECT_INT(json_read_i64(&json, &i), OK);
  EXPECT(i == INT64_MIN);
  EXPECT_INT(json_read_u64(&json, &u), OK);
  EXPECT(u == UINT64_MAX);
  EXPECT_INT(json_read_f64(&json, &d), OK);
  EXPECT(d == 1e-3);
  EXPECT_INT(json_read_u64(&json, &u), E_VALUE_OUT_OF_RANGE);
  EXPECT_INT(json.code, E_VALUE_OUT_OF_RANGE);
  EXPECT_INT(json_next(&json), JSON_BAD);
  static const char *const wrong[] = {"1.0", "1e2", "\"1\"", "true", "null", "[]", "{}"};
  for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
    json_init(&json, &arena, slice_str(wrong[k]), &err);
    EXPECT_INT(json_read_i64(&json, &i), E_WRONG_TYPE);
    json_init(&json, &arena, slice_str(wrong[k]), &err);
    EXPECT_INT(json_read_u64(&json, &u), E_WRONG_TYPE);
  }
  json_init(&json, &arena, SLICE("9223372036854775808"), &err);
  EXPECT_INT(json_read_i64(&json, &i), E_VALUE_OUT_OF_RANGE);
  json_init(&json, &arena, SLICE("18446744073709551616"), &err);
  EXPECT_INT(json_read_u64(&json, &u), E_VALUE_OUT_OF_RANGE);
  json_init(&json, &arena, SLICE("1e400"), &err);
  EXPECT_INT(json_read_f64(&json, &d), E_VALUE_OUT_OF_RANGE);
  json_init(&json, &arena, SLICE("{\"k\":7}"), &err);
  EXPECT_INT(json_next(&json), JSON_OBJECT);
  EXPECT_INT(json_next(&json), JSON_KEY);
  EXPECT(json_key_is(&json, "k"));
  EXPECT_INT(json_read_str(&json, &text), E_WRONG_TYPE);
  EXPECT_STR(err.text, "\"k\" is not a string, at byte 5");
  arena_deinit(&arena);
}

TEST(json_arena_at_its_cap)
{
  static char text[20000];
  struct arena arena;
  struct json json;
  struct err err = {0};
  arena_init(&arena, 64, NULL);
  json_init(&json, &arena,
            SLICE("\"\\n and a text that is longer than what the arena will give us\""), &err);
  EXPECT_INT(json_next(&json), JSON_BAD);
  EXPECT_INT(json.code, E_OUT_OF_MEMORY);
  json_init(&json, &arena, keys_make(text, 100, -1), &err);
  EXPECT_INT(json_skip(&json, NULL), E_OUT_OF_MEMORY);
  arena_deinit(&arena);
}

TEST(json_writer)
{
  struct arena arena;
  struct json_out out;
  arena_init(&arena, 1 << 20, NULL);
  json_out_init(&out, &arena, 1);
  json_out_open(&out, '{');
  json_out_key(&out, "name");
  json_out_str(&out, SLICE("a\"b\\c\n\x01\x7f\xc3\xa9\xff/"));
  json_out_key_of(&out, SLICE("k\t"));
  json_out_open(&out, '[');
  json_out_i64(&out, INT64_MIN);
  json_out_u64(&out, UINT64_MAX);
  json_out_f32(&out, 0.1f);
  json_out_f64(&out, 0.1);
  json_out_f64(&out, NAN);
  json_out_f32(&out, -INFINITY);
  json_out_bool(&out, true);
  json_out_null(&out);
  json_out_open(&out, '{');
  json_out_close(&out, '}');
  json_out_str(&out, SLICE_NONE);
  json_out_close(&out, ']');
  json_out_key(&out, "raw");
  json_out_value(&out, SLICE("[1]"));
  json_out_close(&out, '}');
  EXPECT(!out.full);
  struct slice want = SLICE(
      "{\"name\":\"a\\\"b\\\\c\\n\\u0001\\u007f\xc3\xa9\xef\xbf\xbd/\",\"k\\t\":"
      "[-9223372036854775808,18446744073709551615,0.1,0.1,\"NaN\",\"-Infinity\","
      "true,null,{},\"\"],\"raw\":[1]}");
  EXPECT(slice_eq(json_out_lend(&out), want));
  expect_code(json_out_lend(&out), OK);
  arena_deinit(&arena);
}

TEST(json_writer_at_the_cap)
{
  struct arena arena;
  struct json_out out;
  arena_init(&arena, 4096, NULL);
  json_out_init(&out, &arena, 16);
  for (int i = 0; i < 1000; i++) json_out_str(&out, SLICE("0123456789"));
  EXPECT(out.full);
  EXPECT(arena_held(&arena) <= 4096);
  arena_deinit(&arena);
}
