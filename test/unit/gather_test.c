/* gather_test.c - arrivals gather while most are refused, and no longer than that.
 * SPDX-License-Identifier: MIT */
#include "net/gather.h"

#include "test.h"

/* n answers a millisecond, the first `refused` of every ten refused, for so long. */
static int64_t answers(struct gather *gather, int64_t at_us, int64_t for_us, int n, int refused)
{
  int64_t end_us = at_us + for_us;
  for (int k = 0; at_us < end_us; at_us += 1000)
    for (int i = 0; i < n; i++, k++) gather_count(gather, at_us, k % 10 < refused);
  return at_us;
}

TEST(nothing_waits_where_little_is_refused)
{
  struct gather gather = {0};
  EXPECT_INT(gather_wait_us(&gather, 1), 0);
  int64_t now_us = answers(&gather, 1000000, 100000, 20, 0);
  EXPECT_INT(gather_wait_us(&gather, now_us), 0);
  now_us = answers(&gather, now_us, 100000, 20, 5); /* half is not most */
  EXPECT_INT(gather_wait_us(&gather, now_us), 0);
}

TEST(arrivals_gather_where_most_are_refused)
{
  struct gather gather = {0};
  int64_t now_us = answers(&gather, 1000000, 100000, 20, 6);
  EXPECT_INT(gather_wait_us(&gather, now_us), GATHER_US);
  now_us = answers(&gather, now_us, 100000, 5, 10);
  EXPECT_INT(gather_wait_us(&gather, now_us), GATHER_US);
}

TEST(a_few_refusals_are_cheaper_than_a_wait)
{
  struct gather gather = {0};
  for (int i = 1; i < GATHER_MIN; i++) gather_count(&gather, 1000000, true);
  EXPECT_INT(gather_wait_us(&gather, 1000000), 0);
  gather_count(&gather, 1000000, true);
  EXPECT_INT(gather_wait_us(&gather, 1000000), GATHER_US);
  /* one each two milliseconds, for ever */
  for (int64_t now_us = 2000000; now_us < 3000000; now_us += 2000) {
    gather_count(&gather, now_us, true);
    EXPECT_INT(gather_wait_us(&gather, now_us), 0);
  }
}

TEST(a_flood_begins_at_once_and_is_forgotten_in_two_windows)
{
  struct gather gather = {0};
  int64_t now_us = answers(&gather, 1000000, 1000000, 1, 0);
  int64_t flood_us = answers(&gather, now_us, 4000, 20, 9);
  EXPECT_INT(gather_wait_us(&gather, flood_us), GATHER_US);
  now_us = answers(&gather, flood_us, 1000000, 20, 9);
  EXPECT_INT(gather_wait_us(&gather, now_us + GATHER_WINDOW_US / 2), GATHER_US);
  EXPECT_INT(gather_wait_us(&gather, now_us + 2 * GATHER_WINDOW_US), 0); /* asked now and then */
  now_us = answers(&gather, now_us, 1000000, 20, 9);
  EXPECT_INT(gather_wait_us(&gather, now_us + 100 * GATHER_WINDOW_US), 0); /* or not for long */
}

TEST(calm_comes_back_while_answers_go_on)
{
  struct gather gather = {0};
  int64_t now_us = answers(&gather, 1000000, 1000000, 20, 9);
  now_us = answers(&gather, now_us, 3 * GATHER_WINDOW_US, 1, 0);
  EXPECT_INT(gather_wait_us(&gather, now_us), 0);
}
