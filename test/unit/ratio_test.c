/* ratio_test.c - the golden ratios, agreement of both forms, and what is refused.
 * SPDX-License-Identifier: MIT */
#include "stat/ratio.h"

#include "base/rand.h"
#include "golden/figures.h"
#include "near.h"

TEST(golden_ratios)
{
  for (size_t i = 0; i < FIGURES(figures_ratio); i++) {
    const struct figure_ratio *f = &figures_ratio[i];
    EXPECT_NEAR(ratio_log_e(f->n_c, f->n, f->p, f->k), f->log_e, 1e-7);
  }
}

TEST(golden_arms)
{
  for (size_t i = 0; i < FIGURES(figures_arms); i++) {
    const struct figure_arms *f = &figures_arms[i];
    EXPECT_NEAR(ratio_arms_log_e(f->n, f->p, f->arms, f->k), f->log_e, 1e-7);
  }
}

TEST(two_arms_are_a_case_of_many)
{
  for (uint64_t n = 0; n < 100000; n = n * 3 + 7)
    for (uint64_t part = 1; part < 10; part++) {
      uint64_t counts[2] = {n * part / 10, n - n * part / 10};
      double p[2] = {0.3, 0.7};
      double two = ratio_log_e(counts[0], n, 0.3, RATIO_K);
      EXPECT_NEAR(ratio_arms_log_e(counts, p, 2, RATIO_K), two, 1e-7);
    }
}

/* An e-value: over all outcomes of n units the mean is 1. */
TEST(the_mean_over_outcomes_is_one)
{
  for (uint64_t n = 1; n <= 40; n += 13) {
    double mean = 0;
    for (uint64_t k = 0; k <= n; k++) {
      double ways = lgamma((double)n + 1) - lgamma((double)k + 1) - lgamma((double)(n - k) + 1);
      double chance = ways + (double)k * log(0.05) + (double)(n - k) * log(0.95);
      mean += exp(chance + ratio_log_e(k, n, 0.05, 20));
    }
    EXPECT_NEAR(mean, 1, 1e-10);
  }
}

TEST(drift_is_relative_to_the_share)
{
  EXPECT_NEAR(ratio_drift(55, 1000, 0.05), 0.1, 1e-12);
  EXPECT_NEAR(ratio_drift(45, 1000, 0.05), 0.1, 1e-12);
  EXPECT(ratio_drift(0, 0, 0.05) == 0);
  EXPECT_NEAR(ratio_arms_drift((uint64_t[]){55, 945}, (double[]){0.05, 0.95}, 2), 0.1, 1e-12);
  EXPECT(ratio_arms_drift((uint64_t[]){0, 0}, (double[]){0.5, 0.5}, 2) == 0);
}

TEST(what_is_outside_is_not_a_number)
{
  EXPECT(isnan(ratio_log_e(2, 1, 0.5, 10)) && isnan(ratio_log_e(1, 2, 0, 10)));
  EXPECT(isnan(ratio_log_e(1, 2, 1, 10)) && isnan(ratio_log_e(1, 2, NAN, 10)));
  EXPECT(isnan(ratio_log_e(1, (UINT64_C(1) << 53) + 1, 0.5, 10)));
  EXPECT(isnan(ratio_arms_log_e((uint64_t[]){1, 2}, (double[]){1, 0}, 2, 10)));
  EXPECT(isnan(ratio_arms_log_e(NULL, NULL, 0, 10)));
  EXPECT(isnan(ratio_arms_log_e(NULL, NULL, RATIO_ARMS_MAX + 1, 10)));
  EXPECT(ratio_arms_log_e((uint64_t[]){0, 0}, (double[]){0.5, 0.5}, 2, 10) == 0);
  EXPECT(isfinite(ratio_log_e(1, UINT64_C(1) << 53, 0.5, RATIO_K)));
}

/* 20,000 units at the right share, looked at each thousand, 300 runs: two flagged at most. */
TEST(right_shares_are_rarely_flagged)
{
  struct rand rand;
  int fired = 0;
  rand_seed(&rand, 16);
  for (int run = 0; run < 300; run++) {
    uint64_t n_c = 0;
    bool bad = false;
    for (uint64_t n = 1; n <= 20000 && !bad; n++) {
      n_c += rand_unit(&rand) < 0.05;
      bad = n % 1000 == 0 && ratio_log_e(n_c, n, 0.05, RATIO_K) >= log(1000);
    }
    fired += bad;
  }
  EXPECT(fired <= 2);
}
