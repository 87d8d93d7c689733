/* mean.h - an interval for a difference of means that may be looked at any time.
 * Thread: any, pure.
 *
 * The asymptotic confidence sequence: as wide as needed for all looks together, sharpest near
 * n_star units. For business metrics (units are users) and, one-sided, for blocks (stat/block.h).
 *
 *   rho   = sqrt((-2 ln a + ln(-2 ln a + 1)) / n_star)
 *   width = sqrt(2 (n rho^2 + 1) / (n^2 rho^2) ln(sqrt(n rho^2 + 1) / a))          two-sided
 *   one-sided: 2a for a in rho, and ln(1 + sqrt(n rho^2 + 1) / (2a)) in the width
 *
 * times the standard deviation of one unit; with two arms, width * sqrt(N) * se, N = n_c + n_b.
 *
 * Values travel as integers, so that sums merge without rounding: parts of 2^30 of a cap that is
 * declared beforehand (mean_parts); values beyond the cap count as the cap. Up to 2^32 units an
 * arm.
 * CUPED: with a covariate x known before assignment, y' = y - theta (x - mean x) has the same
 * difference and less noise; theta = cov(x,y)/var x over both arms together.
 * Not to be used before MEAN_UNITS_MIN units per arm: `enough` says so.
 * Source: Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas, "Time-uniform central limit theory"; Deng,
 * Xu, Kohavi, Walker 2013 for CUPED.
 * SPDX-License-Identifier: MIT */
#ifndef STAT_MEAN_H
#define STAT_MEAN_H

#include "stat/math.h"

enum { MEAN_UNITS_MIN = 100, MEAN_N_STAR = 5000, MEAN_PARTS_BITS = 30 };

typedef __int128 mean_wide;

/* One arm; zeroed is empty. y: the metric, x: the covariate, both in parts of their caps. */
struct mean_arm {
  uint64_t n;
  int64_t y, x;
  mean_wide yy, xx, xy;
};

/* value / cap in parts, within +-cap, to the nearest; false for NaN or a cap that is not above
 * 0. */
bool mean_parts(double value, double cap, int64_t *parts);
void mean_add(struct mean_arm *arm, int64_t y, int64_t x);
/* The same unit's value changed (a late outcome): out with the old, in with the new. */
void mean_remove(struct mean_arm *arm, int64_t y, int64_t x);
void mean_merge(struct mean_arm *into, const struct mean_arm *from);

double mean_width_two_sided(double n, double alpha, double n_star);
double mean_width_one_sided(double n, double alpha, double n_star);

struct mean_spec {
  double cap;     /* of y, in its own unit */
  double alpha;   /* in (0, 1); one-sided below 1/2 */
  double n_star;  /* 0: MEAN_N_STAR */
  bool one_sided; /* both bounds are drawn; each alone holds with alpha */
  bool cuped;
};

/* In y's own unit. Where an arm has fewer than two units all is NaN. */
struct mean_interval {
  double diff; /* candidate minus stable */
  double se, lower, upper;
  double mean_c, mean_b;
  double theta; /* 0 without CUPED, or when x does not vary; parts of y per part of x */
  bool enough;  /* MEAN_UNITS_MIN units in each arm */
};

struct mean_interval mean_difference(const struct mean_arm *c, const struct mean_arm *b,
                                     const struct mean_spec *spec);
/* Holm: which of n claims (n <= 64) with these p-values hold at alpha together; bit i is claim
 * i. */
uint64_t mean_holm(const double *p, uint32_t n, double alpha);

#endif
