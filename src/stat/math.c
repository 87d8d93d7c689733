/* math.c - reduction to a small argument, a short series, and back.
 * Thread: any, pure.
 *
 * ln: x = 2^k (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)). With s = f/(2 + f),
 * ln(1 + f) = 2 atanh(s) = 2s + s R, R = 2 s^2/3 + 2 s^4/5 + ...; and 2s = f - s f, s f =
 * f^2/2 - s f^2/2. So ln(1 + f) = f - (f^2/2 - s (f^2/2 + R)): the leading term f is exact and all
 * rounding happens in terms that are much smaller.
 * exp: x = k ln 2 + r, |r| <= ln(2)/2, Taylor in r, scaled by 2^k.
 * ln 2 is kept in two parts, the first short enough that k times it is exact.
 * SPDX-License-Identifier: MIT */
#include "stat/math.h"

#include <string.h>

static const double ln2_high = 0x1.62e42fefa38p-1, ln2_low = 0x1.ef35793c7673p-45;
static const double half_ln_2pi = 0x1.d67f1c864beb5p-1;
/* 1/2!, 1/3!, ... 1/14!: the next term is below 2^-57 of the result */
enum { EXP_TERMS = 13 };
static const double inverse_factorial[EXP_TERMS] = {
    1.0 / 2,         1.0 / 6,          1.0 / 24,         1.0 / 120,     1.0 / 720,
    1.0 / 5040,      1.0 / 40320,      1.0 / 362880,     1.0 / 3628800, 1.0 / 39916800,
    1.0 / 479001600, 1.0 / 6227020800, 1.0 / 87178291200};

static uint64_t bits_of(double x)
{
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

static double double_of(uint64_t bits)
{
  double x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

/* 2^k, k in [-1022, 1023] */
static double power_of_two(int k) { return double_of((uint64_t)(k + 1023) << 52); }

/* k ln 2 + ln(1 + f) + rest, for 1 + f in [0.7, 1.42] and a rest near the last bit */
static double ln_near_one(double f, double k, double rest)
{
  double s = f / (2 + f), z = s * s, half = 0.5 * f * f;
  double r = 2.0 / 23;
  for (int odd = 21; odd >= 3; odd -= 2) r = r * z + 2.0 / odd;
  r *= z;
  return k * ln2_high - ((half - (s * (half + r) + (k * ln2_low + rest))) - f);
}

/* ln(x) + rest for finite x > 0 */
static double ln_positive(double x, double rest)
{
  int k = 0;
  if (x < 0x1p-1022) x *= 0x1p54, k = -54;
  uint64_t bits = bits_of(x);
  k += (int)(bits >> 52) - 1023;
  double m = double_of((bits & 0xfffffffffffffu) | UINT64_C(1023) << 52);
  if (m > 0x1.6a09e667f3bcdp0) m *= 0.5, k++;
  return ln_near_one(m - 1, k, rest);
}

double m_ln(double x)
{
  if (m_is_nan(x) || x == M_INF) return x;
  if (x <= 0) return x < 0 ? M_NAN : -M_INF;
  return ln_positive(x, 0);
}

double m_log1p(double x)
{
  if (m_is_nan(x) || x == M_INF) return x;
  if (x <= -1) return x < -1 ? M_NAN : -M_INF;
  if (x > -0x1p-54 && x < 0x1p-54) return x;
  if (x > -0.29 && x < 0.41) return ln_near_one(x, 0, 0);
  double u = 1 + x, lost = x > 1 ? 1 - (u - x) : x - (u - 1);
  return ln_positive(u, lost / u);
}

double m_exp(double x)
{
  if (m_is_nan(x)) return x;
  if (x > 0x1.62e42fefa39efp+9) return M_INF;
  if (x < -745.2) return 0;
  int k = (int)(x * 0x1.71547652b82fep+0 + (x < 0 ? -0.5 : 0.5));
  double high = x - k * ln2_high, low = k * ln2_low, r = high - low;
  double rest = (high - r) - low;
  double p = inverse_factorial[EXP_TERMS - 1];
  for (int n = EXP_TERMS - 2; n >= 0; n--) p = p * r + inverse_factorial[n];
  double y = 1 + (r + (r * r * p + rest));
  if (k > 1023) return y * 0x1p1023 * power_of_two(k - 1023);
  if (k < -1022) return y * power_of_two(k + 1022) * 0x1p-1022;
  return y * power_of_two(k);
}

double m_lgamma(double x)
{
  if (m_is_nan(x) || x <= 0) return M_NAN;
  if (x > 1e305) return M_INF;
  double shift = 1;
  while (x < 10) shift *= x, x += 1;
  double z = 1 / (x * x);
  double series = -3617.0 / 122400;
  series = series * z + 1.0 / 156;
  series = series * z - 691.0 / 360360;
  series = series * z + 1.0 / 1188;
  series = series * z - 1.0 / 1680;
  series = series * z + 1.0 / 1260;
  series = series * z - 1.0 / 360;
  series = series * z + 1.0 / 12;
  double stirling = (x - 0.5) * (m_ln(x) - 1) + (half_ln_2pi - 0.5) + series / x;
  return shift == 1 ? stirling : stirling - m_ln(shift);
}

double m_log_add(double a, double b)
{
  if (m_is_nan(a) || m_is_nan(b)) return M_NAN;
  double max = a > b ? a : b, min = a > b ? b : a;
  if (max == M_INF || min == -M_INF) return max;
  return max + m_log1p(m_exp(min - max));
}

double m_log_sum(const double *x, size_t n)
{
  double max = -M_INF, sum = 0;
  for (size_t i = 0; i < n; i++) {
    if (m_is_nan(x[i])) return M_NAN;
    if (x[i] > max) max = x[i];
  }
  if (max == M_INF || max == -M_INF) return max;
  for (size_t i = 0; i < n; i++) sum += m_exp(x[i] - max);
  return max + m_ln(sum);
}

double m_log_mean(const double *x, size_t n)
{
  return n ? m_log_sum(x, n) - m_ln((double)n) : -M_INF;
}

double m_p_value(double log_e) { return log_e <= 0 ? 1 : m_exp(-log_e); }

/* Shell's sort: no recursion, no memory; fast enough for a few thousand. */
static void sort(double *x, size_t n)
{
  size_t gap = 1;
  while (gap < n / 3) gap = gap * 3 + 1;
  for (; gap; gap /= 3)
    for (size_t i = gap; i < n; i++) {
      double value = x[i];
      size_t j = i;
      for (; j >= gap && x[j - gap] > value; j -= gap) x[j] = x[j - gap];
      x[j] = value;
    }
}

double m_median(double *x, size_t n)
{
  if (n == 0) return M_NAN;
  sort(x, n);
  return n & 1 ? x[n / 2] : (x[n / 2 - 1] + x[n / 2]) / 2;
}
