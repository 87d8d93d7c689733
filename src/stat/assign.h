/* assign.h - which arm a key belongs to: the hash contract "m3".
 * Thread: any, pure.
 *
 *   text   = seed followed by key, bytes, no separator
 *   hash   = murmur3-32 (x86), seed 0
 *   bucket = (hash * total) >> 32          total = sum of weights <= 2^31 - 1
 *   arm    = first i with bucket < weights[0] + ... + weights[i]
 *
 * A release's weights are [candidate, stable, more candidates] (stat/arm.h), total ASSIGN_TOTAL, so
 * the candidate owns [0, w): raising w adds keys and moves none out, lowering it removes the
 * newest. A weight of zero owns nothing. The meaning of a stored hash version never changes;
 * another hash is another name.
 * This is the `fractional` of flagd. Not for tables that strangers fill: base/hash.h has siphash.
 * Source: MurmurHash3_x86_32 (Austin Appleby, public domain), own code from its description.
 * SPDX-License-Identifier: MIT */
#ifndef STAT_ASSIGN_H
#define STAT_ASSIGN_H

#include "base/slice.h"

#define ASSIGN_VERSION "m3"
enum { ASSIGN_TOTAL = 100000000, ASSIGN_TOTAL_MAX = 2147483647 };

uint32_t assign_hash(struct slice seed, struct slice key); /* nothing is copied together */

static inline uint32_t assign_bucket(uint32_t hash, uint32_t total)
{
  return (uint32_t)((uint64_t)hash * total >> 32);
}

/* n when the weights sum to 0 or to more than ASSIGN_TOTAL_MAX: nobody owns the key then. */
uint32_t assign_arm(uint32_t hash, const uint32_t *weights, uint32_t n);

/* A second lot for the same key, independent of the first: which requests a shadow gets, too. */
uint32_t assign_again(uint32_t hash);

/* A release's two arms: does the candidate with weight w of ASSIGN_TOTAL own the hash? */
static inline bool assign_is_candidate(uint32_t hash, uint32_t weight)
{
  return assign_bucket(hash, ASSIGN_TOTAL) < weight;
}

#endif
