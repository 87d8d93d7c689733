/* url_test.c - request targets: one canonical form or 400.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "wire/url.h"

#include "base/buf.h"
#include "test.h"

/* "path|seg|seg|?query|@authority", or the code's name. */
static const char *parsed(struct slice target)
{
  static struct buf b;
  if (!b.at) buf_init(&b, 1 << 20);
  buf_reset(&b);
  struct arena arena;
  struct url url;
  struct err err = {0};
  arena_init(&arena, 1 << 20, NULL);
  if (url_parse(target, &arena, &url, &err)) {
    EXPECT(err.text[0] != '\0');
    buf_print(&b, "%s", code_name(err.code));
  } else {
    buf_print(&b, "%.*s", (int)url.path.len, url.path.at);
    for (uint32_t i = 0; i < url.n_segments && i < URL_SEGMENTS_MAX; i++)
      buf_print(&b, "|%.*s", (int)url.segments[i].len, url.segments[i].at);
    if (url.query.at) buf_print(&b, "|?%.*s", (int)url.query.len, url.query.at);
    if (url.authority.at) buf_print(&b, "|@%.*s", (int)url.authority.len, url.authority.at);
    if (url.asterisk) buf_print(&b, "asterisk");
  }
  buf_add(&b, slice_of("", 1));
  arena_deinit(&arena);
  return b.at;
}

TEST(url_good_targets)
{
  static const char *const rows[][2] = {
      {"/", "/"},
      {"/v2", "/v2|v2"},
      {"/v2/models/digits/infer", "/v2/models/digits/infer|v2|models|digits|infer"},
      {"/a?", "/a|a|?"},
      {"/a?b=c&d=?/%zz", "/a|a|?b=c&d=?/%zz"},
      {"/mod%20el", "/mod el|mod el"},
      {"/%41%2e%62", "/A.b|A.b"},
      {"/%2e%2e%2e", "/...|..."},
      {"/%2525", "/%25|%25"},
      {"/%c3%A4", "/\xc3\xa4|\xc3\xa4"},
      {"/a:b@c", "/a:b@c|a:b@c"},
      {"/v2/", "/v2/|v2|"},
      {"/.a/a./...", "/.a/a./...|.a|a.|..."},
      {"*", "asterisk"},
      {"http://h", "/|@h"},
      {"HTTP://h:1/x/y?z", "/x/y|x|y|?z|@h:1"},
      {"https://h?z", "/|?z|@h"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    EXPECT_STR(parsed(slice_str(rows[i][0])), rows[i][1]);
}

TEST(url_au_111_what_is_not_canonical_is_refused)
{
  static const char *const rows[] = {
      "", "x", "a:443", "//", "//a", "/a//b", "/a//", "/.", "/..", "/a/./b", "/a/../b", "/a/..",
      "/%2e", "/%2E%2e", "/a/%2e%2e/b", "/.%2e/x", "/a%2fb", "/a%2Fb", "/a%5cb", "/a\\b", "/%00",
      "/%0a", "/%0d%0aX:", "/%1f", "/%7f", "/%", "/%4", "/%4g", "/%g4", "/%u0041", "/%c0%af",
      "/%c3", "/%ff", "/%ed%a0%80", "/%f4%90%80%80", "/a b", "/a<b", "/a\"b", "/a{b}", "/a|b",
      "/a^b", "/a`b", "/a#b", "/a?b#c", "/\x80", "/a?\x80", "/a?b c", "/a\tb", "http://",
      "http:///x", "http://?x", "ftp://h/x", "http:/x", "http://h//x", "https:/", "**", "/[a]",
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    const char *got = parsed(slice_str(rows[i]));
    if (strcmp(got, "BAD_REQUEST") != 0) printf("target '%s': ", rows[i]);
    EXPECT_STR(got, "BAD_REQUEST");
  }
  EXPECT_STR(parsed(SLICE("/a\0b")), "BAD_REQUEST");
}

TEST(url_many_segments_are_counted)
{
  char deep[101];
  for (int i = 0; i < 100; i++) deep[i] = i % 2 ? 'a' : '/';
  struct arena arena;
  struct url url;
  struct err err;
  arena_init(&arena, 1 << 20, NULL);
  EXPECT_INT(url_parse(slice_of(deep, 100), &arena, &url, &err), OK);
  EXPECT_INT(url.n_segments, 50);
  EXPECT(slice_eq(url.segments[URL_SEGMENTS_MAX - 1], SLICE("a")));
  EXPECT_INT(arena_held(&arena), 0);
  EXPECT(url.path.at == deep);
  arena_deinit(&arena);
  arena_init(&arena, 8, NULL);
  EXPECT_INT(url_parse(SLICE("/%41"), &arena, &url, &err), E_OUT_OF_MEMORY);
  arena_deinit(&arena);
}

TEST(url_queries)
{
  struct slice q = SLICE("a=1&b&=x&c=2=3&a=9&d=");
  EXPECT(slice_eq(url_query_get(q, SLICE("a")), SLICE("1")));
  EXPECT(url_query_get(q, SLICE("b")).at && url_query_get(q, SLICE("b")).len == 0);
  EXPECT(slice_eq(url_query_get(q, SLICE("c")), SLICE("2=3")));
  EXPECT(url_query_get(q, SLICE("d")).at && url_query_get(q, SLICE("d")).len == 0);
  EXPECT(url_query_get(q, SLICE("e")).at == NULL);
  EXPECT(url_query_get(SLICE_NONE, SLICE("a")).at == NULL);
  struct arena arena;
  struct slice to;
  struct err err;
  arena_init(&arena, 1 << 20, NULL);
  EXPECT_INT(url_decode(SLICE("a+b%20c%2F"), true, &arena, &to, &err), OK);
  EXPECT(slice_eq(to, SLICE("a b c/")));
  EXPECT_INT(url_decode(SLICE("a+b"), false, &arena, &to, &err), OK);
  EXPECT(slice_eq(to, SLICE("a+b")));
  EXPECT_INT(url_decode(SLICE("%00"), false, &arena, &to, &err), E_BAD_REQUEST);
  EXPECT_INT(url_decode(SLICE("%4"), false, &arena, &to, &err), E_BAD_REQUEST);
  EXPECT_INT(url_decode(SLICE("%ff"), false, &arena, &to, &err), E_BAD_REQUEST);
  EXPECT_INT(url_decode(SLICE("a\0"), false, &arena, &to, &err), E_BAD_REQUEST);
  arena_deinit(&arena);
}
