/* tree_test.c - trees and tries against plain arrays: the same items in the same places, and what
 * was there before a change is there after it.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "base/mem.h"
#include "base/rand.h"
#include "world/trie.h"

struct thing {
  struct kept kept;
  uint64_t hash;
};

static uint32_t alive;

static void thing_gone(struct kept *kept)
{
  alive--;
  ungrab(kept);
}

static struct thing *thing_new(uint64_t hash)
{
  struct thing *thing = grab_zero(1, sizeof *thing);
  thing->kept = kept_made(thing_gone);
  thing->hash = hash;
  alive++;
  return thing;
}

static bool tree_is(const struct tree *tree, struct thing *const *at, uint32_t n)
{
  if (tree_n(tree) != n) return false;
  for (uint32_t i = 0; i < n; i++)
    if (tree_at(tree, i) != &at[i]->kept) return false;
  return true;
}

TEST(a_tree_is_what_an_array_would_be_and_so_is_the_one_before)
{
  enum { MOST = 3000, STEPS = 12000 };
  static struct thing *now[MOST], *was[MOST];
  struct rand rand;
  struct tree *tree = NULL, *before = NULL;
  uint32_t n = 0, n_was = 0, wrong = 0;
  rand_seed(&rand, 7);
  for (uint32_t step = 0; step < STEPS; step++) {
    uint32_t at = n ? (uint32_t)(rand_u64(&rand) % n) : 0;
    uint64_t what = rand_u64(&rand) % (step < STEPS / 2 ? 4 : 10);
    if (!n || (n < MOST && what < 2)) { /* grows, shrinks later */
      if (what == 0) at = n;
      now[n] = NULL;
      memmove(&now[at + 1], &now[at], (n - at) * sizeof *now);
      now[at] = thing_new(0);
      tree = tree_insert(tree, at, &now[at]->kept);
      n++;
    } else if (what < 4) {
      now[at] = thing_new(0);
      tree = tree_put(tree, at, &now[at]->kept);
    } else {
      tree = tree_cut(tree, at);
      memmove(&now[at], &now[at + 1], (n - at - 1) * sizeof *now);
      n--;
    }
    if (step % 50 && n) continue; /* some steps share, some change in place */
    wrong += !tree_is(before, was, n_was);
    tree_drop(before);
    before = tree_share(tree);
    memcpy(was, now, sizeof was);
    n_was = n;
    wrong += !tree_is(tree, now, n);
  }
  EXPECT_INT(wrong, 0);
  EXPECT(n > 0);
  while (n) tree = tree_cut(tree, --n);
  EXPECT(!tree);
  EXPECT_INT(alive, n_was); /* the one before has its own still */
  tree_drop(before);
  EXPECT_INT(alive, 0);
}

TEST(a_change_of_a_shared_tree_copies_the_way_to_it_alone)
{
  enum { N = 100000 };
  struct tree *tree = NULL;
  for (uint32_t i = 0; i < N; i++) tree = tree_insert(tree, i, &thing_new(0)->kept);
  uint64_t grabs = grab_count();
  struct tree *next = tree_put(tree_share(tree), N / 2, &thing_new(0)->kept);
  EXPECT_INT(grab_count() - grabs, 1 + 4); /* the item, and one node of each level */
  EXPECT(tree_at(next, N / 2) != tree_at(tree, N / 2) && tree_at(next, 0) == tree_at(tree, 0));
  EXPECT_INT(alive, N + 1);
  tree_drop(tree);
  EXPECT_INT(alive, N);
  tree_drop(next);
  EXPECT_INT(alive, 0);
}

static uint64_t hash_of(const void *arg, const void *item)
{
  (void)arg;
  return ((const struct thing *)item)->hash;
}

TEST(a_trie_finds_what_is_there_and_nothing_else)
{
  enum { N = 2000 };
  static struct thing *things[N];
  static bool there[N], was[N];
  const struct trie_hash hashes = {hash_of, NULL};
  struct rand rand;
  struct trie *trie = NULL, *before = NULL;
  uint32_t wrong = 0;
  rand_seed(&rand, 11);
  for (uint32_t i = 0; i < N; i++) {
    uint64_t hash = rand_u64(&rand);
    if (i % 3 == 1) hash = things[i - 1]->hash ^ UINT64_C(1) << 63; /* alike but for the last bit */
    if (i % 3 == 2) hash = things[i - 1]->hash ^ UINT64_C(1) << (i % 60);
    things[i] = thing_new(hash);
  }
  for (uint32_t step = 0; step < 4 * N; step++) {
    uint32_t i = (uint32_t)(rand_u64(&rand) % N);
    uint64_t hash = things[i]->hash;
    if (!there[i] || rand_u64(&rand) % 4 == 0)
      trie = trie_put(trie, hash, things[i], hashes);
    else
      trie = trie_cut(trie, hash);
    there[i] = trie && trie_find(trie, hash) == things[i];
    if (step % 400) continue;
    for (uint32_t k = 0; k < N; k++) {
      const void *found = trie_find(before, things[k]->hash);
      wrong += was[k] != (found == things[k]);
      found = trie_find(trie, things[k]->hash);
      wrong += there[k] != (found == things[k]);
    }
    trie_drop(before);
    before = trie_share(trie);
    memcpy(was, there, sizeof was);
  }
  EXPECT_INT(wrong, 0);
  for (uint32_t i = 0; i < N; i++)
    if (there[i]) trie = trie_cut(trie, things[i]->hash);
  EXPECT(!trie);
  trie_drop(before);
  for (uint32_t i = 0; i < N; i++) kept_drop(&things[i]->kept);
}
