/* card_test.c - cards patched: what goes in, what goes out, what is refused.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "control/registry/card.h"

static struct arena arena;
static struct slice next;
static struct card_said said;
static struct err err;

static enum code patched(const char *card, const char *patch, enum card_of of)
{
  err = (struct err){0};
  return card_patch(slice_str(card), slice_str(patch), of, &arena, &next, &said, &err);
}

static void expect(const char *card, const char *patch, const char *want)
{
  EXPECT_INT(patched(card, patch, CARD_OF_VERSION), OK);
  if (!slice_eq(next, slice_str(want)))
    printf("got %.*s, want %s\n", (int)next.len, next.at ? next.at : "", want);
  EXPECT(slice_eq(next, slice_str(want)));
}

TEST(members_are_set_replaced_and_taken_away)
{
  arena_init(&arena, 1 << 20, NULL);
  expect("", "{}", "");
  expect("", "{\"description\":\"d\"}", "{\"description\":\"d\"}");
  expect("{\"description\":\"d\"}", "{\"description\":\"e\"}", "{\"description\":\"e\"}");
  expect("{\"description\":\"d\"}", "{\"description\":null}", "");
  expect("{\"description\":\"d\"}", "{\"description\":\"\"}", "");
  expect("{\"description\":\"d\"}", "{\"tags\":{\"b\":\"2\",\"a\":\"1\"}}",
         "{\"description\":\"d\",\"tags\":{\"a\":\"1\",\"b\":\"2\"}}");
  expect("{\"tags\":{\"a\":\"1\",\"b\":\"2\"}}", "{\"tags\":{\"a\":null,\"c\":\"3\"}}",
         "{\"tags\":{\"b\":\"2\",\"c\":\"3\"}}");
  expect("{\"tags\":{\"a\":\"1\",\"b\":\"2\"}}", "{\"tags\":{\"a\":null,\"b\":null}}", "");
  expect("{\"tags\":{\"a\":\"1\"}}", "{\"tags\":null}", "");
  expect("", "{\"run\":\"r\",\"data\":\"s3://d\",\"parent\":2}",
         "{\"data\":\"s3://d\",\"parent\":2,\"run\":\"r\"}");
  EXPECT_INT(said.parent, 2);
  EXPECT_INT(patched("", "{\"hold\":\"case 17\"}", CARD_OF_MODEL), OK);
  EXPECT(slice_eq(said.hold, SLICE("case 17")));
  arena_deinit(&arena);
}

/* RG-108: names of tags are only text, whatever they mean elsewhere. */
TEST(tags_are_text)
{
  arena_init(&arena, 1 << 20, NULL);
  expect("", "{\"tags\":{\"__proto__\":\"x\",\"=cmd()\":\"=1+1\",\"a\\\"b\":\"\\u0001\"}}",
         "{\"tags\":{\"=cmd()\":\"=1+1\",\"__proto__\":\"x\",\"a\\\"b\":\"\\u0001\"}}");
  arena_deinit(&arena);
}

static void refused(const char *patch, enum card_of of, enum code code, const char *field)
{
  EXPECT_INT(patched("", patch, of), code);
  EXPECT_STR(err.field, field);
}

TEST(what_is_too_much_or_wrong_is_refused)
{
  arena_init(&arena, 4 << 20, NULL);
  char *text = arena_get(&arena, 64 << 10);
  refused("[]", CARD_OF_MODEL, E_WRONG_TYPE, "");
  refused("{\"description\":7}", CARD_OF_MODEL, E_WRONG_TYPE, "description");
  refused("{\"owner\":\"x\"}", CARD_OF_MODEL, E_INVALID_ARGUMENT, "owner");
  refused("{\"run\":\"x\"}", CARD_OF_MODEL, E_INVALID_ARGUMENT, "run");
  refused("{\"parent\":0}", CARD_OF_VERSION, E_VALUE_OUT_OF_RANGE, "parent");
  refused("{\"parent\":-1}", CARD_OF_VERSION, E_VALUE_OUT_OF_RANGE, "parent");
  refused("{\"parent\":1.5}", CARD_OF_VERSION, E_VALUE_OUT_OF_RANGE, "parent");
  refused("{\"tags\":{\"a\":1}}", CARD_OF_MODEL, E_WRONG_TYPE, "tags");
  refused("{\"tags\":{\"\":\"x\"}}", CARD_OF_MODEL, E_INVALID_ARGUMENT, "tags");
  refused("{\"tags\":{\"a\":\"1\",\"a\":\"2\"}}", CARD_OF_MODEL, E_DUPLICATE_KEY, "");
  int n = snprintf(text, 64 << 10, "{\"tags\":{\"a\":\"%010000d\"}}", 0);
  EXPECT(n > 10000);
  refused(text, CARD_OF_MODEL, E_INVALID_ARGUMENT, "tags");
  size_t at = (size_t)snprintf(text, 64 << 10, "{\"tags\":{");
  for (int i = 0; i <= TAGS_MAX; i++)
    at += (size_t)snprintf(text + at, (64 << 10) - at, "%s\"k%d\":\"v\"", i ? "," : "", i);
  snprintf(text + at, (64 << 10) - at, "}}");
  refused(text, CARD_OF_MODEL, E_LIMIT_EXCEEDED, "tags");
  at = (size_t)snprintf(text, 64 << 10, "{\"tags\":{");
  for (int i = 0; i < 5; i++)
    at += (size_t)snprintf(text + at, (64 << 10) - at, "%s\"k%d\":\"%04000d\"", i ? "," : "", i, 0);
  snprintf(text + at, (64 << 10) - at, "}}");
  refused(text, CARD_OF_MODEL, E_LIMIT_EXCEEDED, "");
  arena_deinit(&arena);
}
