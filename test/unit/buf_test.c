/* buf_test.c - growing bytes stop at their limit and say so; JSON strings are escaped.
 * SPDX-License-Identifier: MIT */
#include "base/buf.h"

#include "test.h"

static bool holds(const struct buf *buf, const char *text)
{
  struct slice got = buf_lend(buf);
  if (slice_eq(got, slice_str(text))) return true;
  printf("holds \"%.*s\"\n", (int)got.len, got.at);
  return false;
}

TEST(bytes_add_up)
{
  struct buf buf;
  buf_init(&buf, 1 << 20);
  EXPECT_INT(buf_lend(&buf).len, 0);
  EXPECT_INT(buf_add(&buf, SLICE("one ")), OK);
  EXPECT_INT(buf_print(&buf, "%d %s", 2, "three"), OK);
  EXPECT_INT(buf_add(&buf, SLICE_NONE), OK);
  EXPECT(holds(&buf, "one 2 three"));
  buf_reset(&buf);
  EXPECT(holds(&buf, ""));
  for (int i = 0; i < 10000; i++) buf_print(&buf, "%d,", i % 10);
  EXPECT_INT(buf.len, 20000);
  EXPECT(!buf.full && memcmp(buf.at + 19990, "5,6,7,8,9,", 10) == 0);
  buf_deinit(&buf);
  buf_deinit(&buf);
}

TEST(the_limit_is_kept_and_sticky)
{
  struct buf buf;
  buf_init(&buf, 10);
  EXPECT_INT(buf_add(&buf, SLICE("0123456789")), OK);
  EXPECT_INT(buf_add(&buf, SLICE("x")), E_LIMIT_EXCEEDED);
  EXPECT(buf.full);
  EXPECT_INT(buf_add(&buf, SLICE_NONE), E_LIMIT_EXCEEDED);
  EXPECT_INT(buf_print(&buf, "y"), E_LIMIT_EXCEEDED);
  EXPECT(holds(&buf, "0123456789"));
  buf_reset(&buf);
  EXPECT_INT(buf_add(&buf, SLICE("again")), OK);
  EXPECT_INT(buf_json(&buf, SLICE("too long for it")), E_LIMIT_EXCEEDED);
  EXPECT(buf.full && buf.len <= 10);
  buf_deinit(&buf);
}

TEST(json_strings)
{
  struct buf buf;
  buf_init(&buf, 1000);
  buf_json(&buf, SLICE("a\"b\\c/\n\r\t\b\f\x01\x1f"));
  EXPECT(slice_starts(buf_lend(&buf), SLICE("\"a\\\"b\\\\c/\\n\\r\\t")));
  for (size_t i = 0; i < buf.len; i++) EXPECT((unsigned char)buf.at[i] >= 0x20);
  buf_reset(&buf);
  buf_json(&buf, SLICE("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"));
  EXPECT(holds(&buf, "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""));
  buf_reset(&buf);
  buf_json(&buf, SLICE("\xff" "a\xe2\x82"));
  EXPECT(holds(&buf, "\"\xef\xbf\xbd" "a\xef\xbf\xbd\xef\xbf\xbd\""));
  buf_reset(&buf);
  buf_json(&buf, SLICE_NONE);
  EXPECT(holds(&buf, "\"\""));
  buf_deinit(&buf);
}
