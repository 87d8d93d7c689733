/* hist_test.c - buckets cover every value, merging is exact, quantiles are never too low.
 * SPDX-License-Identifier: MIT */
#include "stat/hist.h"

#include "base/rand.h"
#include "test.h"

TEST(every_value_lies_in_its_bucket)
{
  for (uint32_t i = 0; i + 1 < HIST_BUCKETS; i++) {
    uint64_t edge = hist_edge(i);
    EXPECT_INT(hist_bucket(edge - 1), i);
    EXPECT_INT(hist_bucket(edge), i + 1);
  }
  EXPECT_INT(hist_bucket(0), 0);
  EXPECT_INT(hist_bucket(UINT64_MAX), HIST_BUCKETS - 1);
  EXPECT_INT(hist_bucket(UINT64_C(1) << HIST_TOP), HIST_BUCKETS - 1);
  EXPECT_INT(hist_edge(HIST_BUCKETS - 2), 1 << HIST_TOP);
  EXPECT(hist_edge(HIST_BUCKETS - 1) == UINT64_MAX);
  EXPECT(sizeof(struct hist) <= 2048);
}

TEST(a_bucket_is_at_most_an_eighth_wide)
{
  for (uint32_t i = HIST_SUB; i + 1 < HIST_BUCKETS; i++) {
    uint64_t low = hist_edge(i - 1), high = hist_edge(i);
    EXPECT((high - low) * 8 <= low);
  }
}

static uint64_t latency(struct rand *rand)
{
  return (uint64_t)exp(rand_unit(rand) * 20); /* 1 us to 485 s, evenly in the logarithm */
}

static struct hist filled(uint64_t seed, int n)
{
  struct hist hist = {0};
  struct rand rand;
  rand_seed(&rand, seed);
  for (int i = 0; i < n; i++) hist_add(&hist, latency(&rand));
  return hist;
}

static bool same(const struct hist *a, const struct hist *b)
{
  return a->count == b->count && a->sum == b->sum &&
         memcmp(a->buckets, b->buckets, sizeof a->buckets) == 0;
}

TEST(merging_is_exact_in_any_order)
{
  struct hist a = filled(1, 1000), b = filled(2, 3000), c = filled(3, 500), none = {0};
  struct hist left = a, bc = b, right = a, back = c;
  hist_merge(&left, &b), hist_merge(&left, &c);
  hist_merge(&bc, &c), hist_merge(&right, &bc);
  hist_merge(&back, &b), hist_merge(&back, &a);
  EXPECT(same(&left, &right));
  EXPECT(same(&left, &back));
  hist_merge(&left, &none);
  EXPECT(same(&left, &right));
  struct hist all = {0};
  for (uint64_t seed = 1; seed <= 3; seed++) {
    struct rand rand;
    rand_seed(&rand, seed);
    for (int i = 0; i < (int[]){0, 1000, 3000, 500}[seed]; i++) hist_add(&all, latency(&rand));
  }
  EXPECT(same(&all, &left));
}

static int ascending(const void *a, const void *b)
{
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

TEST(quantiles_are_an_upper_edge_close_to_the_truth)
{
  enum { N = 20001 };
  static uint64_t values[N];
  static const double quantiles[] = {0, 0.01, 0.5, 0.9, 0.99, 0.999, 1};
  struct hist hist = {0};
  struct rand rand;
  rand_seed(&rand, 4);
  for (int i = 0; i < N; i++) hist_add(&hist, values[i] = latency(&rand) % 100000000);
  qsort(values, N, sizeof *values, ascending);
  for (size_t i = 0; i < sizeof quantiles / sizeof *quantiles; i++) {
    size_t rank = (size_t)(quantiles[i] * N);
    uint64_t truth = values[rank < N ? rank : N - 1], got = hist_quantile(&hist, quantiles[i]);
    EXPECT(got > truth && got <= truth + truth / 8 + 1);
  }
}

TEST(quantiles_of_little)
{
  struct hist hist = {0};
  EXPECT_INT(hist_quantile(&hist, 0.5), 0);
  hist_add(&hist, 5);
  EXPECT_INT(hist_quantile(&hist, 0), 6);
  EXPECT_INT(hist_quantile(&hist, 0.5), 6);
  EXPECT_INT(hist_quantile(&hist, 1), 6);
  hist_add(&hist, 1000);
  EXPECT_INT(hist_quantile(&hist, 0.49), 6);
  EXPECT_INT(hist_quantile(&hist, 0.5), 1024);
  EXPECT_INT(hist.sum, 1005);
}

/* What /metrics prints: cumulative counts at powers of two, none of them split by a bucket. */
TEST(counts_below_an_edge_are_exact)
{
  struct hist hist = {0};
  struct rand rand;
  uint64_t below[HIST_TOP + 1] = {0};
  rand_seed(&rand, 6);
  for (int i = 0; i < 20000; i++) {
    uint64_t value = latency(&rand);
    hist_add(&hist, value);
    for (int k = 0; k <= HIST_TOP; k++) below[k] += value < UINT64_C(1) << k;
  }
  for (int k = 0; k <= HIST_TOP; k++)
    EXPECT_INT(hist_below(&hist, UINT64_C(1) << k), below[k]);
  EXPECT_INT(hist_below(&hist, UINT64_MAX), 20000);
}
