/* trie.h - what has a hash, found by it; shares with the one before as trees do (world/tree.h).
 * Thread: control makes, changes and drops them; any reads one, once sealed.
 * Each node looks at five bits of the hash and has a place for each value that occurs. Items are
 * lent: whoever holds the trie holds them, too. No two items have one hash: it is keyed with chance
 * of this process, so nobody can choose names that collide.
 * Source: hash array mapped tries (Bagwell, 2001).
 * SPDX-License-Identifier: MIT */
#ifndef WORLD_TRIE_H
#define WORLD_TRIE_H

#include "world/tree.h"

struct trie; /* NULL: empty */

/* The hash of an item that is in the trie. */
struct trie_hash {
  uint64_t (*of)(const void *arg, const void *item);
  const void *arg;
};

/* The only one that may have this hash, by the bits that were looked at: compare its name. NULL:
 * none. */
const void *trie_find(const struct trie *trie, uint64_t hash);
/* The trie is taken. An item with the same hash is replaced. */
struct trie *trie_put(struct trie *trie, uint64_t hash, const void *item, struct trie_hash hashes);
/* Without the item of that hash, which is there. NULL: it was the last. */
struct trie *trie_cut(struct trie *trie, uint64_t hash);
struct trie *trie_share(struct trie *trie);
void trie_drop(struct trie *trie);

#endif
