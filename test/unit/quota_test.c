/* quota_test.c - bytes against a maximum, from one thread and from several.
 * SPDX-License-Identifier: MIT */
#include "base/quota.h"

#include "base/thread.h"
#include "test.h"

TEST(nothing_past_the_maximum)
{
  struct quota quota;
  quota_init(&quota, 100);
  EXPECT(quota_take(&quota, 60));
  EXPECT(!quota_take(&quota, 41));
  EXPECT(quota_take(&quota, 40));
  EXPECT(!quota_take(&quota, 1));
  EXPECT(!quota_take(&quota, UINT64_MAX));
  quota_take_beyond(&quota, 10);
  EXPECT_INT(quota_held(&quota), 110);
  quota_give(&quota, 20);
  EXPECT(quota_take(&quota, 10));
  quota_give(&quota, 100);
  EXPECT_INT(quota_held(&quota), 0);
}

TEST(an_arena_of_a_quota_ends_there)
{
  struct quota quota;
  struct arena one, two;
  quota_init(&quota, 1 << 20);
  arena_init(&one, SIZE_MAX, &quota.heap);
  arena_init(&two, SIZE_MAX, &quota.heap);
  EXPECT(arena_get(&one, 700 << 10) != NULL);
  EXPECT(arena_get(&two, 700 << 10) == NULL);
  EXPECT_INT(quota_held(&quota), arena_held(&one));
  arena_deinit(&one);
  EXPECT(arena_get(&two, 700 << 10) != NULL);
  arena_deinit(&two);
  EXPECT_INT(quota_held(&quota), 0);
}

enum { TAKERS = 4, TAKES = 20000 };
static struct quota shared;

static void taker(void *over)
{
  for (int i = 0; i < TAKES; i++) {
    if (!quota_take(&shared, 10)) continue;
    if (quota_held(&shared) > 10 * 2 + 10 * TAKERS) *(bool *)over = true;
    quota_give(&shared, 10);
  }
}

TEST(several_threads_leave_nothing_behind)
{
  struct thread threads[TAKERS];
  bool over[TAKERS] = {false};
  quota_init(&shared, 10 * 2);
  for (int i = 0; i < TAKERS; i++)
    thread_start(&threads[i], "taker", THREAD_STACK_PARSER, taker, &over[i]);
  for (int i = 0; i < TAKERS; i++) {
    thread_join(&threads[i]);
    EXPECT(!over[i]);
  }
  EXPECT_INT(quota_held(&shared), 0);
}
