/* crowd_test.c - counts by chance against requests drawn one by one, and against the model.
 * SPDX-License-Identifier: MIT */
#include "sim/crowd.h"

#include "test.h"

static struct model model;
static struct crowd crowd;

static void crowd_of(const char *text, double rps, uint64_t run)
{
  struct scenario scenario;
  EXPECT(scenario_read(&scenario, slice_str(text), NULL) == OK);
  model_make(&model, &scenario, 0.01);
  crowd_init(&crowd, &model, rps, 11, run);
}

static struct slow slow_at(uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
  struct slow slow = {.us = {a, b, c, d}};
  for (int j = 0; j < SLOW_ROWS; j++)
    if (slow.us[j]) slow.used[j] = true, slow.rows++;
  return slow;
}

struct sums {
  double requests, errors, timed, slow[SLOW_ROWS];
};

static void sum_up(struct sums sums[CROWD_ARMS], double share, int seconds)
{
  const double part[CROWD_ARMS] = {share, 1 - share};
  memset(sums, 0, sizeof *sums * CROWD_ARMS);
  for (int s = 0; s < seconds; s++) {
    struct crowd_seen seen[CROWD_ARMS];
    crowd_second(&crowd, part, seen);
    for (int arm = 0; arm < CROWD_ARMS; arm++) {
      EXPECT(seen[arm].requests == seen[arm].timed + seen[arm].errors);
      sums[arm].requests += (double)seen[arm].requests;
      sums[arm].errors += (double)seen[arm].errors;
      sums[arm].timed += (double)seen[arm].timed;
      for (int j = 0; j < SLOW_ROWS; j++) sums[arm].slow[j] += (double)seen[arm].slow[j];
    }
  }
}

static bool poisson_near(double got, double mean)
{
  if (fabs(got - mean) <= 4.5 * sqrt(mean)) return true;
  printf("%g, expected %g\n", got, mean);
  return false;
}

TEST(counts_have_the_means_of_the_model)
{
  struct sums sums[CROWD_ARMS];
  struct slow slow = slow_at(20480, 49152, 100352, 163840);
  crowd_of("tail:2", 1000, 1);
  crowd.second = 0;
  crowd_cut(&crowd, &slow);
  sum_up(sums, 0.05, 4000);
  for (int arm = 0; arm < CROWD_ARMS; arm++) {
    double n = 4000 * 1000.0 * (arm ? 0.95 : 0.05);
    EXPECT(poisson_near(sums[arm].requests, n));
    EXPECT(poisson_near(sums[arm].errors, n * 0.01));
    for (int j = 0; j < SLOW_ROWS; j++) {
      double p = model.above[arm ? WHO_STABLE : WHO_CHANGED][MOOD_CALM][sketch_bucket(slow.us[j])];
      EXPECT(poisson_near(sums[arm].slow[j], n * 0.99 * p));
    }
  }
}

TEST(onset_is_when_it_says)
{
  struct sums sums[CROWD_ARMS];
  struct slow slow = slow_at(20480, 0, 100352, 0);
  crowd_of("uniform:3+onset:2000", 1000, 2);
  crowd.second = 0;
  crowd_cut(&crowd, &slow);
  double calm = model.above[WHO_STABLE][MOOD_CALM][sketch_bucket(100352)];
  sum_up(sums, 0.5, 2000);
  EXPECT(poisson_near(sums[0].slow[2], 2000 * 500 * 0.99 * calm));
  EXPECT(sums[0].slow[1] == 0 && sums[0].slow[3] == 0);
  double worse = model.above[WHO_CHANGED][MOOD_CALM][sketch_bucket(100352)];
  sum_up(sums, 0.5, 100);
  EXPECT(poisson_near(sums[0].slow[2], 100 * 500 * 0.99 * worse));
  EXPECT(poisson_near(sums[1].slow[2], 100 * 500 * 0.99 * calm));
}

TEST(load_drifts)
{
  struct sums sums[CROWD_ARMS];
  crowd_of("drift", 100, 3);
  crowd.second = 0;
  sum_up(sums, 0.5, 942); /* half a period: the mean of 1 + 0.8 sin is 1 + 1.6 / pi */
  EXPECT(poisson_near(sums[0].requests + sums[1].requests, 94200 * (1 + 1.6 / 3.14159265)));
}

