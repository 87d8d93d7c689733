/* agree.h - do two versions answer alike? A bet against the limit, request by request.
 * Thread: any, pure; one loop fills a `struct agree32`.
 *
 * Per request that both versions answered, x in [0, 1] is how much they disagree, rounded to the
 * nearest 1/64 and kept as 65 counts: mergeable, and order does not matter. Limit q, grid g =
 * 1.25 1.5 2 3 5 10 20:
 *
 *   harm: k_i = min(g_i q, 0.95)     pass: k_i = q / g_i     lambda_i = (k_i - q) / (q (1 - q))
 *   log_e = ln mean_i exp(sum over x of count_x ln(1 + lambda_i (x - q)))
 *
 * Null of the harm side: the mean of x is at most q; of the pass side: at least q. For labels (x is
 * 0 or 1) this is a mixture of likelihood ratios. Every factor stays positive for q in (0, 0.7).
 * Dependent inputs (retries of one user) must be counted once: the caller's part.
 * Source: Waudby-Smith, Ramdas, "Estimating means of bounded random variables by betting" (2024).
 * SPDX-License-Identifier: MIT */
#ifndef STAT_AGREE_H
#define STAT_AGREE_H

#include "stat/count.h"

enum { AGREE_PARTS = 64, AGREE_COUNTS = AGREE_PARTS + 1, AGREE_GRID = 7 };
extern const double AGREE_G[AGREE_GRID];

/* Zeroed is empty. at[j]: pairs with disagreement j/64. */
struct agree {
  uint64_t at[AGREE_COUNTS];
};
struct agree32 {
  uint32_t at[AGREE_COUNTS];
};

/* The part for disagreement x: nearest, half up; below 0 is 0, above 1 is 64, NaN is 64: an answer
 * that cannot be compared does not agree. */
uint32_t agree_part(double x);
void agree_add(struct agree *agree, double x);
void agree32_add(struct agree32 *agree, double x);
void agree_merge(struct agree *into, const struct agree *from);
void agree_merge32(struct agree *into, const struct agree32 *from);

uint64_t agree_pairs(const struct agree *agree);
double agree_mean(const struct agree *agree); /* mean disagreement; NaN without pairs */
bool agree_limit_is_fit(double q);            /* in (0, 0.7) */
/* NaN when the limit is not fit; 0 without pairs. */
double agree_log_e(const struct agree *agree, double q, enum count_side side);

#endif
