/* math.h - the functions verdicts are made of, so that every machine gets the same bits.
 * Thread: any, pure.
 *
 * libm differs in its last bits between versions and processors, and a verdict that is replayed
 * elsewhere must come out the same. So code that decides uses + - * / sqrt, which IEEE 754 fixes,
 * and what stands here. The whole program is compiled with -ffp-contract=off: a fused multiply-add
 * rounds once where the others round twice. Nothing here reads the rounding mode or errno.
 *
 * Log domain: evidence is a logarithm and may be +-1e6 nats. Sums of e-values are formed from
 * exp(x - max) alone, which cannot overflow. -inf is legal there (an e-value of zero); NaN is a bug
 * of ours, goes through everything unchanged and makes a gate report that it has no data.
 *
 * Errors, measured in test/unit/math_test.c: ln, log1p and exp below 1 ulp; lgamma below 3 ulp from
 * 10 on and 1e-14 absolute under that, where its zeros lie.
 * Source: Stirling's series; atanh and exp by their Taylor series after reduction. Own code.
 * SPDX-License-Identifier: MIT */
#ifndef STAT_MATH_H
#define STAT_MATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define M_INF (__builtin_inf())
#define M_NAN (__builtin_nan(""))
/* Counts above this are refused as evidence: a double would round them. */
#define M_COUNT_MAX (UINT64_C(1) << 53)

static inline bool m_is_nan(double x) { return x != x; }

double m_ln(double x);     /* -inf at 0, NaN below */
double m_log1p(double x);  /* ln(1 + x), exact for small x; -inf at -1, NaN below */
double m_exp(double x);    /* 0 below -745.2, inf above 709.8 */
double m_lgamma(double x); /* ln of gamma(x), x > 0; NaN for the rest, inf at inf */

double m_log_add(double a, double b);         /* ln(e^a + e^b) */
double m_log_sum(const double *x, size_t n);  /* ln(sum of e^x); -inf when n is 0 */
double m_log_mean(const double *x, size_t n); /* ln(mean of e^x); -inf when n is 0 */
double m_p_value(double log_e);               /* min(1, e^-log_e) */
/* Middle value, or the mean of the two middle ones; reorders x; NaN when n is 0. */
double m_median(double *x, size_t n);

#endif
