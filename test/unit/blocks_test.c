/* blocks_test.c - a loop's cache of blocks: sizes, reuse, limits, fading.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "base/mem.h"
#include "net/blocks.h"

TEST(blocks_have_room_and_little_waste)
{
  struct blocks blocks;
  blocks_init(&blocks, 1 << 20, NULL);
  for (size_t want = 1; want < (size_t)3 << 20; want += want / 7 + 1) {
    size_t got = want;
    char *block = blocks_get(&blocks, &got);
    EXPECT(got >= want && (want <= 8192 || got <= want + want / 4 + 1));
    block[0] = block[got - 1] = 'x';
    size_t again = got;
    void *other = blocks_get(&blocks, &again);
    EXPECT_INT(again, got); /* a size it gave is a size it has */
    blocks_put(&blocks, other, again);
    blocks_put(&blocks, block, got);
  }
  EXPECT(blocks.kept <= 1 << 20);
  EXPECT_INT(blocks.out, 0);
  blocks_deinit(&blocks);
}

TEST(what_was_put_is_given_again)
{
  struct blocks blocks;
  size_t bytes = 100000;
  blocks_init(&blocks, 1 << 20, NULL);
  void *first = blocks_get(&blocks, &bytes);
  blocks_put(&blocks, first, bytes);
  uint64_t grabs = grab_count(), made = blocks.made;
  for (int i = 0; i < 10; i++) {
    void *block = blocks_get(&blocks, &bytes);
    EXPECT(block == first);
    blocks_put(&blocks, block, bytes);
  }
  EXPECT_INT(grab_count(), grabs);
  EXPECT_INT(blocks.made, made);
  blocks_deinit(&blocks);
}

TEST(a_burst_fades_and_a_steady_load_stays)
{
  enum { N = 64 };
  struct blocks blocks;
  void *at[N];
  size_t bytes = 8192;
  blocks_init(&blocks, 10 << 20, NULL);
  for (int i = 0; i < N; i++) at[i] = blocks_get(&blocks, &bytes);
  for (int i = 0; i < N; i++) blocks_put(&blocks, at[i], bytes);
  for (int sweep = 0; sweep < 2; sweep++) {
    for (int i = 0; i < 4; i++) at[i] = blocks_get(&blocks, &bytes); /* four are in use at a time */
    for (int i = 0; i < 4; i++) blocks_put(&blocks, at[i], bytes);
    blocks_sweep(&blocks);
  }
  EXPECT_INT(blocks.kept, 4 * 8192);
  EXPECT_INT(blocks.made, N);
  blocks_deinit(&blocks);
}

TEST(past_the_budget_nothing_is_kept_and_absurd_sizes_are_refused)
{
  struct blocks blocks;
  size_t bytes = 1 << 20, absurd = (size_t)1 << 50;
  blocks_init(&blocks, 1 << 20, NULL);
  void *one = blocks_get(&blocks, &bytes), *two = blocks_get(&blocks, &bytes);
  blocks_put(&blocks, one, bytes);
  blocks_put(&blocks, two, bytes);
  EXPECT_INT(blocks.kept, 1 << 20);
  EXPECT(blocks_get(&blocks, &absurd) == NULL);
  struct arena arena; /* as arenas see it */
  arena_init(&arena, 4 << 20, &blocks.source);
  EXPECT(arena_get(&arena, 3 << 20) != NULL);
  EXPECT(arena_get(&arena, 3 << 20) == NULL);
  arena_deinit(&arena);
  EXPECT_INT(blocks.out, 0);
  blocks_deinit(&blocks);
}

TEST(a_quota_holds_what_is_out_and_what_rests)
{
  struct blocks blocks;
  struct ration quota;
  size_t small = 64 << 10, large = 800 << 10;
  ration_init(&quota, (1 << 20) - 1);
  blocks_init(&blocks, 1 << 20, &quota);
  void *a = blocks_get(&blocks, &small), *b = blocks_get(&blocks, &small);
  EXPECT(a && b);
  EXPECT(blocks_get(&blocks, &large) == NULL);
  blocks_put(&blocks, a, small);
  EXPECT_INT(ration_held(&quota), 2 * small); /* one rests */
  large = 800 << 10;
  void *c = blocks_get(&blocks, &large); /* for which that one goes */
  EXPECT(c != NULL);
  EXPECT_INT(ration_held(&quota), small + large);
  EXPECT(blocks_get(&blocks, &large) == NULL);
  void *d = blocks_get_beyond(&blocks, &large);
  EXPECT(d != NULL && ration_held(&quota) == small + 2 * large);
  blocks_put(&blocks, b, small);
  blocks_put(&blocks, c, large);
  blocks_put(&blocks, d, large);
  blocks_deinit(&blocks);
  EXPECT_INT(ration_held(&quota), 0);
}
