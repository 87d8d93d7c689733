/* count.h - evidence from counts: how likely is it that the candidate has more than its share?
 * Thread: any, pure.
 *
 * A request goes to the candidate with probability s, whatever it holds. So an event (an error, a
 * slow answer) is the candidate's with probability th(r) = r s / (r s + 1 - s), r being the ratio
 * of event probabilities; the load cancels out. The null of the harm side is r <= r_0 = 1 + m, that
 * of the pass side r >= r_0. Against it stands the mean over seven likelihood ratios (the grid), so
 * nobody must know beforehand how bad bad is:
 *
 *   harm: r_i = r_0 g_i     pass: r_i = r_0 / g_i     g = 1.25 1.5 2 3 5 10 30
 *   l_i = n_c ln(th(r_i)/th(r_0)) + n_b ln((1 - th(r_i))/(1 - th(r_0)))
 *
 * l_i are logarithms of e-values: increments of looks add, also when s changes between them; means
 * over i and over rows are e-values again, whatever their dependence.
 * s: the published weight when requests are assigned one by one; the share realised in this look
 * (count_share) when users are sticky. Where an arm had no request a look says nothing: s is 0
 * then, and every increment is 0.
 * Source: Lindon, Malek, "Anytime-Valid Inference for Multinomial Count Data" (2022).
 * SPDX-License-Identifier: MIT */
#ifndef STAT_COUNT_H
#define STAT_COUNT_H

#include "stat/math.h"

enum { COUNT_GRID = 7 };
extern const double COUNT_G[COUNT_GRID];
enum count_side { COUNT_HARM, COUNT_PASS };

/* What one event of each arm moves l_i by; depends on side, s and m alone, so rows and looks with
 * the same three share it. */
struct count_step {
  double c[COUNT_GRID], b[COUNT_GRID];
};

/* s outside (0, 1): all zero. m must be at least 0. */
void count_step_set(struct count_step *step, enum count_side side, double s, double m);
/* l_i of one look or of a whole step. A count above M_COUNT_MAX is no evidence: all NaN. */
void count_logs(const struct count_step *step, uint64_t n_c, uint64_t n_b, double l[COUNT_GRID]);
/* ln of the mean over the grid. */
double count_log_e(const struct count_step *step, uint64_t n_c, uint64_t n_b);
/* ln of the mean over rows of one gate; -inf for none (which is no data, not evidence). */
double count_gate(const double *log_e, size_t rows);
/* Realised share of the candidate; 0 when either arm had no request. */
double count_share(uint64_t requests_c, uint64_t requests_b);
/* How bad it looks: (x_c / n_c) / (x_b / n_b); NaN where a denominator is 0. For people. */
double count_ratio(uint64_t x_c, uint64_t n_c, uint64_t x_b, uint64_t n_b);

#endif
