/* hist.c - log-linear counting.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "stat/hist.h"

uint32_t hist_bucket(uint64_t value)
{
  if (value < HIST_SUB) return (uint32_t)value;
  uint32_t octave = 63u - (uint32_t)__builtin_clzll(value); /* value in [2^octave, 2^(octave+1)) */
  if (octave >= HIST_TOP) return HIST_BUCKETS - 1;
  uint32_t sub = (uint32_t)(value >> (octave - 3)) & (HIST_SUB - 1);
  return (octave - 2) * HIST_SUB + sub;
}

uint64_t hist_edge(uint32_t bucket)
{
  if (bucket >= HIST_BUCKETS - 1) return UINT64_MAX;
  if (bucket < HIST_SUB) return bucket + 1;
  uint32_t octave = bucket / HIST_SUB + 2, sub = bucket % HIST_SUB;
  return (uint64_t)(HIST_SUB + sub + 1) << (octave - 3);
}

void hist_add(struct hist *hist, uint64_t value)
{
  hist->count++;
  hist->sum += value;
  hist->buckets[hist_bucket(value)]++;
}

void hist_merge(struct hist *into, const struct hist *from)
{
  into->count += from->count;
  into->sum += from->sum;
  for (uint32_t i = 0; i < HIST_BUCKETS; i++) into->buckets[i] += from->buckets[i];
}

uint64_t hist_quantile(const struct hist *hist, double q)
{
  if (hist->count == 0) return 0;
  uint64_t rank = (uint64_t)(q * (double)hist->count), seen = 0;
  if (rank >= hist->count) rank = hist->count - 1;
  for (uint32_t i = 0; i < HIST_BUCKETS; i++) {
    seen += hist->buckets[i];
    if (seen > rank) return hist_edge(i);
  }
  return hist_edge(HIST_BUCKETS - 1);
}

uint64_t hist_below(const struct hist *hist, uint64_t edge)
{
  uint64_t seen = 0;
  for (uint32_t i = 0; i < HIST_BUCKETS && hist_edge(i) <= edge; i++) seen += hist->buckets[i];
  return seen;
}
