/* count_test.c - the golden rows, the null's bound, and a log domain without limits.
 * SPDX-License-Identifier: MIT */
#include "stat/count.h"

#include "base/rand.h"
#include "golden/figures.h"
#include "near.h"

static double log_e(enum count_side side, uint64_t n_c, uint64_t n_b, double s, double m)
{
  struct count_step step;
  count_step_set(&step, side, s, m);
  return count_log_e(&step, n_c, n_b);
}

TEST(golden_counts)
{
  for (size_t i = 0; i < FIGURES(figures_count); i++) {
    const struct figure_count *f = &figures_count[i];
    EXPECT_NEAR(log_e(COUNT_HARM, f->n_c, f->n_b, f->s, f->m), f->harm, 1e-12);
    EXPECT_NEAR(log_e(COUNT_PASS, f->n_c, f->n_b, f->s, f->m), f->pass, 1e-12);
  }
}

TEST(golden_exceedance)
{
  for (size_t i = 0; i < FIGURES(figures_exceedance); i++) {
    const struct figure_exceedance *f = &figures_exceedance[i];
    double rows[4];
    for (int j = 0; j < 4; j++) {
      rows[j] = log_e(COUNT_HARM, f->rows[j][0], f->rows[j][1], f->s, f->m);
      EXPECT_NEAR(rows[j], f->each[j], 1e-12);
    }
    EXPECT_NEAR(count_gate(rows, 4), f->log_e, 1e-12);
  }
}

/* The expectation of one event's factor is 1 at r_0 and below 1 beyond it, at every grid point. */
TEST(a_factor_is_fair_at_the_margin)
{
  static const double shares[] = {1e-6, 0.001, 0.05, 0.5, 0.99}, margins[] = {0, 0.25, 0.5, 3};
  for (size_t a = 0; a < 5; a++)
    for (size_t b = 0; b < 4; b++)
      for (int side = 0; side < 2; side++) {
        struct count_step step;
        double s = shares[a], r_0 = 1 + margins[b];
        count_step_set(&step, (enum count_side)side, s, margins[b]);
        for (int i = 0; i < COUNT_GRID; i++)
          for (int k = 0; k <= 8; k++) {
            double r = side == COUNT_HARM ? r_0 * k / 8 : r_0 * (1 + k);
            double th = r * s / (r * s + 1 - s);
            double mean = th * exp(step.c[i]) + (1 - th) * exp(step.b[i]);
            EXPECT(mean <= 1 + 1e-12);
            bool at_margin = side == COUNT_HARM ? k == 8 : k == 0;
            if (at_margin) EXPECT_NEAR(mean, 1, 1e-12);
          }
      }
}

TEST(evidence_grows_with_candidate_events_only)
{
  struct count_step step;
  count_step_set(&step, COUNT_HARM, 0.05, 0.25);
  double last = -INFINITY;
  for (uint64_t n = 0; n <= 1000; n += 10) {
    double now = count_log_e(&step, n, 100);
    EXPECT(now > last);
    last = now;
  }
  for (uint64_t n = 0; n <= 1000; n += 10) {
    double now = count_log_e(&step, 10, n);
    EXPECT(n == 0 || now < last);
    last = now;
  }
}

TEST(millions_of_nats_do_not_overflow)
{
  double bad = log_e(COUNT_HARM, 1000000, 0, 0.01, 0.25);
  EXPECT(bad > 1e6 && bad < 1e7);
  double good = log_e(COUNT_HARM, 0, UINT64_C(1) << 30, 0.5, 0.25);
  EXPECT(good < -1e6 && good > -1e9);
  double rows[3] = {1e6, -1e6, 0};
  EXPECT_NEAR(count_gate(rows, 3), 1e6 - log(3), 0);
  EXPECT(count_gate(rows, 0) == -INFINITY);
  EXPECT(isfinite(log_e(COUNT_HARM, M_COUNT_MAX, M_COUNT_MAX, 0.5, 0.25)));
  EXPECT(isnan(log_e(COUNT_HARM, M_COUNT_MAX + 1, 0, 0.5, 0.25)));
  EXPECT(isnan(log_e(COUNT_PASS, 0, M_COUNT_MAX + 1, 0.5, 0.25)));
}

TEST(an_arm_without_requests_says_nothing)
{
  EXPECT(count_share(0, 10) == 0 && count_share(10, 0) == 0 && count_share(5, 95) == 0.05);
  EXPECT(log_e(COUNT_HARM, 7, 9, 0, 0.25) == 0 && log_e(COUNT_PASS, 7, 9, 1, 0.25) == 0);
  EXPECT(isnan(log_e(COUNT_HARM, 7, 9, NAN, 0.25))); /* a bug shows */
  EXPECT(isnan(count_ratio(1, 0, 1, 1)) && isnan(count_ratio(1, 1, 0, 1)));
  EXPECT_NEAR(count_ratio(10, 50, 100, 1000), 2, 0);
}

/* Ville: over 2,000 paths of 2,000 pooled events at r_0, sup E reaches 1/a in at most a of them. */
TEST(ville_holds_at_the_margin)
{
  enum { PATHS = 2000, EVENTS = 2000 };
  struct rand rand;
  struct count_step step;
  rand_seed(&rand, 12);
  for (int side = 0; side < 2; side++) {
    double th = 1.25 * 0.05 / (1.25 * 0.05 + 0.95);
    int fired = 0;
    count_step_set(&step, (enum count_side)side, 0.05, 0.25);
    for (int path = 0; path < PATHS; path++) {
      uint64_t n_c = 0;
      for (uint64_t n = 1; n <= EVENTS; n++) {
        n_c += rand_unit(&rand) < th;
        if (n % 20 == 0 && count_log_e(&step, n_c, n - n_c) >= log(20)) {
          fired++;
          break;
        }
      }
    }
    printf("side %d: %d of %d paths\n", side, fired, PATHS);
    EXPECT(fired <= PATHS / 20 + 30 && fired > 0); /* three standard deviations above a = 0.05 */
  }
}
