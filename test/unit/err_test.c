/* err_test.c - the error table and the error object.
 * SPDX-License-Identifier: MIT */
#include "base/err.h"
#include "test.h"
#include "wire/json.h"

TEST(every_code_has_a_face_and_is_found_by_its_name)
{
  for (int i = 0; i < CODE_COUNT; i++) {
    enum code code = (enum code)i;
    const char *name = code_name(code);
    EXPECT_INT(code_named(name, (uint32_t)strlen(name)), code);
    EXPECT(code == OK || (code_http(code) >= 400 && code_http(code) < 600));
    EXPECT(code == OK || (code_grpc(code) > 0 && code_grpc(code) <= 16));
    EXPECT(code == OK || (code_exit(code) > 0 && code_exit(code) < 126));
    EXPECT(!code_retry(code) || code_http(code) == 429 || code_http(code) == 503);
  }
  EXPECT_INT(code_named("NO_SUCH_CODE", 12), CODE_COUNT);
  EXPECT_INT(code_named("INTERNALS", 8), E_INTERNAL);
  EXPECT_INT(code_named("INTERN", 6), CODE_COUNT);
}

TEST(ok_is_not_an_error)
{
  EXPECT_STR(code_name(OK), "OK");
  EXPECT_INT(code_http(OK), 200);
  EXPECT_INT(code_grpc(OK), 0);
  EXPECT_INT(code_exit(OK), 0);
}

TEST(some_rows_as_published)
{
  EXPECT_INT(code_http(E_LIMIT_EXCEEDED), 429);
  EXPECT(code_retry(E_LIMIT_EXCEEDED));
  EXPECT_INT(code_grpc(E_MODEL_NOT_FOUND), 5);
  EXPECT_INT(code_exit(E_GOLDEN_FAILED), 8);
  EXPECT_INT(code_level(E_INTERNAL), LOG_ERROR);
}

TEST(fail_fills_the_object_and_returns_the_code)
{
  struct err err = {.retry_after_ms = 7, .field = "old"};
  EXPECT_INT(fail(&err, E_BAD_SHAPE, "shape [%d] needs %d values", 3, 9), E_BAD_SHAPE);
  EXPECT_INT(err.code, E_BAD_SHAPE);
  EXPECT_INT(err.retry_after_ms, 0);
  EXPECT_STR(err.field, "");
  EXPECT_STR(err.text, "shape [3] needs 9 values");
  EXPECT_INT(fail_at(&err, "inputs[%d].data", 2), E_BAD_SHAPE);
  EXPECT_STR(err.field, "inputs[2].data");
  EXPECT_INT(fail_under(&err, "items[%d]", 7), E_BAD_SHAPE);
  EXPECT_STR(err.field, "items[7].inputs[2].data");
  fail_at(&err, "%s", "");
  fail_under(&err, "items[%d]", 7);
  EXPECT_STR(err.field, "items[7]");
}

TEST(a_place_in_a_long_place_is_cut_and_no_more)
{
  struct err err = {.code = E_BAD_SHAPE};
  char name[2 * ERR_FIELD_MAX];
  memset(name, 'n', sizeof name);
  name[sizeof name - 1] = '\0';
  fail_at(&err, "tags");
  fail_under(&err, "models.%s", name);
  EXPECT_INT(strlen(err.field), ERR_FIELD_MAX - 1);
  EXPECT(slice_starts(slice_str(err.field), SLICE("models.nnn")));
}

TEST(nobody_has_to_want_the_text)
{
  EXPECT_INT(fail(NULL, E_NOT_FOUND, "unheard"), E_NOT_FOUND);
  EXPECT_INT(fail_at(NULL, "nowhere"), E_INTERNAL);
  EXPECT_INT(fail_under(NULL, "nowhere"), E_INTERNAL);
}

TEST(what_begins_as_a_key_does_not_stand_in_errors)
{
  struct err err;
  fail(&err, E_NOT_FOUND, "there is no key '%s' but '%s'", "slw_0123456789ab_00ff", "slw_x");
  EXPECT_STR(err.text, "there is no key 'slw_...' but 'slw_x'");
  fail_at(&err, "keys.%s", "slw_0123456789ab_00ff");
  EXPECT_STR(err.field, "keys.slw_...");
  fail(&err, E_NOT_FOUND, "send slw_... or slw_");
  EXPECT_STR(err.text, "send slw_... or slw_");
}

TEST(texts_are_cut_and_cleaned)
{
  struct err err;
  char longer[2 * ERR_TEXT_MAX];
  memset(longer, 'x', sizeof longer);
  longer[sizeof longer - 1] = '\0';
  fail(&err, E_BAD_NAME, "%s", longer);
  EXPECT_INT(strlen(err.text), ERR_TEXT_MAX - 1);
  fail_at(&err, "%s", longer);
  EXPECT_INT(strlen(err.field), ERR_FIELD_MAX - 1);
  fail(&err, E_BAD_NAME, "a\r\nb\x7f%c", 0x1b);
  EXPECT_STR(err.text, "a??b??");
}

