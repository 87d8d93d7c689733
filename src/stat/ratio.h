/* ratio.h - did the arms get the shares they should have? Sample ratio mismatch, looked at any
 * time.
 * Thread: any, pure.
 *
 * Units are counted once, at their first assignment, never requests. Expected shares p_i; against
 * them stands a Dirichlet mixture centred there with weight K:
 *
 *   two arms: lB(K p + n_c, K(1-p) + n - n_c) - lB(K p, K(1-p)) - n_c ln p - (n - n_c) ln(1-p)
 *   arms:     sum lgamma(K p_i + n_i) - lgamma(K + N) - sum lgamma(K p_i) + lgamma(K)
 *             - sum n_i ln p_i
 *
 * Flagged at ln 1000 and only when the drift |n_c/n - p| / p reaches a floor: enough traffic makes
 * any trifle certain. A change of weights is a new p, so a new count. lgamma's differences lose
 * digits with n: about 1e-9 absolute at a million units, 1e-6 at a thousand million.
 * The two-arm form with other K serves prediction shift (200) and quantiles (1000).
 * Source: Lindon, Malek, "Anytime-Valid Inference for Multinomial Count Data" (2022).
 * SPDX-License-Identifier: MIT */
#ifndef STAT_RATIO_H
#define STAT_RATIO_H

#include "stat/math.h"

enum { RATIO_ARMS_MAX = 64 };
#define RATIO_K     10000.0
#define RATIO_FLOOR 0.01

/* p in (0, 1), n_c <= n; 0 for no units. NaN for what is outside. */
double ratio_log_e(uint64_t n_c, uint64_t n, double p, double k);
/* p_i > 0 with sum 1, at most RATIO_ARMS_MAX arms. NaN for what is outside. */
double ratio_arms_log_e(const uint64_t *n, const double *p, size_t arms, double k);
/* |n_c/n - p| / p; 0 for no units. */
double ratio_drift(uint64_t n_c, uint64_t n, double p);
/* The largest over arms. */
double ratio_arms_drift(const uint64_t *n, const double *p, size_t arms);

#endif
