/* slice_test.c - views of bytes, the empty ones included.
 * SPDX-License-Identifier: MIT */
#include "base/slice.h"

#include "test.h"

TEST(equality_is_of_bytes)
{
  EXPECT(slice_eq(SLICE("abc"), slice_str("abc")));
  EXPECT(!slice_eq(SLICE("abc"), SLICE("abd")));
  EXPECT(!slice_eq(SLICE("abc"), SLICE("ab")));
  EXPECT(slice_eq(SLICE_NONE, SLICE("")));
  EXPECT(slice_eq(slice_of("a\0b", 3), slice_of("a\0b", 3)));
  EXPECT(!slice_eq(slice_of("a\0b", 3), slice_of("a\0c", 3)));
  EXPECT(slice_eq(slice_str(NULL), SLICE_NONE));
}

TEST(case_is_ignored_for_ascii_letters_only)
{
  EXPECT(slice_eq_nocase(SLICE("Content-Type"), SLICE("cONTENT-tYPE")));
  EXPECT(!slice_eq_nocase(SLICE("@"), SLICE("`")));  /* one bit apart, like A and a */
  EXPECT(!slice_eq_nocase(SLICE("["), SLICE("{")));
  EXPECT(!slice_eq_nocase(SLICE("\xc4"), SLICE("\xe4")));
  EXPECT(!slice_eq_nocase(SLICE("a"), SLICE("ab")));
}

TEST(prefixes_and_tails)
{
  EXPECT(slice_starts(SLICE("/v2/models"), SLICE("/v2")));
  EXPECT(slice_starts(SLICE("x"), SLICE_NONE));
  EXPECT(!slice_starts(SLICE("/v"), SLICE("/v2")));
  EXPECT(slice_ends(SLICE("a.json"), SLICE(".json")));
  EXPECT(slice_ends(SLICE_NONE, SLICE("")));
  EXPECT(!slice_ends(SLICE("json"), SLICE(".json")));
}

TEST(what_is_left_after_some_bytes)
{
  EXPECT(slice_eq(slice_from(SLICE("abcd"), 1), SLICE("bcd")));
  EXPECT_INT(slice_from(SLICE("abcd"), 4).len, 0);
  EXPECT_INT(slice_from(SLICE("abcd"), 9).len, 0);
}

TEST(a_c_string_is_made_only_when_it_fits_and_has_no_nul)
{
  char to[4] = "zzz";
  EXPECT(slice_to_str(SLICE("abc"), to, sizeof to));
  EXPECT_STR(to, "abc");
  EXPECT(!slice_to_str(SLICE("abcd"), to, sizeof to));
  EXPECT_STR(to, "");
  EXPECT(!slice_to_str(slice_of("a\0b", 3), to, sizeof to));
  EXPECT_STR(to, "");
  EXPECT(slice_to_str(SLICE_NONE, to, sizeof to));
  EXPECT_STR(to, "");
}

TEST(quoted_client_text_is_cut_at_64_bytes)
{
  char long_name[200], text[300];
  memset(long_name, 'n', sizeof long_name);
  snprintf(text, sizeof text, "%.*s", SLICE_ARG(slice_of(long_name, sizeof long_name)));
  EXPECT_INT(strlen(text), 64);
  snprintf(text, sizeof text, "[%.*s]", SLICE_ARG(SLICE_NONE));
  EXPECT_STR(text, "[]");
}
