/* buckets_int.h - entries by hash: a table that grows by one bucket at a time, so that no insert
 * has to move all of them while the lock is held.
 * Thread: any loop, with the shard's lock held.
 * Buckets lie in segments of doubling size. The memory of the next one is taken without the lock:
 * buckets_wants says how much, buckets_give gives it.
 * Source: W. Litwin, "Linear hashing", VLDB 1980.
 * SPDX-License-Identifier: MIT */
#ifndef SERVE_CACHE_BUCKETS_INT_H
#define SERVE_CACHE_BUCKETS_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct entry;

enum { BUCKETS_FIRST = 16, BUCKETS_SEGMENTS = 28 };

struct buckets {
  /* the first has BUCKETS_FIRST, then as many as before */
  struct entry **segments[BUCKETS_SEGMENTS];
  uint32_t n_segments;
  uint32_t n_buckets, n_entries;
};

struct entry **buckets_bucket(const struct buckets *table, uint64_t hash);
void buckets_add(struct buckets *table, struct entry *entry);
void buckets_remove(struct buckets *table, struct entry *entry);
/* Buckets of the segment that is missing; 0: none is. */
uint32_t buckets_wants(const struct buckets *table);
/* False: it has it by now, the memory is the caller's still. */
bool buckets_give(struct buckets *table, struct entry **segment, uint32_t n);
void buckets_deinit(struct buckets *table); /* the segments; entries are the caller's */

#endif
