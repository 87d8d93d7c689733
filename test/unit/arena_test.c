/* arena_test.c - an arena stays inside its cap, keeps what it gave until reset, and gives all back.
 * SPDX-License-Identifier: MIT */
#include "base/arena.h"

#include "base/mem.h"
#include "base/rand.h"
#include "test.h"

struct counted_source {
  struct arena_source source; /* first: self is it */
  size_t gets, puts, bytes_out, left;
};

static void *counted_get(struct arena_source *self, size_t *bytes)
{
  struct counted_source *counted = (struct counted_source *)self;
  if (counted->left == 0) return NULL;
  counted->left--;
  *bytes = (*bytes + 4095) / 4096 * 4096;
  counted->gets++;
  counted->bytes_out += *bytes;
  return grab(*bytes);
}

static void counted_put(struct arena_source *self, void *block, size_t bytes)
{
  struct counted_source *counted = (struct counted_source *)self;
  counted->puts++;
  counted->bytes_out -= bytes;
  ungrab(block);
}

static struct counted_source counted_new(size_t blocks)
{
  return (struct counted_source){.source = {counted_get, counted_put}, .left = blocks};
}

TEST(memory_is_aligned_and_does_not_overlap)
{
  struct arena arena;
  struct rand rand;
  unsigned char *at[300];
  size_t len[300];
  rand_seed(&rand, 1);
  arena_init(&arena, 64 << 20, NULL);
  for (int i = 0; i < 300; i++) {
    len[i] = rand_u64(&rand) % (i % 10 == 0 ? 100000 : 100);
    at[i] = arena_get(&arena, len[i]);
    EXPECT(at[i] && (uintptr_t)at[i] % 16 == 0);
    memset(at[i], i, len[i]);
  }
  size_t overwritten = 0;
  for (int i = 0; i < 300; i++)
    for (size_t k = 0; k < len[i]; k++) overwritten += at[i][k] != (unsigned char)i;
  EXPECT_INT(overwritten, 0);
  arena_deinit(&arena);
  EXPECT_INT(arena_held(&arena), 0);
}

TEST(the_cap_is_never_passed)
{
  struct counted_source source = counted_new(1000);
  struct arena arena;
  arena_init(&arena, 100 << 10, &source.source);
  size_t given = 0;
  while (arena_get(&arena, 1000)) given += 1000;
  EXPECT(given > 50 << 10 && given <= 100 << 10);
  EXPECT(arena_held(&arena) == source.bytes_out);
  EXPECT(!arena_get(&arena, SIZE_MAX));
  EXPECT(!arena_get(&arena, (100 << 10) + 1));
  EXPECT(!arena_zero(&arena, SIZE_MAX / 2, 3));
  arena_deinit(&arena);
  EXPECT_INT(source.gets, source.puts);
}

TEST(nearly_the_whole_cap_fits_in_one_piece)
{
  struct arena arena;
  arena_init(&arena, 1 << 20, NULL);
  EXPECT(arena_get(&arena, (1 << 20) - 64) != NULL);
  EXPECT(arena_held(&arena) <= 1 << 20);
  EXPECT(!arena_get(&arena, 1000));
  arena_deinit(&arena);
}

TEST(no_bytes_are_not_the_same_as_no_room)
{
  struct arena arena;
  arena_init(&arena, 1 << 10 << 10, NULL);
  void *a = arena_get(&arena, 0), *b = arena_zero(&arena, 0, 8);
  EXPECT(a && b && a != b);
  EXPECT(arena_copy(&arena, SLICE_NONE).at != NULL);
  arena_deinit(&arena);
}

