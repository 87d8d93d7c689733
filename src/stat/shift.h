/* shift.h - are the candidate's answers distributed like stable's on the same traffic?
 * Thread: any, pure.
 *
 * Bins are frozen before the step: deciles of stable's scores on sketch edges, or the labels
 * themselves. If both arms answer alike, a request in any bin is the candidate's with probability
 * s, whatever the inputs do:
 *
 *   log_e = sum over bins of the two-arm log_e of ratio.h (n_c = c_j, n = c_j + b_j, p = s, K =
 *   200) psi   = sum (A - E) ln(A/E)     A = (c_j + 1/2)/(sum c + k/2), E likewise of b, k bins
 *
 * A product over bins is allowed here: given the bins so far each factor's expectation is <= 1.
 * A new version is meant to differ, so this only pauses, at log_e >= ln 1000 and psi >= 0.10; psi
 * says how much, log_e how surely. The same over inputs must stay quiet, or routing is broken.
 * SPDX-License-Identifier: MIT */
#ifndef STAT_SHIFT_H
#define STAT_SHIFT_H

#include "stat/sketch.h"

enum { SHIFT_BINS = 10, SHIFT_BINS_MAX = 64 };
#define SHIFT_K          200.0
#define SHIFT_PSI        0.10
#define SHIFT_PSI_STRONG 0.25

/* Deciles of what a sketch holds (scores as whole numbers, in whatever unit they were put in). */
struct shift_bins {
  uint64_t edges[SHIFT_BINS - 1]; /* ascending; value v is in the first bin with v < edges[j] */
  uint32_t n;                     /* bins: edges + 1; deciles that fall together are one edge */
};
void shift_bins_freeze(struct shift_bins *bins, const struct sketch *stable);
uint32_t shift_bin(const struct shift_bins *bins, uint64_t value);
/* Counts per bin of what a sketch holds: exact, edges being edges. */
void shift_count(const struct shift_bins *bins, const struct sketch *seen, uint64_t *counts);

double shift_log_e(const uint64_t *c, const uint64_t *b, size_t bins, double s);
double shift_psi(const uint64_t *c, const uint64_t *b, size_t bins);

#endif
