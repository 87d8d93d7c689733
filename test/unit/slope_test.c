/* slope_test.c - the golden series, thinning, and verdicts about memory.
 * SPDX-License-Identifier: MIT */
#include "stat/slope.h"

#include "base/rand.h"

#include "golden/figures.h"
#include "near.h"

TEST(golden_memory)
{
  for (size_t i = 0; i < FIGURES(figures_slope); i++) {
    const struct figure_slope *f = &figures_slope[i];
    struct slope slope = {0};
    for (unsigned j = 0; j < f->n; j++) slope_add(&slope, f->x[j], f->y[j], f->y[j]);
    EXPECT_NEAR(slope_of(&slope), f->slope, 1e-12);
    EXPECT_NEAR(slope_tau(&slope), f->tau, 1e-12);
    EXPECT_NEAR(slope_level(&slope) / f->stable, f->level, 1e-12);
  }
}

TEST(nothing_yet)
{
  struct slope slope = {0};
  EXPECT(slope_of(&slope) == 0 && slope_tau(&slope) == 0 && isnan(slope_level(&slope)));
  slope_add(&slope, 1, 100, 120);
  EXPECT(slope_of(&slope) == 0 && slope_level(&slope) == 100 && slope.peak == 120);
  slope_add(&slope, 1, 200, 110); /* no requests between: no slope, but a rise */
  EXPECT(slope_of(&slope) == 0 && slope_tau(&slope) == 1 && slope_level(&slope) == 150);
  EXPECT(slope.peak == 120);
}

/* A day of windows in 64 points: the slope of a line stays, and the points span it all. */
TEST(a_long_series_is_thinned_evenly)
{
  struct slope slope = {0};
  for (int window = 0; window < 1440; window++) {
    slope_add(&slope, window, 1000 + 0.5 * window, 0);
    EXPECT(slope.n <= SLOPE_POINTS_MAX && (window < 40 || slope.n > SLOPE_POINTS_MAX / 2 - 1));
    EXPECT(window < 1 || fabs(slope_of(&slope) - 0.5) < 1e-9);
    EXPECT(slope.x[0] == 0 && slope.x[slope.n - 1] > window - (1 << slope.every_bits));
  }
  for (uint32_t i = 1; i < slope.n; i++)
    EXPECT(slope.x[i] - slope.x[i - 1] == 1 << slope.every_bits);
  EXPECT_NEAR(slope_level(&slope), 1000 + 0.5 * 1438, 0);
  EXPECT_INT(slope.windows, 1440);
}

static enum slope_says judged(int windows, double grows, double peak, double stable_slope)
{
  struct slope slope = {0};
  struct slope_spec spec = {.stable_level = 1000,
                            .stable_peak = 1200,
                            .stable_slope = stable_slope,
                            .kilo_requests_day = 86400};
  for (int i = 0; i < windows; i++) slope_add(&slope, i * 60, 1000 + grows * i * 60, peak);
  return slope_judge(&slope, &spec);
}

TEST(verdicts_about_memory)
{
  EXPECT_INT(judged(2, 100, 5000, 0), SLOPE_INCONCLUSIVE);
  EXPECT_INT(judged(3, 0, 1200, 0), SLOPE_INCONCLUSIVE);
  EXPECT_INT(judged(3, 2, 1200, 0), SLOPE_HARM_LEVEL);
  EXPECT_INT(judged(5, 0, 1400, 0), SLOPE_INCONCLUSIVE);
  EXPECT_INT(judged(6, 0, 1400, 0), SLOPE_HARM_PEAK);
  EXPECT_INT(judged(6, 0, 1319, 0), SLOPE_NON_INFERIOR);
  EXPECT_INT(judged(5, 0.01, 1200, 0), SLOPE_INCONCLUSIVE);
  EXPECT_INT(judged(6, 0.01, 1200, 0), SLOPE_INCONCLUSIVE); /* 864 a day of 1000, or chance */
  EXPECT_INT(judged(9, 0.01, 1200, 0), SLOPE_INCONCLUSIVE);
  EXPECT_INT(judged(10, 0.01, 1200, 0), SLOPE_HARM_SLOPE);
  EXPECT_INT(judged(10, 0.01, 1200, 0.0095), SLOPE_NON_INFERIOR); /* stable grows as well */
  EXPECT_INT(judged(6, 0.001, 1200, 0), SLOPE_NON_INFERIOR);      /* 86 a day */
  EXPECT_INT(judged(6, -0.01, 1200, 0), SLOPE_NON_INFERIOR);
  struct slope slope = {.windows = 9, .n = 0};
  EXPECT_INT(slope_judge(&slope, &(struct slope_spec){0}), SLOPE_INCONCLUSIVE);
}

/* Sizes of requests with a heavy tail: whose largest one is larger is chance. An hour of it is no
 * harm; a version that always needs more is found. */
TEST(peaks_of_chance_are_no_harm)
{
  struct rand rand;
  rand_seed(&rand, 5);
  int harms = 0, found = 0;
  enum { LIVES = 400, WINDOWS = 60 };
  for (int life = 0; life < LIVES; life++) {
    struct slope c = {0}, b = {0}, sick = {0};
    bool harm = false;
    for (int window = 0; window < WINDOWS; window++) {
      double peak_c = 100 + 10 / pow(1 - rand_unit(&rand), 0.5);
      double peak_b = 100 + 10 / pow(1 - rand_unit(&rand), 0.5);
      slope_add(&c, window, 100, peak_c);
      slope_add(&b, window, 100, peak_b);
      slope_add(&sick, window, 100, 100 + 1000);
      struct slope_spec spec = {.stable_level = 100, .stable_peak = b.peak};
      harm = harm || slope_judge(&c, &spec) == SLOPE_HARM_PEAK;
      found += window == 5 && slope_judge(&sick, &spec) == SLOPE_HARM_PEAK;
    }
    harms += harm;
  }
  EXPECT(harms <= LIVES / 100);
  EXPECT(found > LIVES * 9 / 10);
}

/* A megabyte of jitter on 500 steady ones, looked at each minute of an hour: the slope of few
 * windows, drawn out to a day, is often steep, and must not be harm. */
TEST(jitter_is_no_leak)
{
  struct rand rand;
  uint32_t harm = 0, steep = 0;
  rand_seed(&rand, 1);
  for (int release = 0; release < 400; release++) {
    struct slope c = {0};
    struct slope_spec spec = {.stable_level = 500, .kilo_requests_day = 86400};
    bool was_harm = false, was_steep = false;
    for (int window = 0; window < 60; window++) {
      double median[15];
      for (int i = 0; i < 15; i++) median[i] = 500 + rand_unit(&rand);
      slope_add(&c, 3 * window, m_median(median, 15), 0);
      was_harm = was_harm || slope_judge(&c, &spec) == SLOPE_HARM_SLOPE;
      was_steep = was_steep || (c.n >= SLOPE_MIN && slope_tau(&c) >= SLOPE_TAU &&
                                slope_of(&c) * spec.kilo_requests_day > 50);
    }
    harm += was_harm;
    steep += was_steep;
  }
  EXPECT(steep > 10);
  EXPECT_INT(harm, 0);
}