/* Bursts of b1 fill 2 of 61 seconds; then errors are ten times as likely. */
TEST(bursts_come_as_often_as_they_should)
{
  enum { SECONDS = 200000 };
  struct sums sums[CROWD_ARMS];
  crowd_of("b1", 100, 4);
  crowd.second = 0;
  sum_up(sums, 0.5, SECONDS);
  double part = 2.0 / 61, mean = SECONDS * 50.0 * 0.01 * (1 + 9 * part);
  for (int arm = 0; arm < CROWD_ARMS;
       arm++) /* bursts add spread: 9 more errors in 2 s, 3279 times */
    EXPECT(fabs(sums[arm].errors - mean) < 4.5 * sqrt(mean + 3279 * 81.0));
}

TEST(shared_bursts_are_one)
{
  const double part[CROWD_ARMS] = {0.5, 0.5};
  struct crowd_seen seen[CROWD_ARMS];
  double c = 0, b = 0, cb = 0, cc = 0, bb = 0;
  enum { SECONDS = 20000 };
  crowd_of("b5+shared", 2000, 5);
  crowd.second = 0;
  for (int s = 0; s < SECONDS; s++) {
    crowd_second(&crowd, part, seen);
    double x = (double)seen[0].errors, y = (double)seen[1].errors;
    c += x, b += y, cb += x * y, cc += x * x, bb += y * y;
  }
  double n = SECONDS, cov = cb / n - c / n * b / n;
  double corr = cov / sqrt((cc / n - c / n * c / n) * (bb / n - b / n * b / n));
  EXPECT(corr > 0.8);
}

/* A drained sketch against requests drawn one by one with the textbook formula. */
TEST(latencies_are_those_of_single_requests)
{
  enum { REQUESTS = 1000000 };
  static struct sketch drained, single;
  struct slow slow = slow_at(20480, 49152, 100352, 163840);
  struct sums sums[CROWD_ARMS];
  struct rand rand;
  crowd_of("null", 1000, 6);
  crowd.second = 0;
  crowd_cut(&crowd, &slow);
  sum_up(sums, 0.0, REQUESTS / 1000);
  crowd_drain(&crowd, ARM_STABLE, &drained);
  EXPECT(drained.count == (uint64_t)sums[1].timed);
  for (int j = 0; j < SLOW_ROWS; j++)
    EXPECT(sketch_above(&drained, slow.us[j]) == (uint64_t)sums[1].slow[j]);
  draw_seed(&rand, 12, 0);
  double sigma = log(5) / 2.326347874;
  for (int i = 0; i < REQUESTS; i++)
    sketch_add(&single, (uint64_t)(20000 * exp(sigma * draw_normal(&rand))));
  double chi = 0, used = 0;
  double scale = (double)drained.count / (double)single.count;
  for (uint32_t i = 0; i < SKETCH_BUCKETS; i++) {
    double x = (double)drained.at[i], y = (double)single.at[i];
    if (x + y < 20) continue;
    double d = x - y * scale;
    chi += d * d / (x + y * scale * scale);
    used++;
  }
  double z = (chi - used) / sqrt(2 * used);
  if (fabs(z) > 4) printf("z %g of %g buckets\n", z, used);
  EXPECT(fabs(z) <= 4);
  memset(&drained, 0, sizeof drained);
  crowd_drain(&crowd, ARM_STABLE, &drained);
  EXPECT_INT(drained.count, 0);
}

TEST(history_gives_the_thresholds_and_no_dispersion)
{
  static struct past past;
  static struct plan plan;
  struct baseline baseline;
  crowd_of("null", 1000, 7);
  crowd_history(&crowd, &past);
  EXPECT_INT(crowd.second, 0);
  plan_default(&plan, STRATEGY_CANARY);
  past_baseline(&past, &plan, 0, &baseline);
  EXPECT_INT(baseline.blocks, PAST_BLOCKS);
  EXPECT(poisson_near((double)baseline.requests, 1800000));
  static const double p[SLOW_ROWS] = {0.5, 0.1, 0.01, 0.001};
  for (int j = 0; j < SLOW_ROWS; j++) {
    EXPECT(baseline.slow.used[j]);
    double got = model_survival((double)baseline.slow.us[j]); /* an edge at or above the quantile */
    if (got > p[j] * 1.05 || got < p[j] * 0.8) printf("row %d: %g of %g\n", j, got, p[j]);
    EXPECT(got <= p[j] * 1.05 && got >= p[j] * 0.8);
  }
  for (int row = 0; row < BASELINE_ROWS; row++) {
    EXPECT(baseline.phi[ARM_CANDIDATE][row] >= 1 && baseline.phi[ARM_CANDIDATE][row] < 1.5);
  }
}

TEST(history_with_bursts_is_dispersed)
{
  static struct past past;
  static struct plan plan;
  struct baseline baseline;
  memset(&past, 0, sizeof past);
  crowd_of("b1", 1000, 8);
  crowd_history(&crowd, &past);
  plan_default(&plan, STRATEGY_CANARY);
  past_baseline(&past, &plan, 0, &baseline);
  EXPECT(baseline.phi[ARM_CANDIDATE][2] > 1.5);
  EXPECT(baseline.phi[ARM_CANDIDATE][BASELINE_ERRORS] > 1.5);
}

