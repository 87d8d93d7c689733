/* mean_test.c - the golden multipliers and intervals, CUPED, Holm, and sums without rounding.
 * SPDX-License-Identifier: MIT */
#include "stat/mean.h"

#include "base/rand.h"
#include "golden/figures.h"
#include "near.h"

TEST(golden_multipliers)
{
  for (size_t i = 0; i < FIGURES(figures_multiplier); i++) {
    const struct figure_multiplier *f = &figures_multiplier[i];
    double two = sqrt(f->n) * mean_width_two_sided(f->n, f->alpha, f->n_star);
    double one = sqrt(f->n) * mean_width_one_sided(f->n, f->alpha, f->n_star);
    EXPECT_NEAR(two, f->two_sided, 1e-12);
    EXPECT_NEAR(one, f->one_sided, 1e-12);
  }
}

static struct mean_arm arm_of(uint64_t n, unsigned sum, unsigned squares)
{
  mean_wide part = 1 << MEAN_PARTS_BITS;
  return (struct mean_arm){.n = n, .y = (int64_t)(part * sum), .yy = part * part * squares};
}

TEST(golden_means)
{
  for (size_t i = 0; i < FIGURES(figures_mean); i++) {
    const struct figure_mean *f = &figures_mean[i];
    struct mean_arm c = arm_of(f->n_c, f->sum_c, f->sumsq_c);
    struct mean_arm b = arm_of(f->n_b, f->sum_b, f->sumsq_b);
    struct mean_spec spec = {.cap = 1, .alpha = f->alpha, .n_star = f->n_star};
    struct mean_interval at = mean_difference(&c, &b, &spec);
    EXPECT_NEAR(at.diff, f->diff, 1e-15);
    EXPECT_NEAR(at.se, f->se, 1e-15);
    EXPECT_NEAR(at.lower, f->lower, 1e-14);
    EXPECT_NEAR(at.upper, f->upper, 1e-14);
    EXPECT(at.enough && at.theta == 0);
  }
}

TEST(one_sided_bounds_are_narrower)
{
  struct mean_arm c = arm_of(10000, 69, 69), b = arm_of(10000, 46, 46);
  struct mean_spec spec = {.cap = 1, .alpha = 0.05};
  struct mean_interval two = mean_difference(&c, &b, &spec);
  spec.one_sided = true;
  struct mean_interval one = mean_difference(&c, &b, &spec);
  EXPECT(one.lower > two.lower && one.upper < two.upper && one.diff == two.diff);
}

TEST(parts_are_of_the_cap)
{
  int64_t parts = 0;
  EXPECT(mean_parts(1, 1, &parts) && parts == 1 << 30);
  EXPECT(mean_parts(50, 10, &parts) && parts == 1 << 30);
  EXPECT(mean_parts(-50, 10, &parts) && parts == -(1 << 30));
  EXPECT(mean_parts(5, 10, &parts) && parts == 1 << 29);
  EXPECT(mean_parts(INFINITY, 10, &parts) && parts == 1 << 30);
  parts = 7;
  EXPECT(!mean_parts(NAN, 1, &parts) && !mean_parts(1, 0, &parts) && !mean_parts(1, NAN, &parts));
  EXPECT(!mean_parts(INFINITY, INFINITY, &parts) && parts == 7);
}

static double normal(struct rand *rand)
{
  double sum = 0;
  for (int i = 0; i < 12; i++) sum += rand_unit(rand);
  return sum - 6;
}

static void add(struct mean_arm *arm, double y, double x)
{
  int64_t y_parts, x_parts;
  EXPECT(mean_parts(y, 100, &y_parts) && mean_parts(x, 50, &x_parts));
  mean_add(arm, y_parts, x_parts);
}

TEST(sums_are_exact_in_any_order_and_can_be_taken_back)
{
  struct mean_arm whole = {0}, parts[3] = {0}, merged = {0};
  struct rand rand;
  rand_seed(&rand, 20);
  for (int i = 0; i < 3000; i++) {
    double y = normal(&rand) * 20, x = normal(&rand);
    add(&whole, y, x);
    add(&parts[rand_u64(&rand) % 3], y, x);
  }
  for (int i = 3; i-- > 0;) mean_merge(&merged, &parts[i]);
  EXPECT(memcmp(&whole, &merged, sizeof whole) == 0);
  add(&merged, 33, 2);
  int64_t y, x;
  EXPECT(mean_parts(33, 100, &y) && mean_parts(2, 50, &x));
  mean_remove(&merged, y, x);
  EXPECT(memcmp(&whole, &merged, sizeof whole) == 0);
  struct mean_arm none = {0};
  EXPECT_CRASH(mean_remove(&none, 0, 0));
}

