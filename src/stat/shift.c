/* shift.c - shares per bin, and how far apart two histograms lie.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "stat/shift.h"

#include "stat/ratio.h"

void shift_bins_freeze(struct shift_bins *bins, const struct sketch *stable)
{
  *bins = (struct shift_bins){.n = 1};
  if (!stable->count) return;
  for (int decile = 1; decile < SHIFT_BINS; decile++) {
    uint64_t edge = sketch_quantile(stable, decile / 10.0);
    if (edge == UINT64_MAX || (bins->n > 1 && edge == bins->edges[bins->n - 2])) continue;
    bins->edges[bins->n++ - 1] = edge;
  }
}

uint32_t shift_bin(const struct shift_bins *bins, uint64_t value)
{
  uint32_t bin = 0;
  while (bin + 1 < bins->n && value >= bins->edges[bin]) bin++;
  return bin;
}

void shift_count(const struct shift_bins *bins, const struct sketch *seen, uint64_t *counts)
{
  uint64_t below = 0;
  for (uint32_t bin = 0; bin < bins->n; bin++) {
    uint64_t up_to = bin + 1 < bins->n ? sketch_below(seen, bins->edges[bin]) : seen->count;
    counts[bin] = up_to - below;
    below = up_to;
  }
}

double shift_log_e(const uint64_t *c, const uint64_t *b, size_t bins, double s)
{
  double log_e = 0;
  for (size_t j = 0; j < bins; j++) log_e += ratio_log_e(c[j], c[j] + b[j], s, SHIFT_K);
  return log_e;
}

double shift_psi(const uint64_t *c, const uint64_t *b, size_t bins)
{
  uint64_t sum_c = 0, sum_b = 0;
  double psi = 0, half = 0.5 * (double)bins;
  for (size_t j = 0; j < bins; j++) sum_c += c[j], sum_b += b[j];
  for (size_t j = 0; j < bins; j++) {
    double share_c = ((double)c[j] + 0.5) / ((double)sum_c + half);
    double share_b = ((double)b[j] + 0.5) / ((double)sum_b + half);
    psi += (share_c - share_b) * m_ln(share_c / share_b);
  }
  return psi;
}
