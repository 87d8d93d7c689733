/* draw.c - Poisson, binomial, geometric, normal.
 * Thread: own; one per generator.
 * SPDX-License-Identifier: MIT */
#include "sim/draw.h"

#include <math.h>

#include "base/err.h"
#include "stat/math.h"

enum { SMALL_MEAN = 10 };

/* ---- Poisson ---- */

static uint64_t poisson_small(struct rand *rand, double mean)
{
  double u = rand_unit(rand), p = m_exp(-mean);
  uint64_t k = 0;
  while (u >= p && p > 0) { /* p reaches 0 where u lies in what rounding left over */
    u -= p;
    p *= mean / (double)++k;
  }
  return k;
}

static uint64_t poisson_large(struct rand *rand, double mean)
{
  double b = 0.931 + 2.53 * sqrt(mean), a = -0.059 + 0.02483 * b;
  double sure = 0.9277 - 3.6224 / (b - 2), scale = 1.1239 + 1.1328 / (b - 3.4);
  double log_mean = 0;
  for (;;) {
    double u = rand_unit(rand) - 0.5, v = rand_unit(rand), us = 0.5 - fabs(u);
    double k = floor((2 * a / us + b) * u + mean + 0.43);
    if (us >= 0.07 && v <= sure) return (uint64_t)k;
    if (k < 0 || (us < 0.013 && v > us)) continue;
    if (log_mean == 0) log_mean = m_ln(mean);
    if (m_ln(v * scale / (a / (us * us) + b)) <= k * log_mean - mean - m_lgamma(k + 1))
      return (uint64_t)k;
  }
}

uint64_t draw_poisson(struct rand *rand, double mean)
{
  must(mean >= 0 && mean <= 1e9);
  return mean < SMALL_MEAN ? poisson_small(rand, mean) : poisson_large(rand, mean);
}

/* ---- binomial ---- */

static uint64_t binomial_small(struct rand *rand, double n, double p)
{
  double odds = p / (1 - p), mass = m_exp(n * m_log1p(-p)), u = rand_unit(rand), k = 0;
  while (u >= mass && k < n && mass > 0) {
    u -= mass;
    mass *= odds * (n - k) / (k + 1);
    k++;
  }
  return (uint64_t)k;
}

static uint64_t binomial_large(struct rand *rand, double n, double p)
{
  double spread = sqrt(n * p * (1 - p)), b = 1.15 + 2.53 * spread;
  double a = -0.0873 + 0.0248 * b + 0.01 * p, sure = 0.92 - 4.2 / b;
  double scale = (2.83 + 5.1 / b) * spread, mode = floor((n + 1) * p);
  double top = 0, log_odds = 0;
  for (;;) {
    double u = rand_unit(rand) - 0.5, v = rand_unit(rand), us = 0.5 - fabs(u);
    double k = floor((2 * a / us + b) * u + n * p + 0.5);
    if (us >= 0.07 && v <= sure) return (uint64_t)k;
    if (k < 0 || k > n) continue;
    if (top == 0) {
      top = m_lgamma(mode + 1) + m_lgamma(n - mode + 1);
      log_odds = m_ln(p / (1 - p));
    }
    if (m_ln(v * scale / (a / (us * us) + b)) <=
        top - m_lgamma(k + 1) - m_lgamma(n - k + 1) + (k - mode) * log_odds)
      return (uint64_t)k;
  }
}

uint64_t draw_binomial(struct rand *rand, uint64_t n, double p)
{
  if (n == 0 || p <= 0) return 0;
  if (p >= 1) return n;
  double less = p > 0.5 ? 1 - p : p;
  uint64_t k = (double)n * less < SMALL_MEAN ? binomial_small(rand, (double)n, less)
                                             : binomial_large(rand, (double)n, less);
  return p > 0.5 ? n - k : k;
}

/* ---- others ---- */

uint64_t draw_geometric(struct rand *rand, double p)
{
  if (p >= 1) return 0;
  must(p > 0);
  double k = floor(m_ln(1 - rand_unit(rand)) / m_log1p(-p));
  return k < 1e18 ? (uint64_t)k : (uint64_t)1e18;
}

double draw_normal(struct rand *rand)
{
  for (;;) {
    double x = 2 * rand_unit(rand) - 1, y = 2 * rand_unit(rand) - 1, r = x * x + y * y;
    if (r < 1 && r > 0) return x * sqrt(-2 * m_ln(r) / r);
  }
}

void draw_seed(struct rand *rand, uint64_t seed, uint64_t part)
{
  struct rand whole;
  rand_seed(&whole, seed);
  rand_seed(rand, rand_u64(&whole) ^ (part * UINT64_C(0x9e3779b97f4a7c15)));
}
