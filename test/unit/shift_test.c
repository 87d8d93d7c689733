/* shift_test.c - the golden bins, and bins frozen from a sketch.
 * SPDX-License-Identifier: MIT */
#include "stat/shift.h"

#include "base/rand.h"
#include "golden/figures.h"
#include "near.h"

TEST(golden_shifts)
{
  for (size_t i = 0; i < FIGURES(figures_shift); i++) {
    const struct figure_shift *f = &figures_shift[i];
    EXPECT_NEAR(shift_log_e(f->c, f->b, f->bins, f->s), f->log_e, 1e-7);
    EXPECT_NEAR(shift_psi(f->c, f->b, f->bins), f->psi, 1e-12);
  }
}

TEST(deciles_hold_a_tenth_each)
{
  static struct sketch sketch;
  struct shift_bins bins;
  uint64_t counts[SHIFT_BINS], one_by_one[SHIFT_BINS] = {0};
  struct rand rand;
  rand_seed(&rand, 19);
  for (int i = 0; i < 20000; i++) sketch_add(&sketch, rand_u64(&rand) % 1000000);
  shift_bins_freeze(&bins, &sketch);
  EXPECT_INT(bins.n, SHIFT_BINS);
  shift_count(&bins, &sketch, counts);
  for (uint32_t j = 0; j < bins.n; j++) {
    EXPECT(counts[j] > 1600 && counts[j] < 2400);
    EXPECT(j + 1 == bins.n || sketch_is_edge(bins.edges[j]));
  }
  rand_seed(&rand, 19);
  for (int i = 0; i < 20000; i++) one_by_one[shift_bin(&bins, rand_u64(&rand) % 1000000)]++;
  EXPECT(memcmp(counts, one_by_one, sizeof counts) == 0);
  EXPECT_INT(shift_bin(&bins, UINT64_MAX), SHIFT_BINS - 1);
  EXPECT_INT(shift_bin(&bins, bins.edges[0]), 1);
  EXPECT_INT(shift_bin(&bins, bins.edges[0] - 1), 0);
}

TEST(equal_scores_are_one_bin_or_two)
{
  static struct sketch sketch;
  struct shift_bins bins;
  uint64_t counts[SHIFT_BINS];
  shift_bins_freeze(&bins, &sketch);
  EXPECT_INT(bins.n, 1);
  for (int i = 0; i < 100; i++) sketch_add(&sketch, 7);
  shift_bins_freeze(&bins, &sketch);
  EXPECT_INT(bins.n, 2);
  shift_count(&bins, &sketch, counts);
  EXPECT(counts[0] == 100 && counts[1] == 0);
  memset(&sketch, 0, sizeof sketch);
  sketch_add(&sketch, UINT64_MAX);
  shift_bins_freeze(&bins, &sketch);
  EXPECT_INT(bins.n, 1);
}

TEST(order_of_arms_and_bins_hardly_matters_to_psi)
{
  uint64_t a[3] = {10, 20, 30}, b[3] = {300, 200, 100};
  EXPECT_NEAR(shift_psi(a, b, 3), shift_psi(b, a, 3), 1e-12);
  EXPECT(shift_psi(a, a, 3) == 0 && shift_psi(a, b, 3) > SHIFT_PSI_STRONG);
  EXPECT(isnan(shift_log_e(a, b, 3, 0)));
}
