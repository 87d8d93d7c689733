/* fdr_test.c - e-BH by hand, and against a plain reading of its definition.
 * SPDX-License-Identifier: MIT */
#include "stat/fdr.h"

#include "base/rand.h"
#include "near.h"

TEST(by_hand)
{
  double none[4] = {0, 1, 2, -1}, one[4] = {0, log(81), 0, 0}, two[4] = {log(41), 0, log(41), 0};
  EXPECT_INT(fdr_found(none, 4, 0.05), 0);
  EXPECT_INT(fdr_found(one, 4, 0.05), 2);
  EXPECT_INT(fdr_found(two, 4, 0.05), 5); /* 41 alone is under 80, two of them over 40 */
  two[0] = log(39);
  EXPECT_INT(fdr_found(two, 4, 0.05), 0);
  EXPECT_INT(fdr_found(NULL, 0, 0.05), 0);
  double lost[2] = {NAN, 1e6};
  EXPECT_INT(fdr_found(lost, 2, 0.05), 2);
  EXPECT_CRASH(fdr_found(none, FDR_MAX + 1, 0.05));
}

static int falling(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x < y) - (x > y);
}

TEST(as_defined)
{
  struct rand rand;
  rand_seed(&rand, 24);
  for (int run = 0; run < 2000; run++) {
    double log_e[FDR_MAX], sorted[FDR_MAX];
    uint32_t n = 1 + (uint32_t)(rand_u64(&rand) % FDR_MAX), found = 0;
    for (uint32_t i = 0; i < n; i++) sorted[i] = log_e[i] = rand_unit(&rand) * 9;
    qsort(sorted, n, sizeof *sorted, falling);
    for (uint32_t k = 1; k <= n; k++)
      if (exp(sorted[k - 1]) >= n / (k * 0.05)) found = k;
    uint64_t got = fdr_found(log_e, n, 0.05);
    EXPECT_INT(__builtin_popcountll(got), found);
    for (uint32_t i = 0; i < n; i++)
      EXPECT((got >> i & 1) == (found && log_e[i] >= sorted[found - 1]));
  }
}

TEST(the_worst_is_the_first_of_equals)
{
  EXPECT_INT(fdr_worst((double[]){NAN, 3, 5, 5}, 4), 2);
  EXPECT_INT(fdr_worst((double[]){NAN}, 1), 1);
  EXPECT_INT(fdr_worst(NULL, 0), 0);
}
