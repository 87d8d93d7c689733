/* drift.c - bins from a reference, and bets that fresh rows are not like it.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "stat/drift.h"

#include <stdlib.h>

#include "stat/shift.h"

#define MIXTURE_K 20.0

static int value_order(const void *a, const void *b)
{
  float x = *(const float *)a, y = *(const float *)b;
  return x < y ? -1 : x > y;
}

/* The next float above a finite one, without libm. */
static float above(float x)
{
  uint32_t bits;
  if (x == 0) x = 0; /* -0 is 0 */
  memcpy(&bits, &x, sizeof bits);
  bits += x < 0 ? UINT32_MAX : 1;
  memcpy(&x, &bits, sizeof x);
  return x;
}

static void edge_add(struct drift_bins *bins, float edge)
{
  if (bins->n_edges && !(edge > bins->edges[bins->n_edges - 1])) return;
  if (!((double)edge > -M_INF && (double)edge < M_INF)) return;
  bins->edges[bins->n_edges++] = edge;
}

/* Whether its first half is like its second. */
static bool is_steady(const struct drift_bins *bins, const float *values, uint32_t n)
{
  uint64_t halves[2][DRIFT_BINS] = {{0}};
  for (uint32_t i = 0; i < n; i++) halves[i >= n / 2][drift_bin(bins, values[i])]++;
  return shift_psi(halves[1], halves[0], drift_used(bins)) < DRIFT_RESTLESS;
}

void drift_freeze(struct drift_bins *bins, const float *values, float *scratch, uint32_t n)
{
  uint32_t numbers = 0;
  *bins = (struct drift_bins){0};
  if (n < DRIFT_ROWS_MIN) return;
  for (uint32_t i = 0; i < n; i++)
    if (values[i] == values[i]) scratch[numbers++] = values[i];
  qsort(scratch, numbers, sizeof *scratch, value_order);
  for (uint32_t i = 1; i <= DRIFT_EDGES && numbers; i++)
    edge_add(bins, scratch[numbers * i / (DRIFT_EDGES + 1)]);
  if (bins->n_edges == 1) edge_add(bins, above(bins->edges[0]));
  if (!bins->n_edges) edge_add(bins, 0); /* never there so far: a number is news */
  if (!is_steady(bins, values, n)) {
    *bins = (struct drift_bins){0};
    return;
  }
  for (uint32_t i = 0; i < n; i++) bins->rows[drift_bin(bins, values[i])]++;
}

uint32_t drift_bin(const struct drift_bins *bins, float x)
{
  uint32_t bin = 0;
  if (x != x) return bins->n_edges + 1;
  while (bin < bins->n_edges && x >= bins->edges[bin]) bin++;
  return bin;
}

uint32_t drift_used(const struct drift_bins *bins) { return bins->n_edges + 2; }

/* ln of the chance of these rows under Dirichlet weights scale * (reference + 1/2), up to what both
 * sides of a ratio share. */
static double chance(const struct drift_bins *bins, const uint64_t *rows, double scale)
{
  double sum = 0, n = 0, log = 0;
  for (uint32_t j = 0; j < drift_used(bins); j++) {
    double weight = scale * (bins->rows[j] + 0.5), here = (double)rows[j];
    sum += weight;
    n += here;
    if (rows[j]) log += m_lgamma(weight + here) - m_lgamma(weight);
  }
  return n > 0 ? log + m_lgamma(sum) - m_lgamma(sum + n) : 0;
}

double drift_log_e(const struct drift_bins *bins, const uint64_t *rows)
{
  double all = 0;
  for (uint32_t j = 0; j < drift_used(bins); j++) all += bins->rows[j] + 0.5;
  return chance(bins, rows, MIXTURE_K / all) - chance(bins, rows, 1);
}

double drift_psi(const struct drift_bins *bins, const uint64_t *rows)
{
  uint64_t before[DRIFT_BINS];
  for (uint32_t j = 0; j < DRIFT_BINS; j++) before[j] = bins->rows[j];
  return shift_psi(rows, before, drift_used(bins));
}
