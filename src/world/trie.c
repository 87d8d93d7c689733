/* trie.c - nodes of up to 32 places, of which those that are empty take no room. Functions that
 * call themselves go down one level each time, of at most thirteen.
 * Thread: control; any reads.
 * SPDX-License-Identifier: MIT */
#include "world/trie.h"

#include "base/err.h"
#include "base/mem.h"

enum { STEP = 5, SHIFT_MAX = 60 };

struct trie {
  struct kept kept;
  uint32_t full, inner; /* places: in use; of these nodes, not items */
  void *at[];           /* in the order of the places in use */
};

/* By hand: without an instruction for it, which the oldest x86-64 lacks, the compiler's own is a
 * call, for each level of each lookup. */
static inline uint32_t bits(uint32_t x)
{
  x -= x >> 1 & 0x55555555;
  x = (x & 0x33333333) + (x >> 2 & 0x33333333);
  return ((x + (x >> 4)) & 0x0f0f0f0f) * 0x01010101 >> 24;
}

static inline uint32_t place_bit(uint64_t hash, uint32_t shift)
{
  return 1u << (hash >> shift & 31);
}

static inline uint32_t index_of(const struct trie *node, uint32_t bit)
{
  return bits(node->full & (bit - 1));
}

const void *trie_find(const struct trie *trie, uint64_t hash)
{
  for (uint32_t shift = 0; trie; shift += STEP) {
    uint32_t bit = place_bit(hash, shift);
    if (!(trie->full & bit)) return NULL;
    const void *at = trie->at[index_of(trie, bit)];
    if (!(trie->inner & bit)) return at;
    trie = at;
  }
  return NULL;
}

static void node_gone(struct kept *kept)
{
  struct trie *node = (struct trie *)kept;
  for (uint32_t left = node->inner, bit; left; left &= ~bit) {
    bit = left & -left;
    trie_drop(node->at[index_of(node, bit)]);
  }
  ungrab(node);
}

static struct trie *node_new(uint32_t full)
{
  struct trie *node = grab(sizeof *node + bits(full) * sizeof *node->at);
  *node = (struct trie){.kept = kept_made(node_gone), .full = full};
  return node;
}

/* The node, taken, as one that nobody else holds and in which exactly these places are in use; what
 * is in a new one is the caller's to fill. */
static struct trie *node_own(struct trie *from, uint32_t full)
{
  if (from->kept.holders == 1 && from->full == full) return from;
  struct trie *to = node_new(full);
  to->inner = from->inner & full;
  for (uint32_t left = from->full & full, bit; left; left &= ~bit) {
    bit = left & -left;
    void *kid = from->at[index_of(from, bit)];
    to->at[index_of(to, bit)] = kid;
    if (from->inner & bit) kept_share(kid);
  }
  trie_drop(from);
  return to;
}

static struct trie *put(struct trie *node, uint32_t shift, uint64_t hash, const void *item,
                        struct trie_hash hashes)
{
  must(shift <= SHIFT_MAX);
  uint32_t bit = place_bit(hash, shift);
  bool was = node->full & bit;
  node = node_own(node, node->full | bit);
  void **at = &node->at[index_of(node, bit)];
  if (node->inner & bit) {
    *at = put(*at, shift + STEP, hash, item, hashes);
    return node;
  }
  uint64_t other = was ? hashes.of(hashes.arg, *at) : hash;
  if (other == hash) {
    *at = (void *)(uintptr_t)item;
    return node;
  }
  struct trie *kid = node_new(place_bit(other, shift + STEP));
  kid->at[0] = *at;
  *at = put(kid, shift + STEP, hash, item, hashes);
  node->inner |= bit;
  return node;
}

struct trie *trie_put(struct trie *trie, uint64_t hash, const void *item, struct trie_hash hashes)
{
  return put(trie ? trie : node_new(0), 0, hash, item, hashes);
}

static struct trie *cut(struct trie *node, uint32_t shift, uint64_t hash)
{
  uint32_t bit = place_bit(hash, shift);
  must(node->full & bit);
  if (node->inner & bit) {
    node = node_own(node, node->full);
    void **at = &node->at[index_of(node, bit)];
    *at = cut(*at, shift + STEP, hash);
    if (*at) return node;
    node->inner &= ~bit;
  }
  uint32_t full = node->full & ~bit;
  if (full) return node_own(node, full);
  trie_drop(node);
  return NULL;
}

struct trie *trie_cut(struct trie *trie, uint64_t hash) { return cut(trie, 0, hash); }

struct trie *trie_share(struct trie *trie)
{
  if (trie) kept_share(&trie->kept);
  return trie;
}

void trie_drop(struct trie *trie)
{
  if (trie) kept_drop(&trie->kept);
}
