/* calibration_test.c - golden bets, bins, merging; how often a calibrated model is blamed, and how
 * soon another one is found.
 * SPDX-License-Identifier: MIT */
#include "stat/calibration.h"

#include "base/rand.h"
#include "near.h"

struct group {
  double score;
  int n, came_true;
};

/* Printed by test/golden/calibration.py. */
static const struct figure {
  uint32_t bin;
  double limit;
  struct group groups[2];
  double log_e, pass_log_e, gap;
} figures[] = {
    {7, 0.05, {{0.75, 100, 75}}, -0.913155697523, -0.15218173151, 0},
    {7, 0.05, {{0.75, 100, 50}}, 3.25475015618, -1.34588416933, -0.25},
    {7, 0.05, {{0.75, 1000, 740}}, -2.34321919928, 2.09316009338, -0.01},
    {1, 0.02, {{0.125, 400, 110}, {0.1875, 100, 30}}, 12.9829107893, -2.0547067519, 0.1425},
    {9, 0.05, {{0.9375, 300, 200}, {1, 50, 50}}, 19.5249892479, -2.01458423531, -0.232142857143},
    {0, 0.01, {{0, 2000, 0}, {0.0625, 500, 90}}, 4.04930331818, -1.50058683456, 0.0235},
    {5, 0.1, {{0.5, 20, 20}}, 2.29592287543, -1.17845835606, 0.5},
};

static void fill(struct calibration *calibration, const struct group groups[2])
{
  *calibration = (struct calibration){0};
  for (int g = 0; g < 2; g++)
    for (int i = 0; i < groups[g].n; i++)
      EXPECT(calibration_add(calibration, groups[g].score, i < groups[g].came_true));
}

TEST(golden_bets)
{
  for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
    const struct figure *f = &figures[i];
    struct calibration calibration;
    double lower, upper;
    fill(&calibration, f->groups);
    EXPECT_NEAR(calibration_log_e(&calibration, f->bin, f->limit), f->log_e, 1e-10);
    EXPECT_NEAR(calibration_pass_log_e(&calibration, f->bin, f->limit), f->pass_log_e, 1e-10);
    EXPECT_NEAR(calibration_gap(&calibration.at[f->bin]), f->gap, 1e-12);
    EXPECT_NEAR(calibration_ece(&calibration), fabs(f->gap), 1e-12);
    EXPECT(calibration_interval(&calibration, f->bin, 0.05, &lower, &upper));
    EXPECT(lower <= f->gap && f->gap <= upper);
  }
}

TEST(bins_are_tenths_and_nothing_else_counts)
{
  struct calibration calibration = {0};
  const double not[] = {-0.01, 1.01, (double)NAN, (double)INFINITY};
  for (size_t i = 0; i < sizeof not / sizeof *not; i++) {
    EXPECT(!calibration_add(&calibration, not[i], 0.5));
    EXPECT(!calibration_add(&calibration, 0.5, not[i]));
  }
  EXPECT_INT((int64_t)calibration_count(&calibration), 0);
  EXPECT(m_is_nan(calibration_ece(&calibration)));
  EXPECT_INT(calibration_bin(0), 0);
  EXPECT_INT(calibration_bin(0.0999), 0);
  EXPECT_INT(calibration_bin(0.5), 5);
  EXPECT_INT(calibration_bin(1), 9);
  EXPECT_NEAR(calibration_log_e(&calibration, 3, 0.05), 0, 0);
}

TEST(merging_is_of_any_order_and_split)
{
  struct calibration whole = {0}, parts[3] = {0}, left = {0}, right = {0};
  struct rand rand;
  rand_seed(&rand, 5);
  for (int i = 0; i < 3000; i++) {
    double score = rand_unit(&rand), outcome = rand_unit(&rand);
    calibration_add(&whole, score, outcome);
    calibration_add(&parts[i % 3], score, outcome);
  }
  for (int i = 0; i < 3; i++) {
    calibration_merge(&left, &parts[i]);
    calibration_merge(&right, &parts[2 - i]);
  }
  EXPECT(memcmp(&left, &whole, sizeof whole) == 0);
  EXPECT(memcmp(&right, &whole, sizeof whole) == 0);
}

/* The first answer at which some bin is over its part of alpha; -1: none is. */
static int alarm_after(struct rand *rand, int answers, double limit, double alpha,
                       double (*truth)(double score))
{
  struct calibration calibration = {0};
  double bar = -m_ln(alpha / CALIBRATION_BINS);
  for (int i = 0; i < answers; i++) {
    double score = rand_unit(rand);
    calibration_add(&calibration, score, rand_unit(rand) < truth(score));
    if (calibration_log_e(&calibration, calibration_bin(score), limit) >= bar) return i;
  }
  return -1;
}

static double exact(double score) { return score; }
static double at_the_limit(double score) { return score < 0.5 ? score + 0.05 : score - 0.05; }
static double overconfident(double score) { return 0.5 + (score - 0.5) / 2; }

static int alarms_of(uint64_t seed, int runs, int answers, double limit, double alpha,
                     double (*truth)(double score))
{
  struct rand rand;
  int alarms = 0;
  rand_seed(&rand, seed);
  for (int i = 0; i < runs; i++)
    alarms += alarm_after(&rand, answers, limit, alpha, truth) >= 0;
  return alarms;
}

TEST(false_alarms_keep_alpha_though_each_answer_is_looked_at)
{
  EXPECT(alarms_of(1, 1000, 800, 0, 0.05, exact) <= 50);
  EXPECT(alarms_of(2, 1000, 800, 0.05, 0.05, at_the_limit) <= 50);
  EXPECT_INT(alarms_of(3, 1000, 800, 0.05, 0.05, exact), 0);
}

TEST(an_overconfident_model_is_found)
{
  EXPECT(alarms_of(4, 200, 3000, 0.05, 0.001, overconfident) >= 190);
}

TEST(a_gap_that_is_within_the_limit_for_sure_passes)
{
  struct calibration calibration;
  fill(&calibration, (struct group[2]){{0.25, 4000, 1000}});
  EXPECT(calibration_pass_log_e(&calibration, 2, 0.05) >= m_ln(20));
  EXPECT(calibration_log_e(&calibration, 2, 0.05) < 0);
  fill(&calibration, (struct group[2]){{0.25, 4000, 1300}});
  EXPECT(calibration_pass_log_e(&calibration, 2, 0.05) < 0);
}
