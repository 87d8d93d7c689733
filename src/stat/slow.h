/* slow.h - what counts as slow: thresholds frozen from stable's own past before a step begins.
 * Thread: any, pure.
 *
 * Row j is quantile SLOW_Q[j] of stable's latency over the last 30 minutes; its threshold is the
 * upper edge of the bucket that holds it, and slow means at or above. With slack it is the upper
 * edge of the bucket that holds the middle of that bucket and so much more: microseconds that
 * nobody feels are no harm, and a version with little traffic runs on colder caches. A row is used
 * only if stable had at least 10 / (1 - q) requests. Equal thresholds are kept. No row used: the
 * latency gate has no data. Rows are always judged in this order, p50 first.
 * A row may judge harm; p99.9 may not let a candidate pass (SLOW_PASS_ROWS).
 * What the sketch does not hold is the caller's to add: a timeout is slow in every row, other
 * failures are left out.
 * SPDX-License-Identifier: MIT */
#ifndef STAT_SLOW_H
#define STAT_SLOW_H

#include "stat/sketch.h"

enum { SLOW_ROWS = 4, SLOW_PASS_ROWS = 3, SLOW_P99 = 2 };
enum { SLOW_EVENTS = 10 };             /* beyond a threshold, that stable must have had */
extern const double SLOW_Q[SLOW_ROWS]; /* 0.5 0.9 0.99 0.999 */

struct slow {
  uint64_t us[SLOW_ROWS]; /* an edge; 0 where the row is not used */
  bool used[SLOW_ROWS];
  uint32_t rows; /* how many are used: J */
};

void slow_freeze(struct slow *slow, const struct sketch *stable);
/* For a plan that names quantiles: only those of `wanted` (bit j is row j) are used. */
void slow_freeze_some(struct slow *slow, const struct sketch *stable, unsigned wanted,
                      uint64_t slack_us);
/* Slow requests per row; 0 where the row is not used. */
void slow_count(const struct slow *slow, const struct sketch *seen, uint64_t x[SLOW_ROWS]);

#endif
