/* dispersion_test.c - the golden blocks, the two scales, and what is not known.
 * SPDX-License-Identifier: MIT */
#include "stat/dispersion.h"

#include "base/rand.h"

#include "golden/figures.h"
#include "near.h"

TEST(golden_dispersion)
{
  for (size_t i = 0; i < FIGURES(figures_dispersion); i++) {
    const struct figure_dispersion *f = &figures_dispersion[i];
    EXPECT_NEAR(dispersion_phi(f->blocks, f->n, 1, f->s), f->phi, 1e-12);
  }
}

TEST(little_history_is_two)
{
  uint64_t x[DISPERSION_BLOCKS] = {0};
  EXPECT(dispersion_frozen(x, DISPERSION_BLOCKS - 1, 1, 0.05) == DISPERSION_UNKNOWN);
  EXPECT(dispersion_frozen(x, DISPERSION_BLOCKS, 1, 0.05) == 1);
  EXPECT(dispersion_phi(x, 1, 1, 0.05) == 1 && dispersion_phi(x, 0, 1, 0.05) == 1);
}

/* Minutes that differ as a whole show at 60 s far more than at 10 s. */
TEST(the_larger_scale_counts)
{
  uint64_t x[DISPERSION_BLOCKS + 7], groups[30] = {0};
  for (size_t i = 0; i < DISPERSION_BLOCKS; i++) {
    x[i] = i / 6 % 2 ? 100 : 60;
    groups[i / 6] += x[i];
  }
  double of_ten = dispersion_phi(x, DISPERSION_BLOCKS, 1, 0.05);
  double of_sixty = dispersion_phi(groups, 30, 1, 0.05);
  EXPECT(of_sixty > of_ten && of_ten > 1);
  EXPECT_BITS(dispersion_frozen(x, DISPERSION_BLOCKS, 1, 0.05), of_sixty);
  memmove(x + 7, x, DISPERSION_BLOCKS * sizeof *x);
  for (int i = 0; i < 7; i++) x[i] = 1000000; /* older than the 180 */
  EXPECT_BITS(dispersion_frozen(x, DISPERSION_BLOCKS + 7, 1, 0.05), of_sixty);
}

TEST(stables_own_share_scales_the_mean)
{
  uint64_t x[12] = {10, 9, 12, 80, 11, 10, 9, 13, 7, 70, 10, 10};
  double all = dispersion_phi(x, 12, 1, 0.05), half = dispersion_phi(x, 12, 0.5, 0.05);
  EXPECT_NEAR(half - 1, 2 * (all - 1), 0);
}

/* complaint: a ramp makes its own later steps blind. Stable's counts fall with its share, step by
 * step; that is no burst. */
TEST(a_ramp_is_no_dispersion)
{
  uint64_t x[DISPERSION_BLOCKS];
  double share[DISPERSION_BLOCKS];
  struct rand rand;
  rand_seed(&rand, 3);
  for (int i = 0; i < DISPERSION_BLOCKS; i++) {
    share[i] = i < 60 ? 1 : i < 120 ? 0.95 : 0.5;
    x[i] = 0;
    for (int k = 0; k < 10000; k++) x[i] += rand_unit(&rand) < 0.5 * share[i];
  }
  EXPECT(dispersion_frozen_ramp(x, share, DISPERSION_BLOCKS, 0.5) < 1.5);
  EXPECT(dispersion_frozen(x, DISPERSION_BLOCKS, 0.82, 0.5) > 100);
  share[7] = 0;
  EXPECT(dispersion_frozen_ramp(x, share, DISPERSION_BLOCKS, 0.5) == DISPERSION_UNKNOWN);
  EXPECT(dispersion_frozen_ramp(x, share, 179, 0.5) == DISPERSION_UNKNOWN);
}

TEST(without_a_ramp_both_are_the_same)
{
  uint64_t x[DISPERSION_BLOCKS + 5];
  double share[DISPERSION_BLOCKS + 5];
  for (int i = 0; i < DISPERSION_BLOCKS + 5; i++) {
    x[i] = i < 5 ? 100000 : (uint64_t)(i * i % 97);
    share[i] = 0.9;
  }
  EXPECT_NEAR(dispersion_frozen_ramp(x, share, DISPERSION_BLOCKS + 5, 0.1),
              dispersion_frozen(x, DISPERSION_BLOCKS + 5, 0.9, 0.1), 1e-12);
}