TEST(an_error_is_one_json_object)
{
  struct err err;
  char text[ERR_JSON_MAX];
  fail(&err, E_BAD_SHAPE, "input \"x\": shape [2,3] needs 6 values, got 5");
  fail_at(&err, "inputs[%d].data", 0);
  size_t n = err_json(text, &err, SLICE("abc-1"));
  text[n] = '\0';
  EXPECT_STR(
      text,
      "{\"error\":\"input \\\"x\\\": shape [2,3] needs 6 values, got 5\",\"code\":"
      "\"BAD_SHAPE\",\"request_id\":\"abc-1\",\"details\":{\"field\":\"inputs[0].data\"}}\n");
  fail(&err, E_INTERNAL, "x");
  n = err_json(text, &err, SLICE(""));
  text[n] = '\0';
  EXPECT_STR(text, "{\"error\":\"x\",\"code\":\"INTERNAL\",\"request_id\":\"\",\"details\":{}}\n");
  err.text[0] = '\0';
  n = err_json(text, &err, SLICE_NONE);
  text[n] = '\0';
  EXPECT_STR(text, "{\"error\":\"INTERNAL\",\"code\":\"INTERNAL\",\"details\":{}}\n");
}

TEST(the_worst_text_fits_and_stays_json)
{
  static const char *const worst[] = {
      "\"", "\\", "\xff", "\xed\xa0\x80", "\x7f", "\x01", "\xf0\x9f\x98\x80", "a"};
  char text[ERR_JSON_MAX + 1], id[2 * ERR_ID_MAX];
  memset(id, 0x01, sizeof id);
  for (size_t w = 0; w < sizeof worst / sizeof *worst; w++) {
    struct err err = {.code = E_EXTERNAL_DATA_FORBIDDEN};
    for (size_t at = 0; at + strlen(worst[w]) < sizeof err.text; at += strlen(worst[w]))
      strcpy(err.text + at, worst[w]);
    for (size_t at = 0; at + strlen(worst[w]) < sizeof err.field; at += strlen(worst[w]))
      strcpy(err.field + at, worst[w]);
    size_t n = err_json(text, &err, slice_of(id, sizeof id));
    EXPECT(n <= ERR_JSON_MAX);
    struct arena arena;
    struct json json;
    arena_init(&arena, 1 << 20, NULL);
    json_init(&json, &arena, slice_of(text, n), NULL);
    EXPECT_INT(json_skip(&json, NULL), OK);
    EXPECT_INT(json_end(&json), OK);
    arena_deinit(&arena);
  }
}

TEST(retry_is_said_where_it_helps)
{
  struct err err;
  fail(&err, E_OVERLOADED, "x");
  EXPECT_INT(err_retry_s(&err), 1);
  err.retry_after_ms = 2500;
  EXPECT_INT(err_retry_s(&err), 3);
  fail(&err, E_BAD_SHAPE, "x");
  EXPECT_INT(err_retry_s(&err), 0);
}

TEST(a_limit_is_told_in_full)
{
  char json[ERR_JSON_MAX + 1];
  struct err err;
  fail(&err, E_RATE_LIMITED, "tenant 'acme' is over 500 rows a second");
  EXPECT_INT(fail_limit(&err, "rows_per_second", "tenant", SLICE("acme"), 500, 512, 400),
             E_RATE_LIMITED);
  EXPECT_INT(err.retry_after_ms, 400);
  EXPECT_INT(err_retry_s(&err), 1);
  json[err_json(json, &err, SLICE_NONE)] = '\0';
  EXPECT_STR(json, "{\"error\":\"tenant 'acme' is over 500 rows a second\",\"code\":\"RATE_LIMITED\","
                   "\"details\":{\"limit\":\"rows_per_second\",\"scope\":\"tenant\",\"whose\":"
                   "\"acme\",\"value\":500,\"used\":512,\"resets_in_ms\":400}}\n");
  fail_at(&err, "body");
  fail_limit(&err, "models", "tenant", SLICE("acme"), 5, 5, -1);
  EXPECT_INT(err_retry_s(&err), 60);
  json[err_json(json, &err, SLICE_NONE)] = '\0';
  EXPECT(strstr(json, "\"details\":{\"field\":\"body\",\"limit\":\"models\",") != NULL);
  EXPECT(strstr(json, "\"used\":5,\"resets_in_ms\":null}}") != NULL);
  char longest[300];
  memset(longest, 'x', sizeof longest);
  fail_limit(&err, "models", "model", slice_of(longest, sizeof longest), 1, 1, INT64_MAX);
  EXPECT_INT(strlen(err.limit.whose), ERR_WHOSE_MAX - 1);
  EXPECT_INT(err.retry_after_ms, UINT32_MAX);
  fail(&err, E_NOT_FOUND, "no"); /* the next error is about no limit */
  json[err_json(json, &err, SLICE_NONE)] = '\0';
  EXPECT(strstr(json, "\"details\":{}") != NULL);
}
