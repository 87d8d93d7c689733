/* pace_test.c - how many rows to run at once, going by what runs took.
 * SPDX-License-Identifier: MIT */
#include "infer/batch/pace.h"

#include "test.h"

static void ran(struct pace *pace, uint32_t rows, int64_t row_us, int times)
{
  for (int i = 0; i < times; i++) pace_add(pace, rows, row_us * rows * 1000);
}

TEST(all_rows_go_while_nothing_is_known)
{
  struct pace pace = {0};
  EXPECT(pace_cheapest(&pace, 1) == 1);
  EXPECT(pace_cheapest(&pace, 40) == 40);
}

TEST(all_rows_go_where_larger_is_cheaper)
{
  struct pace pace = {0};
  ran(&pace, 1, 140, 20);
  ran(&pace, 8, 50, 20);
  ran(&pace, 40, 40, 20);
  EXPECT(pace_cheapest(&pace, 40) == 40);
  EXPECT(pace_cheapest(&pace, 64) == 64);
}

TEST(fewer_rows_go_where_they_are_a_twentieth_cheaper)
{
  struct pace pace = {0};
  ran(&pace, 1, 140, 20);
  ran(&pace, 13, 47, 20);
  ran(&pace, 40, 49, 20);
  EXPECT(pace_cheapest(&pace, 40) == 40); /* by four per cent only */
  ran(&pace, 40, 60, 60);
  EXPECT(pace_cheapest(&pace, 40) == 16);
  EXPECT(pace_cheapest(&pace, 12) == 12);
  ran(&pace, 40, 30, 60); /* it was something else that made it dear */
  EXPECT(pace_cheapest(&pace, 40) == 40);
}

TEST(a_size_that_ran_once_or_twice_says_nothing)
{
  struct pace pace = {0};
  ran(&pace, 16, 10, 2);
  ran(&pace, 40, 50, 20);
  EXPECT(pace_cheapest(&pace, 40) == 40);
  ran(&pace, 16, 10, 1);
  EXPECT(pace_cheapest(&pace, 40) == 16);
}

TEST(a_size_that_never_ran_is_not_judged)
{
  struct pace pace = {0};
  ran(&pace, 4, 10, 20);
  EXPECT(pace_cheapest(&pace, 40) == 40);
}

/* A row of a millisecond: three share no run, since none of them is home sooner by it. */
TEST(a_run_that_is_long_enough_has_no_more_rows_than_pays)
{
  struct pace pace = {0};
  for (uint32_t rows = 1; rows <= 64; rows *= 2) ran(&pace, rows, 1000, 3);
  EXPECT(pace_cheapest(&pace, 3) == 1);
  EXPECT(pace_cheapest(&pace, 40) == 1);
  EXPECT(pace_again(&pace, 40) == 2);
  EXPECT(pace_again(&pace, 1) == 1);
  for (int i = 0; i < 10; i++) {
    ran(&pace, 1, 1000, 5);
    ran(&pace, 1, 3000, 1); /* something else had the core: that says nothing of the size */
    EXPECT(pace_cheapest(&pace, 40) == 1);
  }
  ran(&pace, 2, 900, 20); /* it pays after all */
  EXPECT(pace_cheapest(&pace, 40) == 2);
  struct pace quick = {0};
  for (uint32_t rows = 1; rows <= 64; rows *= 2) ran(&quick, rows, 100, 3);
  EXPECT(pace_cheapest(&quick, 40) == 16); /* ten would be a millisecond */
  EXPECT(pace_cheapest(&quick, 8) == 8);
}

/* One in ten was slow, as where a loop on the same core came between. */
TEST(what_runs_usually_take_is_not_what_the_slowest_took)
{
  struct pace pace = {0};
  EXPECT_INT(pace_usual_us(&pace, 4), 0);
  EXPECT_INT(pace_rows_usual(&pace, 64, 1000), 1); /* the first run tells */
  for (int i = 0; i < 10; i++) ran(&pace, 8, 75, 9), ran(&pace, 8, 150, 1);
  EXPECT_INT(pace_rows(&pace, 64, 1000), 1);
  EXPECT_INT(pace_rows_usual(&pace, 64, 1000), 8);
  ran(&pace, 32, 300, 1); /* once: it is tried again */
  EXPECT_INT(pace_rows_usual(&pace, 64, 2700), 32);
  EXPECT(pace_usual_us(&pace, 1) > 500); /* of a size that never ran: a whole run of the next */
}
