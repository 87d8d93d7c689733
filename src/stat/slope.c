/* slope.c - medians of pairs.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "stat/slope.h"

#include <math.h>

static void thin_out(struct slope *slope)
{
  for (uint32_t i = 0; i < SLOPE_POINTS_MAX / 2; i++) {
    slope->x[i] = slope->x[2 * i];
    slope->y[i] = slope->y[2 * i];
  }
  slope->n = SLOPE_POINTS_MAX / 2;
  slope->every_bits++;
}

void slope_add(struct slope *slope, double kilo_requests, double steady, double peak)
{
  uint64_t window = slope->windows++;
  slope->last[window % SLOPE_LAST] = steady;
  if (peak > slope->peak) slope->peak = peak;
  if (window == 0 || peak < slope->peak_least) slope->peak_least = peak;
  if (window & ((UINT64_C(1) << slope->every_bits) - 1)) return;
  if (slope->n == SLOPE_POINTS_MAX) thin_out(slope);
  slope->x[slope->n] = kilo_requests;
  slope->y[slope->n++] = steady;
}

double slope_of(const struct slope *slope)
{
  double pairs[SLOPE_POINTS_MAX * (SLOPE_POINTS_MAX - 1) / 2];
  size_t n = 0;
  for (uint32_t j = 1; j < slope->n; j++)
    for (uint32_t i = 0; i < j; i++)
      if (slope->x[j] != slope->x[i])
        pairs[n++] = (slope->y[j] - slope->y[i]) / (slope->x[j] - slope->x[i]);
  return n ? m_median(pairs, n) : 0;
}

/* Pairs that rise less pairs that fall. */
static int rises(const struct slope *slope)
{
  int ups = 0, downs = 0;
  for (uint32_t j = 1; j < slope->n; j++)
    for (uint32_t i = 0; i < j; i++) {
      ups += slope->y[j] > slope->y[i];
      downs += slope->y[j] < slope->y[i];
    }
  return ups - downs;
}

double slope_tau(const struct slope *slope)
{
  int pairs = (int)(slope->n * (slope->n - (slope->n > 0)) / 2);
  return pairs ? (double)rises(slope) / pairs : 0;
}

/* Beyond what an order by chance gives. */
static bool rises_surely(const struct slope *slope)
{
  double n = slope->n, spread = sqrt(n * (n - 1) * (2 * n + 5) / 18);
  return rises(slope) >= SLOPE_SURE * spread;
}

double slope_level(const struct slope *slope)
{
  double last[SLOPE_LAST];
  for (int i = 0; i < SLOPE_LAST; i++) last[i] = slope->last[i];
  return m_median(last, slope->windows < SLOPE_LAST ? (size_t)slope->windows : SLOPE_LAST);
}

enum slope_says slope_judge(const struct slope *candidate, const struct slope_spec *spec)
{
  double growth = spec->max_growth > 0 ? spec->max_growth : SLOPE_GROWTH;
  if (candidate->windows < SLOPE_LEVEL_MIN || !(spec->stable_level > 0)) return SLOPE_INCONCLUSIVE;
  if (slope_level(candidate) / spec->stable_level > 1 + growth) return SLOPE_HARM_LEVEL;
  if (candidate->windows < SLOPE_MIN) return SLOPE_INCONCLUSIVE;
  if (spec->stable_peak > 0 && candidate->peak_least / spec->stable_peak > 1 + growth)
    return SLOPE_HARM_PEAK;
  double a_day = (slope_of(candidate) - spec->stable_slope) * spec->kilo_requests_day;
  if (slope_tau(candidate) < SLOPE_TAU || !(a_day > growth * spec->stable_level))
    return SLOPE_NON_INFERIOR;
  return rises_surely(candidate) ? SLOPE_HARM_SLOPE : SLOPE_INCONCLUSIVE;
}
