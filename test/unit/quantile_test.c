/* quantile_test.c - the golden counts inside, and intervals over a sketch.
 * SPDX-License-Identifier: MIT */
#include "stat/quantile.h"

#include "base/rand.h"
#include "golden/figures.h"
#include "near.h"

TEST(golden_quantiles)
{
  for (size_t i = 0; i < FIGURES(figures_quantile); i++) {
    const struct figure_quantile *f = &figures_quantile[i];
    uint64_t least, greatest;
    quantile_inside(f->n, f->p, f->alpha, &least, &greatest);
    EXPECT_INT(least, f->least);
    EXPECT_INT(greatest, f->greatest);
    EXPECT_NEAR(quantile_log_m(least, f->n, f->p), f->at_least, 1e-7);
    EXPECT_NEAR(quantile_log_m(greatest, f->n, f->p), f->at_greatest, 1e-7);
  }
}

/* Halving finds what walking finds. */
TEST(inside_is_one_run_of_counts)
{
  static const double ps[] = {0.001, 0.2, 0.5, 0.9, 0.999};
  for (uint64_t n = 1; n < 400; n = n * 2 + 1)
    for (int i = 0; i < 5; i++) {
      uint64_t least, greatest, first = n + 1, last = 0;
      quantile_inside(n, ps[i], 0.05, &least, &greatest);
      for (uint64_t k = 0; k <= n; k++)
        if (quantile_log_m(k, n, ps[i]) < log(20)) first = k < first ? k : first, last = k;
      EXPECT_INT(least, first);
      EXPECT_INT(greatest, last);
    }
}

TEST(the_interval_holds_the_quantile_and_narrows)
{
  static struct sketch sketch;
  struct rand rand;
  uint64_t width = UINT64_MAX;
  rand_seed(&rand, 23);
  for (int i = 1; i <= 100000; i++) {
    sketch_add(&sketch, 10000 + rand_u64(&rand) % 10000);
    if (i != 100 && i != 3000 && i != 100000) continue;
    struct quantile_interval at = quantile_bounds(&sketch, 0.5, 0.05);
    uint64_t bucket =
        15000 / 64; /* the quantile may lie between the last edge inside and the next */
    EXPECT(at.low_us <= 15000 + bucket && at.high_us + bucket >= 15000);
    EXPECT(at.low_us <= at.high_us && at.high_us - at.low_us < width);
    EXPECT(sketch_is_edge(at.low_us) && sketch_is_edge(at.high_us));
    width = at.high_us - at.low_us;
  }
  EXPECT(width < 1000);
}

TEST(where_no_edge_is_inside_the_bucket_is_named)
{
  static struct sketch sketch;
  struct quantile_interval at = quantile_bounds(&sketch, 0.5, 0.05);
  EXPECT(at.low_us == 0 && at.high_us == UINT64_MAX);
  for (int i = 0; i < 100000; i++) sketch_add(&sketch, 5000);
  at = quantile_bounds(&sketch, 0.5, 0.05);
  EXPECT(at.low_us <= 5000 && at.high_us > 5000 && at.high_us - at.low_us <= 64);
  memset(&sketch, 0, sizeof sketch);
  sketch_add(&sketch, 5000);
  at = quantile_bounds(&sketch, 0.5, 0.05);
  EXPECT(at.low_us == 0 && at.high_us == UINT64_MAX); /* one value says nothing */
}
