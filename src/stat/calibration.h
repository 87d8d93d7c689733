/* calibration.h - do scores say how often they come true? A bet against it, bin by bin.
 * Thread: any, pure.
 *
 * A score p in [0, 1] is calibrated where the outcome y in [0, 1] has mean p. Scores are binned by
 * tenths; in each bin d = y - p lies in [-hi, 1 - lo]. Kept are a bin's sums of y, p and their
 * products, as integers (mean.h, cap 1): mergeable, and their order does not matter.
 *
 *   null: E d <= m      xi = (d - m) / (hi + m) >= -1
 *   bet lambda:         1 + lambda xi >= exp(lambda xi - psi(lambda) xi^2)
 *                       psi(lambda) = -ln(1 - lambda) - lambda, lambda in (0, 1)
 *   log_e = ln mean_i exp(lambda_i sum xi - psi(lambda_i) sum xi^2)
 *
 * over lambda = 0.8 and 2^-1 to 2^-7; the other side (E d >= -m) is its mirror. So capital is never
 * above that of the bets themselves, which is what makes it an e-process, and needs no more than
 * the sums. A model that is calibrated within m in a bin keeps both nulls: the bin's e-value is the
 * mean of the two. Over bins alpha is split (CALIBRATION_BINS of them, used or not).
 * Outcomes of one unit are dependent: a unit enters once, the caller's part.
 * Source: Waudby-Smith, Ramdas 2024 (betting); Fan, Grama, Liu 2015 (the bound by sums); bins and
 * null: release features, section 8.
 * SPDX-License-Identifier: MIT */
#ifndef STAT_CALIBRATION_H
#define STAT_CALIBRATION_H

#include "stat/mean.h"

enum { CALIBRATION_BINS = 10 };

/* y: the outcome, x: the score. Zeroed is empty. */
struct calibration {
  struct mean_arm at[CALIBRATION_BINS];
};

/* False, and nothing is added: NaN, or not in [0, 1]. */
bool calibration_add(struct calibration *calibration, double score, double outcome);
void calibration_merge(struct calibration *into, const struct calibration *from);
/* Which bin a score in [0, 1] falls into: by tenths, 1 into the last. */
uint32_t calibration_bin(double score);
double calibration_low(uint32_t bin); /* the bin is [low(bin), low(bin + 1)) */

uint64_t calibration_count(const struct calibration *calibration);
double calibration_gap(const struct mean_arm *bin); /* mean of y - p; NaN: it is empty */
/* Expected calibration error: gaps, weighted by how many answers a bin has; NaN: none has any. */
double calibration_ece(const struct calibration *calibration);

/* Against "the gap is within +-limit"; 0 when the bin is empty. limit in [0, 0.5). */
double calibration_log_e(const struct calibration *calibration, uint32_t bin, double limit);
/* Against "the gap is limit or more, one way or the other". */
double calibration_pass_log_e(const struct calibration *calibration, uint32_t bin, double limit);
/* Around the gap of one bin, at every look; false when it is empty. */
bool calibration_interval(const struct calibration *calibration, uint32_t bin, double alpha,
                          double *lower, double *upper);

#endif
