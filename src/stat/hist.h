/* hist.h - a mergeable latency histogram of fixed size: log-linear buckets, 8 to an octave.
 * Thread: any, pure. Merging is exact: associative, commutative, no rounding.
 * Buckets: 0..7 us one each, then 8 per power of two up to 2^27 us (134 s), then one for the rest.
 * Relative width is at most 1/8, so a quantile's upper edge is at most 12.5 % above the truth.
 * Source: HdrHistogram's bucket scheme (Gil Tene), in its simplest form.
 * SPDX-License-Identifier: MIT */
#ifndef STAT_HIST_H
#define STAT_HIST_H

#include <stddef.h>
#include <stdint.h>

enum { HIST_SUB = 8, HIST_TOP = 27, HIST_BUCKETS = (HIST_TOP - 3 + 1) * HIST_SUB + 1 };

struct hist {
  uint64_t count, sum; /* sum in the unit of the values */
  uint32_t buckets[HIST_BUCKETS];
};

void hist_add(struct hist *hist, uint64_t value);
void hist_merge(struct hist *into, const struct hist *from);
/* Upper edge (exclusive) of the bucket that holds quantile q in [0, 1]; 0 when empty. */
uint64_t hist_quantile(const struct hist *hist, double q);
uint32_t hist_bucket(uint64_t value);
uint64_t hist_edge(uint32_t bucket); /* first value above the bucket; UINT64_MAX for the last */
/* How many values lie below `edge`, which must be a bucket edge (a power of two is one). */
uint64_t hist_below(const struct hist *hist, uint64_t edge);

#endif
