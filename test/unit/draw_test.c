/* draw_test.c - samplers against the distributions they claim.
 * SPDX-License-Identifier: MIT */
#include "sim/draw.h"

#include "test.h"

enum { DRAWS = 200000, CELLS = 400 };

static double poisson_mass(double mean, double k)
{
  return exp(k * log(mean) - mean - lgamma(k + 1));
}

static double binomial_mass(double n, double p, double k)
{
  return exp(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) + k * log(p) + (n - k) * log1p(-p));
}

/* Chi-square of seen[] against DRAWS * mass[] over cells with at least 5 expected, the rest pooled;
 * as standard deviations above its mean. */
static double misfit(const uint64_t *seen, const double *mass, uint32_t cells)
{
  double chi = 0, rest_want = DRAWS, rest_seen = DRAWS;
  uint32_t used = 0;
  for (uint32_t i = 0; i < cells; i++) {
    double want = DRAWS * mass[i];
    if (want < 5) continue;
    chi += ((double)seen[i] - want) * ((double)seen[i] - want) / want;
    rest_want -= want;
    rest_seen -= (double)seen[i];
    used++;
  }
  if (rest_want > 5) chi += (rest_seen - rest_want) * (rest_seen - rest_want) / rest_want;
  return (chi - used) / sqrt(2.0 * used);
}

TEST(poisson_has_its_distribution)
{
  static const double means[] = {0.02, 0.5, 3, 9.99, 10.01, 25, 49.5, 114};
  for (size_t m = 0; m < sizeof means / sizeof *means; m++) {
    static uint64_t seen[CELLS];
    static double mass[CELLS];
    struct rand rand;
    memset(seen, 0, sizeof seen);
    draw_seed(&rand, 7, m);
    for (int i = 0; i < DRAWS; i++) {
      uint64_t k = draw_poisson(&rand, means[m]);
      seen[k < CELLS ? k : CELLS - 1]++;
    }
    for (int k = 0; k < CELLS; k++) mass[k] = poisson_mass(means[m], k);
    double z = misfit(seen, mass, CELLS);
    if (fabs(z) > 4) printf("mean %g: %g\n", means[m], z);
    EXPECT(fabs(z) <= 4);
  }
}

TEST(poisson_of_a_large_mean_has_its_moments)
{
  struct rand rand;
  draw_seed(&rand, 8, 0);
  double sum = 0, squares = 0, mean = 1e6;
  for (int i = 0; i < DRAWS; i++) {
    double d = (double)draw_poisson(&rand, mean) - mean;
    sum += d;
    squares += d * d;
  }
  EXPECT(fabs(sum / DRAWS) < 4 * sqrt(mean / DRAWS));
  EXPECT(fabs(squares / DRAWS / mean - 1) < 4 * sqrt(2.0 / DRAWS));
}

TEST(binomial_has_its_distribution)
{
  static const struct {
    uint64_t n;
    double p;
  } cases[] = {{1, 0.3},   {7, 0.5},    {1000, 0.05}, {1000, 0.009}, {40, 0.25},
               {41, 0.25}, {300, 0.97}, {100, 0.88},  {350, 0.5},    {950, 0.1}};
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    static uint64_t seen[CELLS];
    static double mass[CELLS];
    struct rand rand;
    memset(seen, 0, sizeof seen);
    memset(mass, 0, sizeof mass);
    draw_seed(&rand, 9, c);
    for (int i = 0; i < DRAWS; i++) {
      uint64_t k = draw_binomial(&rand, cases[c].n, cases[c].p);
      EXPECT(k <= cases[c].n);
      seen[k < CELLS ? k : CELLS - 1]++;
    }
    for (uint64_t k = 0; k <= cases[c].n && k < CELLS; k++)
      mass[k] = binomial_mass((double)cases[c].n, cases[c].p, (double)k);
    double z = misfit(seen, mass, CELLS);
    if (fabs(z) > 4) printf("n %d p %g: %g\n", (int)cases[c].n, cases[c].p, z);
    EXPECT(fabs(z) <= 4);
  }
}

TEST(binomial_at_its_ends)
{
  struct rand rand;
  draw_seed(&rand, 1, 1);
  EXPECT_INT(draw_binomial(&rand, 0, 0.5), 0);
  EXPECT_INT(draw_binomial(&rand, 10, 0), 0);
  EXPECT_INT(draw_binomial(&rand, 10, 1), 10);
  EXPECT_INT(draw_binomial(&rand, 10, -1), 0);
  EXPECT_INT(draw_binomial(&rand, 10, 1.5), 10);
  EXPECT_INT(draw_poisson(&rand, 0), 0);
  EXPECT_INT(draw_geometric(&rand, 1), 0);
}

TEST(geometric_and_normal_have_their_moments)
{
  struct rand rand;
  draw_seed(&rand, 10, 0);
  double sum = 0, normal = 0, squares = 0, beyond = 0;
  for (int i = 0; i < DRAWS; i++) {
    sum += (double)draw_geometric(&rand, 0.02);
    double x = draw_normal(&rand);
    normal += x;
    squares += x * x;
    beyond += x > 1.959963985;
  }
  EXPECT(fabs(sum / DRAWS - 49) < 4 * 49.5 / sqrt(DRAWS));
  EXPECT(fabs(normal / DRAWS) < 4 / sqrt(DRAWS));
  EXPECT(fabs(squares / DRAWS - 1) < 4 * sqrt(2.0 / DRAWS));
  EXPECT(fabs(beyond / DRAWS - 0.025) < 4 * sqrt(0.025 / DRAWS));
}

TEST(parts_of_a_seed_are_streams_of_their_own)
{
  struct rand a, b, c;
  draw_seed(&a, 5, 0);
  draw_seed(&b, 5, 1);
  draw_seed(&c, 5, 0);
  uint64_t x = rand_u64(&a);
  EXPECT(x != rand_u64(&b));
  EXPECT(x == rand_u64(&c));
}
