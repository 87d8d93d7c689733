/* fdr.h - many segments, one false-discovery rate: e-BH.
 * Thread: any, pure.
 *
 * With e-values of n segments in falling order, the first k are discoveries for the largest k with
 * e_(k) >= n / (k q). Holds at rate q under any dependence between segments.
 * Source: Wang, Ramdas, "False discovery rate control with e-values" (2022).
 * SPDX-License-Identifier: MIT */
#ifndef STAT_FDR_H
#define STAT_FDR_H

#include "stat/math.h"

enum { FDR_MAX = 64 };
#define FDR_RATE 0.05

/* Bit i is segment i. n <= FDR_MAX; NaN is never a discovery. */
uint64_t fdr_found(const double *log_e, uint32_t n, double rate);
/* The segment with the most evidence, the first of equals; n when all are NaN or n is 0. */
uint32_t fdr_worst(const double *log_e, uint32_t n);

#endif