/* y = 3 x + noise: CUPED takes most of the variance away and leaves the difference. */
TEST(cuped_narrows_and_does_not_move)
{
  struct mean_arm c = {0}, b = {0};
  struct rand rand;
  rand_seed(&rand, 21);
  for (int i = 0; i < 4000; i++) {
    double x = normal(&rand) * 2, y = 10 + 3 * x + normal(&rand);
    if (i % 4)
      add(&b, y, x);
    else
      add(&c, y + 0.5, x);
  }
  struct mean_spec spec = {.cap = 100, .alpha = 0.05};
  struct mean_interval plain = mean_difference(&c, &b, &spec);
  spec.cuped = true;
  struct mean_interval cuped = mean_difference(&c, &b, &spec);
  EXPECT(fabs(cuped.theta * 100 / 50 - 3) < 0.05);
  EXPECT(cuped.se < plain.se / 5);
  EXPECT(fabs(cuped.diff - 0.5) < 3 * cuped.se && cuped.lower > 0);
  /* with a covariate that never varies it is the plain interval */
  struct mean_arm flat_c = c, flat_b = b;
  flat_c.x = flat_b.x = 0, flat_c.xx = flat_b.xx = flat_c.xy = flat_b.xy = 0;
  struct mean_interval flat = mean_difference(&flat_c, &flat_b, &spec);
  EXPECT(flat.theta == 0);
  EXPECT_BITS(flat.lower, plain.lower);
}

/* The same numbers the long way: y' unit by unit. */
TEST(cuped_is_what_its_definition_says)
{
  enum { UNITS = 300 };
  double y[UNITS], x[UNITS], x_mean = 0, y_mean = 0, cov = 0, var = 0;
  struct mean_arm arms[2] = {0};
  struct rand rand;
  rand_seed(&rand, 22);
  for (int i = 0; i < UNITS; i++) {
    x[i] = normal(&rand), y[i] = x[i] + normal(&rand) + i % 2;
    add(&arms[i % 2], y[i], x[i]);
    x_mean += x[i] / UNITS, y_mean += y[i] / UNITS;
  }
  for (int i = 0; i < UNITS; i++) {
    cov += (x[i] - x_mean) * (y[i] - y_mean);
    var += (x[i] - x_mean) * (x[i] - x_mean);
  }
  double mean[2] = {0}, square[2] = {0};
  for (int i = 0; i < UNITS; i++)
    mean[i % 2] += (y[i] -= cov / var * (x[i] - x_mean)) / (UNITS / 2);
  for (int i = 0; i < UNITS; i++) square[i % 2] += (y[i] - mean[i % 2]) * (y[i] - mean[i % 2]);
  double n = UNITS / 2, se = sqrt((square[0] + square[1]) / (n - 1) / n);
  struct mean_spec spec = {.cap = 100, .alpha = 0.05, .cuped = true};
  struct mean_interval at = mean_difference(&arms[1], &arms[0], &spec);
  EXPECT_NEAR(at.diff, mean[1] - mean[0], 1e-6); /* parts of 1e-7 were rounded */
  EXPECT_NEAR(at.se, se, 1e-6);
}

TEST(few_units)
{
  struct mean_arm one = {.n = 1}, some = arm_of(99, 50, 50), many = arm_of(100, 50, 50);
  struct mean_spec spec = {.cap = 1, .alpha = 0.05};
  EXPECT(isnan(mean_difference(&one, &many, &spec).diff));
  EXPECT(!mean_difference(&some, &many, &spec).enough &&
         mean_difference(&many, &many, &spec).enough);
}

TEST(large_values_do_not_wrap)
{
  mean_wide part = 1 << MEAN_PARTS_BITS;
  uint64_t n = UINT64_C(1) << 32;
  struct mean_arm c = {.n = n, .y = (int64_t)(part * (int64_t)n), .yy = part * part * (int64_t)n};
  struct mean_interval at = mean_difference(&c, &c, &(struct mean_spec){.cap = 5, .alpha = 0.01});
  EXPECT(at.mean_c == 5 && at.se == 0 && at.diff == 0);
}

TEST(holm_holds_claims_in_turn)
{
  EXPECT_INT(mean_holm((double[]){0.04, 0.001, 0.02}, 3, 0.05), 7);
  EXPECT_INT(mean_holm((double[]){0.04, 0.001, 0.03}, 3, 0.05), 2);
  EXPECT_INT(mean_holm((double[]){0.02, 0.03, 0.04}, 3, 0.05), 0);
  EXPECT_INT(mean_holm((double[]){NAN, 0.01}, 2, 0.05), 2);
  EXPECT_INT(mean_holm(NULL, 0, 0.05), 0);
}
