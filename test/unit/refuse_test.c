/* refuse_test.c - errors as JSON: always whole, always valid, nothing raw of a client's in it.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "serve/body.h"
#include "serve/refuse.h"
#include "wire/json.h"

TEST(an_error_is_one_json_object)
{
  struct err err;
  char text[ERROR_JSON_MAX];
  fail(&err, E_BAD_SHAPE, "input \"x\": shape [2,3] needs 6 values, got 5");
  fail_at(&err, "inputs[%d].data", 0);
  size_t n = refuse_json(text, &err, SLICE("abc-1"));
  text[n] = '\0';
  EXPECT_STR(
      text,
      "{\"error\":\"input \\\"x\\\": shape [2,3] needs 6 values, got 5\",\"code\":"
      "\"BAD_SHAPE\",\"request_id\":\"abc-1\",\"details\":{\"field\":\"inputs[0].data\"}}\n");
  fail(&err, E_INTERNAL, "x");
  n = refuse_json(text, &err, SLICE(""));
  text[n] = '\0';
  EXPECT_STR(text, "{\"error\":\"x\",\"code\":\"INTERNAL\",\"request_id\":\"\",\"details\":{}}\n");
}

TEST(the_worst_text_fits_and_stays_json)
{
  static const char *const worst[] = {
      "\"", "\\", "\xff", "\xed\xa0\x80", "\x7f", "\xf0\x9f\x98\x80", "a"};
  char text[ERROR_JSON_MAX], id[REQUEST_ID_MAX];
  memset(id, 'i', sizeof id);
  for (size_t w = 0; w < sizeof worst / sizeof *worst; w++) {
    struct err err = {.code = E_EXTERNAL_DATA_FORBIDDEN};
    for (size_t at = 0; at + strlen(worst[w]) < sizeof err.text; at += strlen(worst[w]))
      strcpy(err.text + at, worst[w]);
    for (size_t at = 0; at + strlen(worst[w]) < sizeof err.field; at += strlen(worst[w]))
      strcpy(err.field + at, worst[w]);
    size_t n = refuse_json(text, &err, slice_of(id, sizeof id));
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

/* ---- bodies */

TEST(a_body_is_received_in_place)
{
  struct arena arena;
  struct body body;
  struct err err;
  arena_init(&arena, 1 << 20, NULL);
  for (uint64_t json = 0; json < 20; json++) {
    EXPECT_INT(body_init(&body, &arena, 100, json, &err), OK);
    EXPECT_INT((uintptr_t)(body.at + json) % 8, 0);
  }
  char *at = body.at;
  memcpy(at, "hello", 5); /* read straight into its place */
  EXPECT_INT(body_add(&body, &arena, slice_of(at, 5), &err), OK);
  EXPECT_INT(body_add(&body, &arena, SLICE(" world"), &err), OK);
  EXPECT(body.at == at && slice_eq(body_lend(&body), SLICE("hello world")));
  EXPECT_INT(body_init(&body, &arena, (uint64_t)1 << 40, 0, &err), E_OUT_OF_MEMORY);
  EXPECT_INT(body_init(&body, &arena, UINT64_MAX - 1, 0, &err), E_OUT_OF_MEMORY);
  arena_deinit(&arena);
}

TEST(a_chunked_body_grows_until_the_cap)
{
  struct arena arena;
  struct body body;
  struct err err;
  static char piece[1000];
  size_t taken = 0;
  arena_init(&arena, 1 << 20, NULL);
  EXPECT_INT(body_init(&body, &arena, BODY_UNKNOWN, 0, &err), OK);
  for (;; taken += sizeof piece) {
    memset(piece, (int)(taken / 1000 % 251), sizeof piece);
    if (body_add(&body, &arena, slice_of(piece, sizeof piece), &err)) break;
  }
  EXPECT(taken >= 200000 && err.code == E_OUT_OF_MEMORY);
  EXPECT_INT(body.len, taken);
  for (size_t i = 0; i < body.len; i += 1000) EXPECT_INT((unsigned char)body.at[i], i / 1000 % 251);
  arena_deinit(&arena);
}