TEST(what_fills_a_look_adds_up)
{
  struct crowd_seen seen = {
      .requests = 1010, .errors = 10, .timed = 1000, .slow = {500, 100, 10, 1}};
  uint64_t bins = 0;
  crowd_of("null", 1000, 9);
  for (int second = 0; second < 20; second++) {
    struct look_arm arm = {0};
    crowd_fill(&crowd, ARM_STABLE, &seen, &arm);
    for (int i = 0; i < LOOK_BINS_MAX; i++) bins += arm.bins[i];
    EXPECT(arm.cpu_us > 4000000 && arm.cpu_us < 6000000);
    EXPECT(arm.slow[2] == 10 && arm.units == 1010 && arm.peak_bytes > arm.steady_bytes);
  }
  EXPECT_INT(bins, 20000);
}

TEST(inputs_are_as_many_of_each_arm_in_every_tenth_look)
{
  static struct look look;
  struct baseline baseline;
  baseline_init(&baseline);
  crowd_of("null", 1000, 9);
  crowd_reference(&crowd, &baseline);
  EXPECT_INT(baseline.n_features, DRIFT_FEATURES);
  for (uint32_t second = 0; second < 20; second++) {
    look_init(&look, second, 2);
    look.weights[0] = PLAN_WHOLE / 20, look.weights[1] = PLAN_WHOLE - look.weights[0];
    look.arms[0].requests = second < 10 ? 50 : 3, look.arms[1].requests = 950;
    crowd_inputs(&crowd, &look);
    for (uint32_t arm = 0; arm < 2; arm++)
      for (uint32_t f = 0; f < DRIFT_FEATURES; f++) {
        uint64_t sum = 0;
        for (uint32_t j = 0; j < DRIFT_BINS; j++) sum += look.arms[arm].features[f][j];
        EXPECT_INT(sum, second == 9 ? 160 : second == 19 ? 30 : 0);
        EXPECT_INT(look.arms[arm].features[f][10], 0);
      }
  }
}

/* Plays 200 seconds: sums of all counts of each arm. */
static void played(const char *text, uint32_t n_arms, bool filled, uint64_t sums[ARMS_MAX])
{
  const double part[ARMS_MAX] = {0.2, 0.5, 0.3};
  struct crowd_seen seen[ARMS_MAX];
  struct look_arm arm;
  struct slow slow = slow_at(20480, 49152, 100352, 163840);
  memset(sums, 0, sizeof *sums * ARMS_MAX);
  crowd_of(text, 300, 9);
  crowd.n_arms = n_arms;
  crowd.second = 0;
  crowd_cut(&crowd, &slow);
  for (int s = 0; s < 200; s++) {
    crowd_second(&crowd, part, seen);
    for (uint32_t i = 0; i < n_arms; i++) {
      sums[i] = sums[i] * 31 + seen[i].requests * 7 + seen[i].errors * 3 + seen[i].slow[SLOW_P99];
      memset(&arm, 0, sizeof arm);
      if (filled) crowd_fill(&crowd, i, &seen[i], &arm), crowd_outcomes(&crowd, i, &arm);
    }
  }
}

/* What draws more or nothing leaves the counts of everybody else as they were. */
TEST(chance_of_one_thing_is_not_that_of_another)
{
  uint64_t plain[ARMS_MAX], filled[ARMS_MAX], three[ARMS_MAX], worse[ARMS_MAX], bursts[ARMS_MAX];
  played("null", 2, false, plain);
  played("null", 2, true, filled);
  played("null", 3, true, three);
  played("tail:3", 3, true, worse);
  played("b1", 3, true, bursts);
  EXPECT(plain[ARM_CANDIDATE] == filled[ARM_CANDIDATE] && plain[ARM_STABLE] == filled[ARM_STABLE]);
  EXPECT(plain[ARM_CANDIDATE] == three[ARM_CANDIDATE] && plain[ARM_STABLE] == three[ARM_STABLE]);
  EXPECT(three[ARM_MORE] && three[ARM_MORE] != three[ARM_STABLE]);
  EXPECT(worse[ARM_CANDIDATE] != three[ARM_CANDIDATE]);
  EXPECT(worse[ARM_STABLE] == three[ARM_STABLE] && worse[ARM_MORE] == three[ARM_MORE]);
  EXPECT(bursts[ARM_STABLE] != three[ARM_STABLE]);
}
