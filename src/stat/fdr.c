/* fdr.c - e-BH over at most 64 segments.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "stat/fdr.h"

#include "base/err.h"

/* How many segments have at least so much evidence. */
static uint32_t above(const double *log_e, uint32_t n, double bar)
{
  uint32_t found = 0;
  for (uint32_t i = 0; i < n; i++) found += log_e[i] >= bar;
  return found;
}

uint64_t fdr_found(const double *log_e, uint32_t n, double rate)
{
  uint64_t found = 0;
  must(n <= FDR_MAX && rate > 0);
  for (uint32_t k = n; k > 0; k--) {
    double bar = m_ln(n / (k * rate));
    if (above(log_e, n, bar) < k) continue;
    for (uint32_t i = 0; i < n; i++) found |= (uint64_t)(log_e[i] >= bar) << i;
    break;
  }
  return found;
}

uint32_t fdr_worst(const double *log_e, uint32_t n)
{
  uint32_t worst = n;
  for (uint32_t i = 0; i < n; i++) {
    if (m_is_nan(log_e[i])) continue;
    if (worst == n || log_e[i] > log_e[worst]) worst = i;
  }
  return worst;
}
