/* page_test.c - page tokens: what one list sealed no other list, tenant or time reads.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "api/page.h"

static struct hmac key, other;
static struct arena arena;
static char token[PAGE_TOKEN_MAX];

static bool reads(const struct hmac *with, const char *scope, const char *text, int64_t now_ms,
                  struct slice *place)
{
  return page_token_read(with, slice_str(scope), slice_str(text), now_ms, &arena, place);
}

static void begin(void)
{
  hmac_init(&key, SLICE("pepper"));
  hmac_init(&other, SLICE("another"));
  arena_init(&arena, 1 << 16, NULL);
}

static void end(void)
{
  arena_deinit(&arena);
  hmac_deinit(&key);
  hmac_deinit(&other);
}

TEST(a_place_comes_back_as_it_was)
{
  char longest[PAGE_PLACE_MAX];
  struct slice place;
  begin();
  memset(longest, 0xff, sizeof longest);
  page_token(&key, SLICE("s"), slice_of(longest, sizeof longest), 1000, token);
  EXPECT(strlen(token) < PAGE_TOKEN_MAX && !strpbrk(token, "+/= &%"));
  EXPECT(reads(&key, "s", token, 999, &place));
  EXPECT(slice_eq(place, slice_of(longest, sizeof longest)));
  page_token(&key, SLICE("s"), SLICE("a"), 1000, token);
  EXPECT(reads(&key, "s", token, 0, &place) && slice_eq(place, SLICE("a")));
  end();
}

/* RG-107 */
TEST(what_is_forged_old_or_of_another_list_is_not_read)
{
  struct slice place;
  begin();
  page_token(&key, SLICE("tenant/list"), SLICE("model-7"), 1000, token);
  EXPECT(reads(&key, "tenant/list", token, 999, &place));
  EXPECT(!reads(&key, "tenant/list", token, 1000, &place)); /* expired */
  EXPECT(!reads(&key, "tenant2/list", token, 0, &place));
  EXPECT(!reads(&other, "tenant/list", token, 0, &place));
  EXPECT(!reads(&key, "tenant/list", "", 0, &place));
  size_t len = strlen(token);
  for (size_t i = 0; i < len; i++) {
    char was = token[i];
    for (int c = '-'; c <= 'z'; c++) { /* every other letter in every place */
      if (c == was) continue;
      token[i] = (char)c;
      if (reads(&key, "tenant/list", token, 0, &place)) EXPECT(!"a forged token was read");
    }
    token[i] = '\0'; /* every shorter one */
    EXPECT(!reads(&key, "tenant/list", token, 0, &place));
    token[i] = was;
  }
  EXPECT(reads(&key, "tenant/list", token, 0, &place));
  token[len] = 'A';
  token[len + 1] = '\0';
  EXPECT(!reads(&key, "tenant/list", token, 0, &place));
  end();
}
