/* drift_test.c - bins of a reference, the bet as an urn, false alarms and what is found.
 * SPDX-License-Identifier: MIT */
#include "stat/drift.h"

#include "base/rand.h"
#include "near.h"

enum { REFERENCE = 500 };
static float scratch[1000];

static double normal(struct rand *rand)
{
  double sum = -6;
  for (int i = 0; i < 12; i++) sum += rand_unit(rand);
  return sum;
}

static void reference(struct drift_bins *bins, struct rand *rand)
{
  float values[REFERENCE];
  for (int i = 0; i < REFERENCE; i++) values[i] = (float)normal(rand);
  drift_freeze(bins, values, scratch, REFERENCE);
}

TEST(deciles_are_edges_and_every_row_has_a_bin)
{
  struct drift_bins bins;
  float values[1000];
  for (int i = 0; i < 1000; i++) values[i] = (float)((i * 7) % 1000);
  drift_freeze(&bins, values, scratch, 1000);
  EXPECT_INT(bins.n_edges, 9);
  EXPECT_INT(drift_used(&bins), 11);
  for (int j = 0; j < 9; j++) EXPECT_NEAR((double)bins.edges[j], 100.0 * (j + 1), 0);
  for (int j = 0; j < 10; j++) EXPECT_INT(bins.rows[j], 100);
  EXPECT_INT(bins.rows[10], 0);
  EXPECT_INT(drift_bin(&bins, -5), 0);
  EXPECT_INT(drift_bin(&bins, 99.9f), 0);
  EXPECT_INT(drift_bin(&bins, 100), 1);
  EXPECT_INT(drift_bin(&bins, 1e30f), 9);
  EXPECT_INT(drift_bin(&bins, NAN), 10);
  EXPECT_INT(drift_bin(&bins, INFINITY), 9);
}

TEST(few_values_have_few_bins)
{
  struct drift_bins bins;
  float values[400];
  for (int i = 0; i < 400; i++) values[i] = 3;
  drift_freeze(&bins, values, scratch, 400);
  EXPECT_INT(bins.n_edges, 2); /* below, three, above */
  EXPECT_INT(bins.rows[1], 400);
  EXPECT_INT(drift_bin(&bins, 2.99f), 0);
  EXPECT_INT(drift_bin(&bins, 3.01f), 2);
  for (int i = 0; i < 400; i++) values[i] = i % 4 ? NAN : 1;
  drift_freeze(&bins, values, scratch, 400);
  EXPECT_INT(bins.rows[1], 100);
  EXPECT_INT(bins.rows[bins.n_edges + 1], 300);
  for (int i = 0; i < 400; i++) values[i] = NAN;
  drift_freeze(&bins, values, scratch, 400);
  EXPECT_INT(bins.n_edges, 1);
  EXPECT_INT(drift_bin(&bins, 7), 1);
  for (int i = 0; i < DRIFT_ROWS_MIN - 1; i++) values[i] = (float)i;
  drift_freeze(&bins, values, scratch, DRIFT_ROWS_MIN - 1);
  EXPECT_INT(bins.n_edges, 0);
}

TEST(a_counter_has_no_reference)
{
  struct drift_bins bins;
  struct rand rand;
  float values[400];
  rand_seed(&rand, 3);
  for (int i = 0; i < 400; i++) values[i] = (float)(1000 + i + 20 * rand_unit(&rand));
  drift_freeze(&bins, values, scratch, 400);
  EXPECT_INT(bins.n_edges, 0);
  for (int i = 0; i < 400; i++) values[i] = (float)(1000 + 400 * rand_unit(&rand));
  drift_freeze(&bins, values, scratch, 400);
  EXPECT_INT(bins.n_edges, 9);
}

/* Row by row: what the bet says of the next one, over what the reference says. */
static double urn(const struct drift_bins *bins, const uint32_t *order, uint32_t n)
{
  double all = 0, log_e = 0;
  uint32_t seen[DRIFT_BINS] = {0};
  for (uint32_t j = 0; j < drift_used(bins); j++) all += bins->rows[j] + 0.5;
  for (uint32_t i = 0; i < n; i++) {
    uint32_t j = order[i];
    double own = (bins->rows[j] + 0.5) * 20 / all;
    log_e += log((own + seen[j]) / (20 + i)) - log((bins->rows[j] + 0.5 + seen[j]) / (all + i));
    seen[j]++;
  }
  return log_e;
}

TEST(the_bet_is_an_urn_against_an_urn)
{
  struct drift_bins bins;
  struct rand rand;
  rand_seed(&rand, 1);
  for (int run = 0; run < 20; run++) {
    uint32_t order[3000], n = 1 + (uint32_t)(rand_u64(&rand) % 3000);
    uint64_t rows[DRIFT_BINS] = {0};
    reference(&bins, &rand);
    for (uint32_t i = 0; i < n; i++) {
      order[i] = drift_bin(&bins, run % 5 ? (float)normal(&rand) + 0.1f * (float)run : NAN);
      rows[order[i]]++;
    }
    EXPECT_NEAR(drift_log_e(&bins, rows), urn(&bins, order, n), 1e-7);
  }
  EXPECT_NEAR(drift_log_e(&bins, (uint64_t[DRIFT_BINS]){0}), 0, 0);
}

/* Rows until it is sure by alpha that they are others, with a psi of at least `size`; -1: never. */
static int found_after(struct rand *rand, int most, double moved, double alpha, double size)
{
  struct drift_bins bins;
  uint64_t rows[DRIFT_BINS] = {0};
  reference(&bins, rand);
  for (int i = 0; i < most; i++) {
    rows[drift_bin(&bins, (float)(normal(rand) + moved))]++;
    if (i % 20 == 19 && drift_log_e(&bins, rows) >= -m_ln(alpha) && drift_psi(&bins, rows) >= size)
      return i;
  }
  return -1;
}

TEST(requests_as_before_are_left_alone)
{
  struct rand rand;
  int sure = 0, said = 0;
  rand_seed(&rand, 7);
  for (int i = 0; i < 500; i++) {
    sure += found_after(&rand, 2000, 0, 0.05, 0) >= 0;
    /* and a trifle is no drift */
    said += found_after(&rand, 2000, 0.05, 0.0005 / DRIFT_FEATURES, 0.25) >= 0;
  }
  EXPECT(sure <= 25);
  EXPECT_INT(said, 0);
}

TEST(requests_that_moved_are_found)
{
  struct rand rand;
  int found = 0;
  rand_seed(&rand, 8);
  for (int i = 0; i < 100; i++) {
    int after = found_after(&rand, 2000, 0.8, 0.0005 / DRIFT_FEATURES, 0.25);
    found += after >= 0 && after < 600;
  }
  EXPECT(found >= 95);
}
