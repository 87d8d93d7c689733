/* slow.c - freezing thresholds, counting above them.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "stat/slow.h"

const double SLOW_Q[SLOW_ROWS] = {0.5, 0.9, 0.99, 0.999};
static const uint64_t requests_min[SLOW_ROWS] = {20, 100, 1000, 10000}; /* 10 / (1 - q) */

void slow_freeze(struct slow *slow, const struct sketch *stable)
{
  slow_freeze_some(slow, stable, (1u << SLOW_ROWS) - 1);
}

void slow_freeze_some(struct slow *slow, const struct sketch *stable, unsigned wanted)
{
  *slow = (struct slow){0};
  for (int j = 0; j < SLOW_ROWS; j++) {
    if (!(wanted >> j & 1) || stable->count < requests_min[j]) continue;
    slow->us[j] = sketch_quantile(stable, SLOW_Q[j]);
    slow->used[j] = true;
    slow->rows++;
  }
}

void slow_count(const struct slow *slow, const struct sketch *seen, uint64_t x[SLOW_ROWS])
{
  for (int j = 0; j < SLOW_ROWS; j++) x[j] = slow->used[j] ? sketch_above(seen, slow->us[j]) : 0;
}
