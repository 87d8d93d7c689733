/* slow.c - freezing thresholds, counting above them.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "stat/slow.h"

const double SLOW_Q[SLOW_ROWS] = {0.5, 0.9, 0.99, 0.999};
static const uint64_t requests_min[SLOW_ROWS] = {20, 100, 1000, 10000}; /* 10 / (1 - q) */

/* So much after the middle of the bucket below an edge, as an edge again. Its last value instead
 * would move every threshold above 13 ms by a whole bucket, however small the slack. */
static uint64_t edge_after(uint64_t edge, uint64_t slack_us)
{
  if (!slack_us || edge == 0 || edge == UINT64_MAX) return edge;
  uint32_t bucket = sketch_bucket(edge - 1);
  uint64_t low = bucket ? sketch_edge(bucket - 1) : 0;
  return sketch_edge(sketch_bucket(low + (edge - 1 - low) / 2 + slack_us));
}

void slow_freeze(struct slow *slow, const struct sketch *stable)
{
  slow_freeze_some(slow, stable, (1u << SLOW_ROWS) - 1, 0);
}

void slow_freeze_some(struct slow *slow, const struct sketch *stable, unsigned wanted,
                      uint64_t slack_us)
{
  *slow = (struct slow){0};
  for (int j = 0; j < SLOW_ROWS; j++) {
    if (!(wanted >> j & 1) || stable->count < requests_min[j]) continue;
    slow->us[j] = edge_after(sketch_quantile(stable, SLOW_Q[j]), slack_us);
    slow->used[j] = true;
    slow->rows++;
  }
}

void slow_count(const struct slow *slow, const struct sketch *seen, uint64_t x[SLOW_ROWS])
{
  for (int j = 0; j < SLOW_ROWS; j++) x[j] = slow->used[j] ? sketch_above(seen, slow->us[j]) : 0;
}
