/* slope.h - memory: has it grown, and is it growing?
 * Thread: any, pure; a series belongs to one owner.
 *
 * One point per window of 60 s with at least 200 requests: x thousands of requests so far, y steady
 * bytes (the median inside the window), and the window's peak.
 *
 *   slope = median over i < j of (y_j - y_i)/(x_j - x_i)     (Theil-Sen)
 *   tau   = (ups - downs) / pairs                            level = median(last 3 y) / stable's
 *
 * The level is not sampling noise, so no alpha is spent: level harm from 3 windows on, when its
 * ratio is above 1 + max_growth; slope harm from 6 on, when tau >= 0.6 and the slope beyond
 * stable's, times the requests of 24 h, is more than max_growth of stable's level. Non-inferior:
 * both clear from 6 on.
 * A window's peak is the largest request's in it, and where sizes differ, which of two arms got the
 * larger ones is chance: with heavy tails a ratio of 1.1 is as good as a coin. So peaks are harm
 * from 6 windows on, when the smallest of the candidate's is above 1 + max_growth times the largest
 * of stable's: by chance alone, where both arms have as many requests, once in 924. Where the
 * candidate has more requests than stable, the caller does not compare (stable_peak 0).
 * A slope of six noisy windows, drawn out to a day, is large by chance: with 1 MB of jitter on 500
 * MB one healthy release in twelve would be rolled back within the hour. So ups must outnumber
 * downs by SLOPE_SURE standard deviations of chance (Kendall), which takes at least 10 windows;
 * until then a slope that would be harm is inconclusive.
 *
 * A series keeps SLOPE_POINTS_MAX points for the slope and the last three for the level. When it is
 * full, every second point is dropped and from then on every second window is kept: the points go
 * on spanning the whole step, evenly, and 64 windows or fewer are exact.
 * Source: Theil 1950, Sen 1968, Kendall 1938.
 * SPDX-License-Identifier: MIT */
#ifndef STAT_SLOPE_H
#define STAT_SLOPE_H

#include "stat/math.h"

enum {
  SLOPE_POINTS_MAX = 64,
  SLOPE_LAST = 3,
  SLOPE_REQUESTS_MIN = 200, /* a window with fewer is no point */
  SLOPE_LEVEL_MIN = 3,
  SLOPE_MIN = 6,
};
#define SLOPE_TAU    0.6
#define SLOPE_SURE   4.0 /* standard deviations */
#define SLOPE_GROWTH 0.10

/* Zeroed is empty. */
struct slope {
  uint64_t windows;       /* added, kept or not */
  uint32_t n, every_bits; /* points kept; one window in 2^every_bits is */
  double x[SLOPE_POINTS_MAX], y[SLOPE_POINTS_MAX];
  double last[SLOPE_LAST]; /* y of the last windows, in a ring */
  double peak, peak_least; /* the largest window's so far, the smallest's */
};

void slope_add(struct slope *slope, double kilo_requests, double steady, double peak);
/* Median of pairs' slopes; pairs with equal x have none; 0 without a pair. */
double slope_of(const struct slope *slope);
double slope_tau(const struct slope *slope);   /* 0 without a pair */
double slope_level(const struct slope *slope); /* median of the last 3 y; NaN without a point */

enum slope_says {
  SLOPE_INCONCLUSIVE,
  SLOPE_HARM_LEVEL,
  SLOPE_HARM_PEAK,
  SLOPE_HARM_SLOPE,
  SLOPE_NON_INFERIOR
};

struct slope_spec {
  double max_growth;        /* 0: SLOPE_GROWTH */
  double stable_level;      /* steady bytes of one stable instance, above 0 */
  double stable_peak;       /* its largest window's; 0: peaks are not compared */
  double stable_slope;      /* over the same windows; 0 when unknown */
  double kilo_requests_day; /* expected in 24 h */
};
enum slope_says slope_judge(const struct slope *candidate, const struct slope_spec *spec);

#endif
