/* quantile.h - an interval around a quantile, for people to read; never a gate.
 * Thread: any, pure.
 *
 * k of n values lie below x. If x were the p-quantile, k would be the count of an arm with share p:
 * log_m is the two-arm log_e of ratio.h with K = 1000, and x lies outside when log_m >= ln(1/a).
 * The interval runs from the lowest to the highest bucket edge inside; the quantile itself may lie
 * up to one bucket (1/64) beyond either end.
 * Source: Howard, Ramdas, "Sequential estimation of quantiles" (2022).
 * SPDX-License-Identifier: MIT */
#ifndef STAT_QUANTILE_H
#define STAT_QUANTILE_H

#include "stat/sketch.h"

#define QUANTILE_K 1000.0

double quantile_log_m(uint64_t k, uint64_t n, double p);
/* Least and greatest k inside. p and alpha in (0, 1). */
void quantile_inside(uint64_t n, double p, double alpha, uint64_t *least, uint64_t *greatest);

struct quantile_interval {
  uint64_t low_us, high_us; /* edges; UINT64_MAX when nothing bounds it */
};
/* Where no edge is inside (one bucket holds too much): the edges of that bucket. Empty: 0 to
 * UINT64_MAX. */
struct quantile_interval quantile_bounds(const struct sketch *sketch, double p, double alpha);

#endif
