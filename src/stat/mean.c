/* mean.c - widths, sums and the interval they give.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "stat/mean.h"

#include <math.h>

#include "base/err.h"

#define PARTS ((double)(1 << MEAN_PARTS_BITS))

bool mean_parts(double value, double cap, int64_t *parts)
{
  if (m_is_nan(value) || !(cap > 0)) return false;
  double share = value / cap;
  if (m_is_nan(share)) return false; /* infinite value under an infinite cap */
  if (share > 1) share = 1;
  if (share < -1) share = -1;
  *parts = (int64_t)(share * PARTS + (share < 0 ? -0.5 : 0.5));
  return true;
}

void mean_add(struct mean_arm *arm, int64_t y, int64_t x)
{
  arm->n++;
  arm->y += y;
  arm->x += x;
  arm->yy += (mean_wide)y * y;
  arm->xx += (mean_wide)x * x;
  arm->xy += (mean_wide)x * y;
}

void mean_remove(struct mean_arm *arm, int64_t y, int64_t x)
{
  must(arm->n > 0);
  arm->n--;
  arm->y -= y;
  arm->x -= x;
  arm->yy -= (mean_wide)y * y;
  arm->xx -= (mean_wide)x * x;
  arm->xy -= (mean_wide)x * y;
}

void mean_merge(struct mean_arm *into, const struct mean_arm *from)
{
  into->n += from->n;
  into->y += from->y;
  into->x += from->x;
  into->yy += from->yy;
  into->xx += from->xx;
  into->xy += from->xy;
}

/* sqrt(2 (n rho^2 + 1) / (n^2 rho^2) ln(...)) with the argument of ln minus `extra` given. */
static double width(double n, double n_star, double a, double extra)
{
  double l = -2 * m_ln(a), rho2 = (l + m_ln(l + 1)) / n_star, k = n * rho2 + 1;
  return sqrt(2 * k / (n * n * rho2) * m_ln(extra + sqrt(k) / a));
}

double mean_width_two_sided(double n, double alpha, double n_star)
{
  return width(n, n_star, alpha, 0);
}

double mean_width_one_sided(double n, double alpha, double n_star)
{
  return width(n, n_star, 2 * alpha, 1);
}

/* sum of products about the means, sum(ab) - sum(a) sum(b) / n: exact but for the division's
 * rest */
static double about(mean_wide ab, int64_t a, int64_t b, uint64_t n)
{
  return (double)(ab - (mean_wide)a * b / (mean_wide)n);
}

/* Pooled over both arms, as if they were one. */
static double theta_of(const struct mean_arm *c, const struct mean_arm *b)
{
  struct mean_arm all = *c;
  mean_merge(&all, b);
  double xx = about(all.xx, all.x, all.x, all.n);
  return xx > 0 ? about(all.xy, all.x, all.y, all.n) / xx : 0;
}

/* Mean of y' of one arm; *square: variance / n. Both in parts. */
static double arm_mean(const struct mean_arm *arm, double theta, double x_mean, double *square)
{
  double n = (double)arm->n, y = (double)arm->y / n, x = (double)arm->x / n;
  double sum = about(arm->yy, arm->y, arm->y, arm->n);
  if (theta != 0)
    sum += theta * (theta * about(arm->xx, arm->x, arm->x, arm->n) -
                    2 * about(arm->xy, arm->x, arm->y, arm->n));
  *square = sum > 0 ? sum / (n - 1) / n : 0;
  return y - theta * (x - x_mean);
}

struct mean_interval mean_difference(const struct mean_arm *c, const struct mean_arm *b,
                                     const struct mean_spec *spec)
{
  struct mean_interval at = {
      .diff = M_NAN, .se = M_NAN, .lower = M_NAN, .upper = M_NAN, .mean_c = M_NAN, .mean_b = M_NAN};
  if (c->n < 2 || b->n < 2) return at;
  double n = (double)c->n + (double)b->n, square_c, square_b;
  double unit = spec->cap / PARTS, n_star = spec->n_star > 0 ? spec->n_star : MEAN_N_STAR;
  double x_mean = ((double)c->x + (double)b->x) / n;
  at.theta = spec->cuped ? theta_of(c, b) : 0;
  at.mean_c = unit * arm_mean(c, at.theta, x_mean, &square_c);
  at.mean_b = unit * arm_mean(b, at.theta, x_mean, &square_b);
  at.diff = at.mean_c - at.mean_b;
  at.se = unit * sqrt(square_c + square_b);
  double one = spec->one_sided ? mean_width_one_sided(n, spec->alpha, n_star)
                               : mean_width_two_sided(n, spec->alpha, n_star);
  double half = sqrt(n) * one * at.se;
  at.lower = at.diff - half;
  at.upper = at.diff + half;
  at.enough = c->n >= MEAN_UNITS_MIN && b->n >= MEAN_UNITS_MIN;
  return at;
}

uint64_t mean_holm(const double *p, uint32_t n, double alpha)
{
  uint64_t held = 0;
  must(n <= 64);
  for (uint32_t k = 0; k < n; k++) {
    uint32_t least = n;
    for (uint32_t i = 0; i < n; i++) {
      if (held >> i & 1 || m_is_nan(p[i])) continue;
      if (least == n || p[i] < p[least]) least = i;
    }
    if (least == n || p[least] > alpha / (n - k)) break;
    held |= UINT64_C(1) << least;
  }
  return held;
}
