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
