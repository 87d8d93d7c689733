/* math_test.c - our own functions against libm's long double, in units of the last place.
 * SPDX-License-Identifier: MIT */
#include "stat/math.h"

#include "base/rand.h"
#include "near.h"

enum { N = 200000 };

/* |got - want| in units of the last place of a double near want. */
static double ulps(double got, long double want)
{
  int exponent;
  if (isnan(got) || isinf(got)) return 1e9;
  frexpl(want, &exponent);
  long double ulp = ldexpl(1, (exponent < -1021 ? -1021 : exponent) - 53);
  return (double)(fabsl(got - want) / ulp);
}

TEST(ln_is_right_to_two_ulp)
{
  struct rand rand;
  double worst = 0;
  rand_seed(&rand, 1);
  for (int i = 0; i < N; i++) {
    double any = exp((rand_unit(&rand) - 0.5) * 1400), near = 0.4 + rand_unit(&rand) * 1.6;
    worst = fmax(worst, ulps(m_ln(any), logl(any)));
    worst = fmax(worst, ulps(m_ln(near), logl(near)));
    double close = 1 + (rand_unit(&rand) - 0.5) * 1e-6;
    worst = fmax(worst, ulps(m_ln(close), logl(close)));
  }
  worst = fmax(worst, ulps(m_ln(5e-324), logl(5e-324)));
  worst = fmax(worst, ulps(m_ln(1.7e308), logl(1.7e308)));
  printf("ln: %.3f ulp\n", worst);
  EXPECT(worst <= 2);
}

TEST(log1p_is_right_to_two_ulp)
{
  struct rand rand;
  double worst = 0;
  rand_seed(&rand, 2);
  for (int i = 0; i < N; i++) {
    double x = (rand_unit(&rand) - 0.5) * 2, tiny = x * exp(-rand_unit(&rand) * 80);
    double large = exp(rand_unit(&rand) * 700);
    worst = fmax(worst, ulps(m_log1p(x), log1pl(x)));
    worst = fmax(worst, ulps(m_log1p(tiny), log1pl(tiny)));
    worst = fmax(worst, ulps(m_log1p(large), log1pl(large)));
    worst = fmax(worst, ulps(m_log1p(4 * x + 3.01), log1pl(4 * x + 3.01)));
  }
  printf("log1p: %.3f ulp\n", worst);
  EXPECT(worst <= 2);
  EXPECT_BITS(m_log1p(0), 0);
}

TEST(exp_is_right_to_two_ulp)
{
  struct rand rand;
  double worst = 0;
  rand_seed(&rand, 3);
  for (int i = 0; i < N; i++) {
    double wide = (rand_unit(&rand) - 0.5) * 1415, near = (rand_unit(&rand) - 0.5) * 4;
    double tiny = near * exp(-rand_unit(&rand) * 60), low = -708 - rand_unit(&rand) * 37;
    worst = fmax(worst, ulps(m_exp(wide), expl(wide)));
    worst = fmax(worst, ulps(m_exp(near), expl(near)));
    worst = fmax(worst, ulps(m_exp(tiny), expl(tiny)));
    worst = fmax(worst, ulps(m_exp(low), expl(low)));
  }
  worst = fmax(worst, ulps(m_exp(709.78), expl(709.78)));
  printf("exp: %.3f ulp\n", worst);
  EXPECT(worst <= 2);
}

/* Below 10 the shift costs digits: there the bound is absolute. */
TEST(lgamma_is_right_to_four_ulp_from_ten_on_and_to_1e_14_below)
{
  struct rand rand;
  double worst = 0, worst_low = 0;
  rand_seed(&rand, 4);
  for (int i = 0; i < N; i++) {
    double high = 10 + exp(rand_unit(&rand) * 20.7), low = 0.001 + rand_unit(&rand) * 10;
    double tiny = exp(-rand_unit(&rand) * 20);
    worst = fmax(worst, ulps(m_lgamma(high), lgammal(high)));
    worst_low = fmax(worst_low, (double)fabsl(m_lgamma(low) - lgammal(low)));
    worst_low = fmax(worst_low, (double)fabsl(m_lgamma(tiny) - lgammal(tiny)));
  }
  printf("lgamma: %.3f ulp, %.2g below 10\n", worst, worst_low);
  EXPECT(worst <= 4);
  EXPECT(worst_low <= 1e-14);
}

