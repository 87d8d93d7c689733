/* budget_test.c - a budget that is full says so, one that is drained must be empty.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "serve/budget.h"

TEST(a_budget_is_taken_to_the_last_byte_and_not_further)
{
  struct budget budget;
  struct err err;
  budget_init(&budget, 10);
  EXPECT_INT(budget_take(&budget, 7, &err), OK);
  EXPECT_INT(budget_check(&budget, 3, &err), OK);
  EXPECT_INT(budget_check(&budget, 4, &err), E_NO_CAPACITY);
  EXPECT_INT(budget_take(&budget, 4, &err), E_NO_CAPACITY);
  EXPECT_INT(budget_take(&budget, UINT64_MAX, &err), E_NO_CAPACITY);
  EXPECT_INT(budget.held, 7);
  EXPECT_INT(budget_take(&budget, 3, &err), OK);
  EXPECT_INT(budget_take(&budget, 1, &err), E_NO_CAPACITY);
  budget_give(&budget, 10);
  budget_deinit(&budget);
}

TEST(a_budget_finds_leaks_and_what_is_given_twice)
{
  struct budget budget;
  struct err err;
  budget_init(&budget, 10);
  EXPECT_INT(budget_take(&budget, 7, &err), OK);
  EXPECT_CRASH(budget_deinit(&budget));
  EXPECT_CRASH(budget_give(&budget, 8));
}
