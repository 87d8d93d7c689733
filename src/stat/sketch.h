/* sketch.h - the latency histogram that gates are judged by: log-linear, 64 buckets an octave.
 * Thread: any, pure; one loop fills a sketch32 for one second and gives it away.
 *
 * Values are whole microseconds. Below 128 us each has a bucket of its own; above, the octave
 * [2^o, 2^(o+1)) is cut into 64 equal buckets [lo, hi), so a bucket is at most 1/64 of its value
 * wide. From 2^27 us (134 s) on there is one bucket for all. The bucket comes from shifts, without
 * logarithms: an edge is an edge on every machine.
 *
 * Invariants: merging is exact, associative and commutative, so the order in which loops and nodes
 * report never shows. A count of values at or above an edge is a sum of whole buckets: exact too,
 * and it merges. The edges never change: other edges are another SKETCH_VERSION, and sketches of
 * two versions are never merged (sketch_decode refuses).
 * Which edges were rejected: powers of a constant need a logarithm, whose last bit decides where a
 * value lies; edges learnt from data do not merge.
 *
 * The small twin has 32-bit counters: 5.6 KB, half the cache, and no loop answers 2^32 requests in
 * a second. The 64-bit one never wraps in practice: a count above 2^53 is refused as evidence.
 * `struct hist` is for display (820 bytes, 8 buckets an octave).
 * Source: HdrHistogram's bucket scheme (Gil Tene).
 * SPDX-License-Identifier: MIT */
#ifndef STAT_SKETCH_H
#define STAT_SKETCH_H

#include "base/err.h"
#include "stat/varint.h"

enum {
  SKETCH_VERSION = 1,
  SKETCH_SUB_BITS = 6,
  SKETCH_SUB = 1 << SKETCH_SUB_BITS, /* buckets an octave */
  SKETCH_TOP = 27,                   /* the last bucket begins at 2^27 us */
  SKETCH_BUCKETS = (SKETCH_TOP - SKETCH_SUB_BITS + 1) * SKETCH_SUB + 1,
};

/* Zeroed is empty, for both. */
struct sketch {
  uint64_t count; /* the sum of all buckets */
  uint64_t at[SKETCH_BUCKETS];
};

struct sketch32 {
  uint32_t at[SKETCH_BUCKETS];
};

static inline uint32_t sketch_bucket(uint64_t us)
{
  if (us < SKETCH_SUB) return (uint32_t)us;
  uint32_t octave = 63u - (uint32_t)__builtin_clzll(us);
  if (octave >= SKETCH_TOP) return SKETCH_BUCKETS - 1;
  uint32_t sub = (uint32_t)(us >> (octave - SKETCH_SUB_BITS)) & (SKETCH_SUB - 1);
  return (octave - SKETCH_SUB_BITS + 1) * SKETCH_SUB + sub;
}

/* First value above the bucket, which is the first of the next; UINT64_MAX for the last bucket. */
uint64_t sketch_edge(uint32_t bucket);
bool sketch_is_edge(uint64_t us); /* 0, an upper edge, or UINT64_MAX */

static inline void sketch32_add(struct sketch32 *sketch, uint64_t us)
{
  sketch->at[sketch_bucket(us)]++;
}

void sketch_add(struct sketch *sketch, uint64_t us);
void sketch_merge(struct sketch *into, const struct sketch *from);
void sketch_merge32(struct sketch *into, const struct sketch32 *from);

/* Upper edge of the bucket that holds quantile q in [0, 1]; 0 when empty. */
uint64_t sketch_quantile(const struct sketch *sketch, double q);
/* How many values are at or above an edge. A value that is no edge is a bug of ours: crash. */
uint64_t sketch_above(const struct sketch *sketch, uint64_t edge);
uint64_t sketch_below(const struct sketch *sketch, uint64_t edge);

/* At rest: version, number of non-empty buckets, then for each the distance to the one before and
 * its count, all varints. A second of 1,000 requests takes about 500 bytes. */
enum { SKETCH_BYTES_MAX = 2 + 2 + SKETCH_BUCKETS * (2 + VARINT_BYTES_MAX) };
void sketch_encode(const struct sketch *sketch, struct varint_out *out);
/* Eats one sketch from the front of *bytes and adds it to `into`. Bytes may come from anywhere:
 * E_INVALID_ARGUMENT, with `into` and *bytes as they were, for what encode would not have written
 * and for sums above 2^53. */
CHECKED enum code sketch_decode(struct sketch *into, struct slice *bytes, struct err *err);

#endif
