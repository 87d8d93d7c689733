/* mem_test.c - the heap's door counts, zeroes and never says NULL.
 * SPDX-License-Identifier: MIT */
#include "base/mem.h"

#include "test.h"

TEST(grabs_are_counted)
{
  uint64_t before = grab_count();
  unsigned char *zero = grab_zero(100, 3);
  for (int i = 0; i < 300; i++) EXPECT_INT(zero[i], 0);
  char *text = grab_str("copied"), *none = grab(0);
  EXPECT_STR(text, "copied");
  EXPECT(none != NULL);
  text = grab_more(text, 1000);
  EXPECT_STR(text, "copied");
  EXPECT_INT(grab_count() - before, 4);
  ungrab(zero), ungrab(text), ungrab(none), ungrab(NULL);
  EXPECT_INT(grab_count() - before, 4);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* they refuse it themselves */
TEST(out_of_memory_ends_the_process)
{
  volatile size_t too_much = SIZE_MAX / 2;
  EXPECT_CRASH(grab(too_much));
  EXPECT_CRASH(grab_zero(too_much, 3));
}
#endif
