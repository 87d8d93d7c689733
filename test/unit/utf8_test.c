/* utf8_test.c - RFC 3629 over every code point and the well-known wrong forms.
 * SPDX-License-Identifier: MIT */
#include "base/utf8.h"

#include "test.h"

TEST(every_code_point_is_one_character)
{
  char text[8];
  int wrong = 0;
  for (uint32_t cp = 0; cp <= 0x10ffff; cp++) {
    if (cp >= 0xd800 && cp <= 0xdfff) continue;
    size_t n = utf8_put(text, cp);
    size_t want = cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
    wrong += n != want || utf8_len(slice_of(text, n)) != n || !utf8_valid(slice_of(text, n));
    for (size_t cut = 1; cut < n; cut++) wrong += utf8_len(slice_of(text, cut)) != 0;
  }
  EXPECT_INT(wrong, 0);
}

TEST(wrong_forms)
{
  static const char *const wrong[] = {
      "\x80",             "\xbf",             "\xc0\x80",         "\xc1\xbf", /* overlong */
      "\xe0\x80\x80",     "\xe0\x9f\xbf",     "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf",
      "\xed\xa0\x80",     "\xed\xbf\xbf",                                     /* surrogates */
      "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff",             "\xfe",     /* beyond */
      "\xc3",             "\xc3(",            "\xe2\x82",         "\xe2(\xa1",
      "\xf0\x9f\x98",     "\xf0(\x8c\xbc"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    EXPECT_INT(utf8_len(slice_str(wrong[i])), 0);
    EXPECT(!utf8_valid(slice_str(wrong[i])));
  }
  EXPECT_INT(utf8_len(SLICE_NONE), 0);
  EXPECT(utf8_valid(SLICE_NONE));
}

TEST(a_wrong_byte_is_found_wherever_it_stands)
{
  char text[64];
  for (size_t len = 1; len <= sizeof text; len++)
    for (size_t at = 0; at < len; at++) {
      memset(text, 'a', sizeof text);
      EXPECT(utf8_valid(slice_of(text, len)));
      text[at] = (char)0xff;
      EXPECT(!utf8_valid(slice_of(text, len)));
      text[at] = (char)0xc3; /* needs a tail that is not there */
      EXPECT(!utf8_valid(slice_of(text, len)));
    }
}
