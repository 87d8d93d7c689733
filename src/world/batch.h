/* batch.h - how requests of a version may share runs: what its slipway.yaml says under `batch`.
 * Thread: any; plain data. Zeroed: nothing was said.
 * SPDX-License-Identifier: MIT */
#ifndef WORLD_BATCH_H
#define WORLD_BATCH_H

#include <stdbool.h>
#include <stdint.h>

enum { BATCH_PREFERRED_MAX = 8, BATCH_ROWS_DEFAULT = 64, BATCH_ROWS_MAX = 1 << 20 };

struct batch_spec {
  /* Of one run, and of one request: more is refused. 0: not said; up to BATCH_ROWS_DEFAULT share,
   * and a request with more rows runs alone. */
  uint32_t rows_max;
  bool delay_fixed;      /* delay_us_max was a number; else it finds itself (infer/batch/delay.h) */
  uint32_t delay_us_max; /* how long a request waits for others, at most */
  uint32_t preferred[BATCH_PREFERRED_MAX], n_preferred; /* sizes that close a batch, ascending */
};

/* Where a version's lanes live; auto: on the loops when a run was measured to take less than
 * resident_below. */
enum runs_on { RUNS_ON_AUTO, RUNS_ON_LOOP, RUNS_ON_WORKER };

#endif
