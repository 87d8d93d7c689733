/* clock_test.c - time goes forward and prints as RFC 3339.
 * SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include "test.h"

#include <unistd.h>

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

TEST(a_thread_that_sleeps_spends_nothing)
{
  int64_t before = clock_thread_ns();
  usleep(50000);
  int64_t slept = clock_thread_ns();
  EXPECT(slept >= before && slept - before < 20000000);
  while (clock_thread_ns() - slept < 5000000) {
  }
  EXPECT(clock_thread_ns() - slept >= 5000000);
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

TEST(times_that_people_write_are_read)
{
  static const struct {
    const char *text, *means; /* NULL: refused */
  } rows[] = {
      {"2026-01-31", "2026-01-31T00:00:00.000Z"},
      {"2026-01-31T18:00", "2026-01-31T18:00:00.000Z"},
      {"2026-01-31 18:00:05Z", "2026-01-31T18:00:05.000Z"},
      {"2026-01-31T23:59:59.123Z", "2026-01-31T23:59:59.123Z"},
      {"2026-01-31T23:59:59.12345Z", "2026-01-31T23:59:59.123Z"},
      {"2024-02-29T00:30+01:00", "2024-02-28T23:30:00.000Z"},
      {"2026-12-31T20:00:00.5-05:30", "2027-01-01T01:30:00.500Z"},
      {"2026-02-29", NULL},
      {"2026-13-01", NULL},
      {"1969-12-31", NULL},
      {"2026-01-31T24:00", NULL},
      {"2026-01-31T18", NULL},
      {"2026-01-31T18:00:", NULL},
      {"2026-01-31T18:00.", NULL},
      {"2026-01-31T18:00+1", NULL},
      {"2026-01-31T18:00 CET", NULL},
      {"2026-1-31", NULL},
      {"tomorrow", NULL},
      {"", NULL},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char text[25] = "";
    int64_t ms = -1;
    bool read = clock_read(slice_str(rows[i].text), &ms);
    EXPECT(read == (rows[i].means != NULL));
    if (read) clock_text(ms, text);
    if (rows[i].means) EXPECT_STR(text, rows[i].means);
    if (!read) EXPECT(ms == -1);
  }
}
