/* pace.h - how long runs of a lane take, by their size.
 * Thread: the lane's owner, a worker or a loop.
 * Sizes are kept apart by powers of two: 1, 2, 3-4, 5-8... Of each the last PACE_KEPT runs are
 * remembered; what counts is the second longest of them, the 95th percentile. A size that never ran
 * is judged by the next smaller one, row by row: too slow rather than too fast.
 * What a row costs on average is kept beside it, since larger is not always cheaper: past some size
 * what lies between layers no longer fits a core's cache.
 * SPDX-License-Identifier: MIT */
#ifndef INFER_BATCH_PACE_H
#define INFER_BATCH_PACE_H

#include <stdint.h>

enum { PACE_SIZES = 12, PACE_KEPT = 20 };

struct pace { /* zeroed: nothing is known */
  uint32_t us[PACE_SIZES][PACE_KEPT];
  uint32_t high_us[PACE_SIZES];
  uint8_t n[PACE_SIZES], at[PACE_SIZES];
  float row_us[PACE_SIZES]; /* of a row, of the last runs; of those that nothing came between */
};

void pace_add(struct pace *pace, uint32_t rows, int64_t run_ns);
/* The 95th percentile of a run of `rows`; 0: nothing ever ran. */
int64_t pace_us(const struct pace *pace, uint32_t rows);
/* The most rows, up to rows_max, that are run within so long; at least 1. While nothing is known
 * it is 1. */
uint32_t pace_rows(const struct pace *pace, uint32_t rows_max, int64_t within_us);
/* The same by what runs usually take: for a bound that a run may pass now and then. By the 95th
 * percentile few rows would fit, where a loop on the same core comes between. */
uint32_t pace_rows_usual(const struct pace *pace, uint32_t rows_max, int64_t within_us);
/* What a run of `rows` usually takes, if a row is no dearer in it than in smaller ones: else a size
 * that was slow once would never be tried again. 0: nothing ever ran. */
int64_t pace_usual_us(const struct pace *pace, uint32_t rows);
/* How many of so many rows that wait to run at once: all of them, or a power of two whose rows cost
 * at least a twentieth less, if one was ever run. And of what takes a millisecond no more than
 * makes a row cheaper by a twentieth: each would wait longer for its answer, and for nothing. */
uint32_t pace_cheapest(const struct pace *pace, uint32_t rows);
/* As many as pace_cheapest, to see again whether more are cheaper by now: twice as many where those
 * take a millisecond, else all. */
uint32_t pace_again(const struct pace *pace, uint32_t rows);

#endif
