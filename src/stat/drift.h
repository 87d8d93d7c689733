/* drift.h - do requests still look like those of before? Numbers of requests ("features") in bins
 * that were frozen from a reference, one feature at a time.
 * Thread: any, pure.
 *
 * The reference is N rows of before. Its deciles are the edges; bin j holds a_j of its rows (and a
 * half, so that none is impossible). What a fresh row's chance is to fall into a bin between two
 * values of the reference is not known, but its distribution is, whatever the feature's: with A =
 * sum a_j, chances are Dirichlet(a), so fresh rows alike are Dirichlet-multinomial, and a bet
 * against that holds at any time and pays for the finite reference:
 *
 *   log_e = L(K a / A) - L(a)
 *   L(w)  = lgamma(W) - lgamma(W + n) + sum (lgamma(w_j + n_j) - lgamma(w_j)),  W = sum w, K = 20
 *
 * Exact where no two values are equal; where they are, a bin's chance is estimated from as many
 * rows. Rows of one user, or of one hour, are not independent, so drift is said only with a size:
 * psi of stat/shift.h, between rows and reference.
 * Several features: each is held against its part of alpha.
 * A feature whose reference moved by itself (its first half against its second, psi of
 * DRIFT_RESTLESS) says nothing: a clock, a counter, a number of orders.
 * Source: release statistics, section 9, end; spacings of order statistics are Dirichlet (Wilks).
 * SPDX-License-Identifier: MIT */
#ifndef STAT_DRIFT_H
#define STAT_DRIFT_H

#include "stat/math.h"

enum {
  DRIFT_FEATURES = 8,
  DRIFT_EDGES = 9,
  DRIFT_BINS = DRIFT_EDGES + 2, /* and one for what is not there: NaN */
  DRIFT_ROWS_MIN = 200,         /* a reference has at least so many */
};

/* One feature, frozen. */
struct drift_bins {
  uint32_t n_edges;         /* 0: the reference says nothing of it */
  float edges[DRIFT_EDGES]; /* ascending; x is in the first bin with x < edges[j] */
  uint32_t rows[DRIFT_BINS]; /* of the reference */
};

#define DRIFT_RESTLESS 0.5
/* Edges at the deciles of n values in the order of their time; equal ones are one edge, a single
 * value gets an edge on either side. No edges: too few values, or restless ones. scratch: of n. */
void drift_freeze(struct drift_bins *bins, const float *values, float *scratch, uint32_t n);
/* The place of x; NaN: after the last of the numbers. */
uint32_t drift_bin(const struct drift_bins *bins, float x);
uint32_t drift_used(const struct drift_bins *bins); /* bins in use: edges + 2 */

/* Rows since, by bin; 0 when there are none. */
double drift_log_e(const struct drift_bins *bins, const uint64_t *rows);
double drift_psi(const struct drift_bins *bins, const uint64_t *rows);

#endif
