/* pool_test.c - a pool hands out each object once, says so when none is left, and can be mean.
 * SPDX-License-Identifier: MIT */
#include "base/pool.h"

#include "base/debug.h"
#include "test.h"

struct object {
  uint64_t words[5];
};

TEST(each_object_is_handed_out_once)
{
  struct pool pool;
  struct object *got[50];
  pool_init(&pool, 50, sizeof(struct object));
  for (uint32_t i = 0; i < 50; i++) {
    got[i] = pool_get(&pool);
    EXPECT(got[i] && (uintptr_t)got[i] % 8 == 0 && got[i]->words[4] == 0);
    got[i]->words[4] = i + 1;
  }
  for (uint32_t i = 0; i < 50; i++) EXPECT_INT(got[i]->words[4], i + 1);
  EXPECT(!pool_get(&pool));
  pool_put(&pool, got[7]);
  EXPECT(pool_get(&pool) == got[7]); /* the one last used is warm */
  EXPECT_INT(got[7]->words[4], 8);   /* contents stay as put back */
  EXPECT(!pool_get(&pool));
  pool_deinit(&pool);
}

TEST(all_can_be_walked)
{
  struct pool pool;
  pool_init(&pool, 3, 10);
  EXPECT_INT(pool.each, 64);
  EXPECT_INT((char *)pool_at(&pool, 2) - (char *)pool_at(&pool, 0), 128);
  EXPECT_CRASH(pool_at(&pool, 3));
  pool_deinit(&pool);
}

TEST(what_is_not_ours_is_refused)
{
  struct pool pool;
  pool_init(&pool, 2, sizeof(struct object));
  char *object = pool_get(&pool), other[64];
  EXPECT_CRASH(pool_put(&pool, object + 1));
  EXPECT_CRASH(pool_put(&pool, other));
  EXPECT_CRASH((pool_put(&pool, object), pool_put(&pool, object)));
  pool_put(&pool, object);
  pool_deinit(&pool);
}

TEST(mean_mode_poisons_and_fails) /* last: the mode stays on */
{
  struct pool pool;
  pool_init(&pool, 4, sizeof(struct object));
  EXPECT(debug_start("poison,fail=1/4,seed=7"));
  int failed = 0;
  for (int i = 0; i < 1000; i++) {
    unsigned char *object = pool_get(&pool);
    if (!object) {
      failed++;
      continue;
    }
    memset(object, i, sizeof(struct object));
    pool_put(&pool, object);
    for (size_t k = 0; k < sizeof(struct object); k++) EXPECT(object[k] == 0xdd);
  }
  EXPECT(failed > 180 && failed < 320);
  pool_deinit(&pool);
}
