/* clock_test.c - time goes forward and prints as RFC 3339.
 * SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include "test.h"

TEST(the_monotonic_clock_never_goes_back)
{
  int64_t before = clock_ns();
  for (int i = 0; i < 10000; i++) {
    int64_t now = clock_ns();
    EXPECT(now >= before);
    before = now;
  }
  int64_t us = clock_us();
  EXPECT(us >= before / 1000 && us < before / 1000 + 1000000);
}

TEST(wall_time_is_after_the_day_this_was_written)
{
  EXPECT(clock_wall_ms() > INT64_C(1700000000000));
}

TEST(texts)
{
  char text[25];
  clock_text(0, text);
  EXPECT_STR(text, "1970-01-01T00:00:00.000Z");
  clock_text(INT64_C(1769903999123), text);
  EXPECT_STR(text, "2026-01-31T23:59:59.123Z");
  clock_text(INT64_C(951827696007), text);
  EXPECT_STR(text, "2000-02-29T12:34:56.007Z");
  clock_text(INT64_C(253402300799999), text);
  EXPECT_STR(text, "9999-12-31T23:59:59.999Z");
}
