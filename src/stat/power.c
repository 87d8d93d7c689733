/* power.c - drift and spread of evidence, solved for time.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "stat/power.h"

#include <math.h>

#define Z_80 0.8416212335729143 /* 80 % of a normal lie below */

static double theta(double r, double s) { return r * s / (r * s + 1 - s); }

double power_events(double alpha, double m, double s, double r)
{
  if (!(r > 1 + m)) return M_INF;
  double bad = theta(r, s), fair = theta(1 + m, s);
  double gain = bad * m_ln(bad / fair) + (1 - bad) * m_ln((1 - bad) / (1 - fair));
  return (m_ln(COUNT_GRID) - m_ln(alpha)) / gain;
}

/* What can be observed of a ratio: an event has probability 1 at most. */
static double ratio_seen(const struct power_case *of, double r)
{
  return r * of->rate > 1 ? 1 / of->rate : r;
}

static double events_a_second(const struct power_case *of, double r)
{
  return of->rps * of->rate * (1 - of->share + of->share * ratio_seen(of, r));
}

double power_events_expected(const struct power_case *of, double r)
{
  return events_a_second(of, r) * of->seconds;
}

/* Evidence gains `drift` a second with variance `spread`; the time until drift t - z sqrt(spread t)
 * reaches the bar, in whole looks of a second. */
static double time_to(double bar, double drift, double spread, double z)
{
  if (!(drift > 0)) return M_INF;
  double root = z * sqrt(spread) + sqrt(z * z * spread + 4 * drift * bar);
  double t = root * root / (4 * drift * drift);
  if (!(t < 1e9)) return M_INF;
  double whole = (double)(uint64_t)t;
  return whole < t ? whole + 1 : whole;
}

/* The best of the grid points; each has 1/7 of the weight. */
static double delay(const struct power_case *of, double r, double z)
{
  struct count_step step;
  double phi = of->phi > 1 ? of->phi : 1, rows = of->rows ? of->rows : 1, best = M_INF;
  double bad = theta(ratio_seen(of, r), of->share), rate = events_a_second(of, r);
  double bar = m_ln(2 * COUNT_GRID * rows) - m_ln(of->alpha);
  count_step_set(&step, COUNT_HARM, of->share, of->m);
  for (int i = 0; i < COUNT_GRID; i++) {
    double c = step.c[i] / phi, b = step.b[i] / phi;
    double drift = rate * (bad * c + (1 - bad) * b);
    double spread = rate * (bad * c * c + (1 - bad) * b * b);
    if (of->cap > 0 && drift > of->cap) drift = of->cap, spread = 0;
    double t = time_to(bar, drift, spread, z);
    if (t < best) best = t;
  }
  return best;
}

double power_delay_median_s(const struct power_case *of, double r) { return delay(of, r, 0); }

double power_delay_80_s(const struct power_case *of, double r) { return delay(of, r, Z_80); }

double power_ratio_min(const struct power_case *of)
{
  enum { HALVINGS = 50 };
  double low = 1 + of->m, high = POWER_RATIO_MAX;
  if (!(power_delay_80_s(of, high) <= of->seconds)) return M_INF;
  for (int i = 0; i < HALVINGS; i++) {
    double middle = (low + high) / 2;
    if (power_delay_80_s(of, middle) <= of->seconds)
      high = middle;
    else
      low = middle;
  }
  return high;
}
