/* ratio.c - Dirichlet mixtures against fixed shares.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "stat/ratio.h"

double ratio_log_e(uint64_t n_c, uint64_t n, double p, double k)
{
  if (!(p > 0 && p < 1) || !(k > 0) || n_c > n || n > M_COUNT_MAX) return M_NAN;
  if (n == 0) return 0;
  double c = (double)n_c, b = (double)(n - n_c), all = (double)n, k_c = k * p, k_b = k * (1 - p);
  double after = m_lgamma(k_c + c) + m_lgamma(k_b + b) - m_lgamma(k + all);
  double before = m_lgamma(k_c) + m_lgamma(k_b) - m_lgamma(k);
  return after - before - c * m_ln(p) - b * m_log1p(-p);
}

double ratio_arms_log_e(const uint64_t *n, const double *p, size_t arms, double k)
{
  double of_arms = 0, all = 0;
  if (arms == 0 || arms > RATIO_ARMS_MAX || !(k > 0)) return M_NAN;
  for (size_t i = 0; i < arms; i++) {
    if (!(p[i] > 0 && p[i] <= 1) || n[i] > M_COUNT_MAX) return M_NAN;
    double count = (double)n[i];
    of_arms += m_lgamma(k * p[i] + count) - m_lgamma(k * p[i]) - count * m_ln(p[i]);
    all += count;
  }
  return all > 0 ? of_arms - (m_lgamma(k + all) - m_lgamma(k)) : 0;
}

double ratio_drift(uint64_t n_c, uint64_t n, double p)
{
  if (n == 0) return 0;
  double drift = ((double)n_c / (double)n - p) / p;
  return drift < 0 ? -drift : drift;
}

double ratio_arms_drift(const uint64_t *n, const double *p, size_t arms)
{
  uint64_t all = 0;
  double worst = 0;
  for (size_t i = 0; i < arms; i++) all += n[i];
  for (size_t i = 0; i < arms; i++) {
    double drift = ratio_drift(n[i], all, p[i]);
    if (!(drift <= worst)) worst = drift;
  }
  return worst;
}
