/* quantile.c - which counts, and so which edges, a quantile may still have.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "stat/quantile.h"

#include "stat/ratio.h"

double quantile_log_m(uint64_t k, uint64_t n, double p) { return ratio_log_e(k, n, p, QUANTILE_K); }

/* log_m falls up to n p and rises from there, so both ends are found by halving. */
void quantile_inside(uint64_t n, double p, double alpha, uint64_t *least, uint64_t *greatest)
{
  double limit = -m_ln(alpha);
  uint64_t centre = (uint64_t)((double)n * p), low = 0, high = centre < n ? centre : n;
  while (low < high) {
    uint64_t middle = low + (high - low) / 2;
    if (quantile_log_m(middle, n, p) < limit)
      high = middle;
    else
      low = middle + 1;
  }
  *least = low;
  high = n;
  while (low < high) {
    uint64_t middle = high - (high - low) / 2;
    if (middle <= centre || quantile_log_m(middle, n, p) < limit)
      low = middle;
    else
      high = middle - 1;
  }
  *greatest = low;
}

struct quantile_interval quantile_bounds(const struct sketch *sketch, double p, double alpha)
{
  struct quantile_interval at = {0, UINT64_MAX};
  uint64_t least, greatest, seen = 0, edge = 0;
  if (!sketch->count) return at;
  quantile_inside(sketch->count, p, alpha, &least, &greatest);
  bool inside = false;
  /* Edge 0 has nothing below it; each next edge has what its bucket holds more. */
  for (uint32_t i = 0;; i++) {
    if (seen >= least && seen <= greatest) {
      if (!inside) at.low_us = edge;
      at.high_us = edge;
      inside = true;
    } else if (seen < least) {
      at.low_us = edge;
    } else if (!inside) {
      at.high_us = edge;
      break;
    } else {
      break;
    }
    if (i == SKETCH_BUCKETS) break;
    seen += sketch->at[i];
    edge = sketch_edge(i);
  }
  return at;
}