TEST(edges_of_the_domain)
{
  EXPECT(m_ln(0) == -INFINITY && m_ln(INFINITY) == INFINITY && isnan(m_ln(-1)));
  EXPECT(isnan(m_ln(NAN)) && isnan(m_exp(NAN)) && isnan(m_log1p(NAN)) && isnan(m_lgamma(NAN)));
  EXPECT(m_log1p(-1) == -INFINITY && isnan(m_log1p(-1.5)) && m_log1p(INFINITY) == INFINITY);
  EXPECT(m_exp(-INFINITY) == 0 && m_exp(INFINITY) == INFINITY && m_exp(710) == INFINITY);
  EXPECT(m_exp(-746) == 0 && m_exp(-1e300) == 0 && m_exp(1e300) == INFINITY && m_exp(0) == 1);
  EXPECT(m_exp(-745) > 0 && m_exp(709.7) < INFINITY && m_ln(1) == 0);
  EXPECT(isnan(m_lgamma(0)) && isnan(m_lgamma(-0.5)) && m_lgamma(INFINITY) == INFINITY);
  EXPECT(m_is_nan(M_NAN) && !m_is_nan(M_INF) && !m_is_nan(0));
}

/* The bits themselves: a build that gives others would not replay a verdict. */
TEST(bits_are_those_of_every_machine)
{
  EXPECT_BITS(m_ln(10), 0x1.26bb1bbb55516p+1);
  EXPECT_BITS(m_exp(1), 0x1.5bf0a8b14576ap+1);
  EXPECT_BITS(m_log1p(1), 0x1.62e42fefa39efp-1);
  uint64_t sum = 0, bits;
  struct rand rand;
  rand_seed(&rand, 5);
  for (int i = 0; i < 10000; i++) {
    double x = rand_unit(&rand) * 100 + 0.001;
    double got[4] = {m_ln(x), m_exp(50 - x), m_log1p(x - 0.5), m_lgamma(x)};
    for (int j = 0; j < 4; j++) {
      memcpy(&bits, &got[j], sizeof bits);
      sum = (sum ^ bits) * UINT64_C(0x100000001b3);
    }
  }
  EXPECT_INT(sum, UINT64_C(0xb5d6829bf3dbdf0e));
}

TEST(sums_of_logarithms_never_overflow)
{
  double far[3] = {1e6, -1e6, 1e6 - 1}, none[2] = {-INFINITY, -INFINITY};
  EXPECT_NEAR(m_log_sum(far, 3), 1e6 + log1p(exp(-1)), 0);
  EXPECT_NEAR(m_log_mean(far, 3), 1e6 + log1p(exp(-1)) - log(3), 0);
  EXPECT(m_log_sum(none, 2) == -INFINITY && m_log_mean(none, 0) == -INFINITY);
  EXPECT(m_log_add(-INFINITY, 0) == 0 && m_log_add(0, -INFINITY) == 0);
  EXPECT(m_log_add(-INFINITY, -INFINITY) == -INFINITY && m_log_add(INFINITY, 0) == INFINITY);
  EXPECT_NEAR(m_log_add(-1e6, -1e6), -1e6 + log(2), 0);
  EXPECT(m_log_add(1e6, -1e6) == 1e6);
  EXPECT_NEAR(m_log_add(0.25, -0.5), log(exp(0.25) + exp(-0.5)), 1e-15);
  EXPECT(isnan(m_log_add(NAN, 0)) && isnan(m_log_add(0, NAN)));
  far[1] = NAN;
  EXPECT(isnan(m_log_sum(far, 3)) && isnan(m_log_mean(far, 3)));
  EXPECT(m_p_value(-3) == 1 && m_p_value(1e6) == 0 && isnan(m_p_value(NAN)));
  EXPECT_NEAR(m_p_value(log(20)), 0.05, 0);
}

TEST(medians)
{
  double odd[] = {3, 1, 2}, even[] = {4, 1, 3, 2}, one[] = {7}, many[1001];
  EXPECT(m_median(odd, 3) == 2 && m_median(even, 4) == 2.5 && m_median(one, 1) == 7);
  EXPECT(isnan(m_median(one, 0)));
  for (int i = 0; i < 1001; i++) many[i] = (i * 619) % 1001;
  EXPECT(m_median(many, 1001) == 500);
  for (int i = 1; i < 1001; i++) EXPECT(many[i - 1] <= many[i]);
}