TEST(no_block_before_the_first_get_and_one_kept_by_reset)
{
  struct counted_source source = counted_new(1000);
  struct arena arena;
  arena_init(&arena, 10 << 20, &source.source);
  arena_reset(&arena);
  EXPECT_INT(source.gets, 0);
  for (int i = 0; i < 100; i++) arena_get(&arena, 5000);
  EXPECT(source.gets > 1);
  arena_reset(&arena);
  EXPECT_INT(source.gets - source.puts, 1);
  size_t gets = source.gets;
  EXPECT(arena_get(&arena, 5000) != NULL);
  EXPECT_INT(source.gets, gets);
  arena_deinit(&arena);
  EXPECT_INT(source.gets, source.puts);
  EXPECT_INT(source.bytes_out, 0);
}

TEST(a_source_may_have_none_left)
{
  struct counted_source source = counted_new(1);
  struct arena arena;
  arena_init(&arena, 10 << 20, &source.source);
  EXPECT(arena_get(&arena, 100) != NULL);
  EXPECT(!arena_get(&arena, 100000));
  EXPECT(arena_get(&arena, 100) != NULL); /* what there is still serves */
  arena_deinit(&arena);
}

TEST(the_newest_grows_in_place_and_others_move)
{
  struct arena arena;
  arena_init(&arena, 1 << 20, NULL);
  char *a = arena_get(&arena, 10);
  memcpy(a, "0123456789", 10);
  EXPECT(arena_grow(&arena, a, 10, 500) == a);
  char *b = arena_get(&arena, 10);
  EXPECT(b >= a + 500);
  char *moved = arena_grow(&arena, a, 500, 600);
  EXPECT(moved != a && memcmp(moved, "0123456789", 10) == 0);
  char *far = arena_grow(&arena, moved, 600, 100000); /* no room in the block: moves to a new one */
  EXPECT(far && memcmp(far, "0123456789", 10) == 0);
  EXPECT(!arena_grow(&arena, far, 100000, 2 << 20));
  EXPECT(arena_grow(&arena, NULL, 0, 8) != NULL);
  EXPECT_CRASH(arena_grow(&arena, far, 100, 50));
  arena_deinit(&arena);
}

TEST(zeroed_copied_and_printed)
{
  struct arena arena;
  arena_init(&arena, 64 << 10, NULL);
  memset(arena_get(&arena, 4000), 0xff, 4000);
  arena_reset(&arena);
  unsigned char *zero = arena_zero(&arena, 100, 40);
  for (int i = 0; i < 4000; i++) EXPECT(zero[i] == 0);
  struct slice copy = arena_copy(&arena, slice_of("ab\0d", 4));
  EXPECT(copy.len == 4 && memcmp(copy.at, "ab\0d\0", 5) == 0);
  EXPECT_STR(arena_print(&arena, "%s-%d", "x", 42), "x-42");
  char *longer = grab(200 << 10);
  memset(longer, 'l', 200 << 10);
  longer[(200 << 10) - 1] = '\0';
  EXPECT(!arena_print(&arena, "%s", longer));
  EXPECT(!arena_copy(&arena, slice_str(longer)).at);
  ungrab(longer);
  arena_deinit(&arena);
}

/* robustness row TN-103 */
TEST(TN_103_what_a_zeroing_arena_hands_out_holds_nothing_of_before)
{
  struct arena arena;
  arena_init(&arena, 1 << 20, NULL);
  arena.zeroes = true;
  for (int round = 0; round < 3; round++) {
    size_t dirty = 0;
    unsigned char *a = arena_get(&arena, 1000), *b = arena_get(&arena, 77);
    EXPECT(a && b);
    for (size_t i = 0; i < 1000; i++) dirty += a[i] != 0;
    for (size_t i = 0; i < 77; i++) dirty += b[i] != 0;
    memset(a, 0xaa, 1000);
    memset(b, 0xbb, 77);
    unsigned char *grown = arena_grow(&arena, b, 77, 3000);
    EXPECT(grown == b);
    for (size_t i = 77; i < 3000; i++) dirty += grown[i] != 0;
    memset(grown, 0xcc, 3000);
    EXPECT_INT(dirty, 0);
    arena_reset(&arena);
  }
  arena_deinit(&arena);
}
