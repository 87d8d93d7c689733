/* past.h - stable's memory before a step: thirty minutes in blocks of ten seconds.
 * Thread: its owner's (control: one per model that may be released); pure.
 *
 * Kept: a ring of 180 blocks, each a sketch of success latencies in at most PAST_BLOCK_BYTES
 * bytes, with its requests, errors and timeouts. sizeof (struct past) is about 200 KiB, whatever
 * the traffic; a block that does not fit (thousands of distinct latencies) is kept coarser by
 * halves, each value at an edge above it, never below.
 * What comes of it, before a step, is a baseline: plain numbers, frozen and journalled with the
 * step. A verdict needs the baseline and the looks, never the past itself.
 * Errors: none; a block that was never closed counts for nothing.
 * Source: release-statistics 3 and 5.
 * SPDX-License-Identifier: MIT */
#ifndef JUDGE_PAST_H
#define JUDGE_PAST_H

#include "judge/plan.h"
#include "stat/dispersion.h"
#include "stat/drift.h"
#include "stat/slow.h"

enum {
  PAST_BLOCKS = DISPERSION_BLOCKS,
  PAST_BLOCK_MS = 10000,
  PAST_BLOCK_BYTES = 1000,
  PAST_RECENT = 60, /* blocks of the last ten minutes */
  BASELINE_ERRORS = SLOW_ROWS,
  BASELINE_ROWS = SLOW_ROWS + 1, /* p50 p90 p99 p99.9 errors */
};

struct past_block {
  uint64_t requests, errors, timeouts;
  uint32_t share; /* of PLAN_WHOLE: the part of the traffic stable had */
  uint16_t len;
  uint8_t coarse; /* buckets were joined in groups of 2^coarse */
  unsigned char sketch[PAST_BLOCK_BYTES];
};

/* Zeroed is empty. */
struct past {
  uint64_t closed; /* blocks ever; the newest is at (closed - 1) % PAST_BLOCKS */
  struct past_block ring[PAST_BLOCKS];
  /* the open block */
  uint64_t open_ms, requests, errors, timeouts, share_ms;
  struct sketch sketch;
};

/* What stable did since the last call: a sketch of successes (NULL: none), counts, its share of the
 * traffic. Closes blocks; a gap of several blocks closes empty ones. */
void past_add(struct past *past, const struct sketch *seen, uint64_t requests, uint64_t errors,
              uint64_t timeouts, uint32_t share, uint64_t elapsed_ms);

struct baseline_recent {
  uint64_t requests, bad; /* bad: failed, or slow at the p99 threshold */
};

/* A number of requests, and how it was distributed before the step. */
struct baseline_feature {
  char name[24]; /* visible ASCII: "x[2]" */
  struct drift_bins bins;
};

/* Frozen with a step: thresholds, dispersion, stable's last ten minutes for the harm budget, and
 * what requests looked like. */
struct baseline {
  struct slow slow;
  uint32_t blocks;                          /* closed blocks behind it, up to PAST_BLOCKS */
  uint64_t requests;                        /* in them */
  double phi[ARMS_MAX][BASELINE_ROWS]; /* at least 1; DISPERSION_UNKNOWN below 180 blocks */
  uint32_t n_recent;
  struct baseline_recent recent[PAST_RECENT]; /* oldest first */
  uint32_t n_features;                        /* 0: no reference, so nothing is said of inputs */
  struct baseline_feature features[DRIFT_FEATURES];
};

/* Zeroed but for phi: no history. The latency gate has no data, phi is DISPERSION_UNKNOWN. */
void baseline_init(struct baseline *baseline);
/* For the step of that plan about to begin: quantiles wanted, shares of its arms. */
void past_baseline(const struct past *past, const struct plan *plan, uint32_t step,
                   struct baseline *baseline);
/* Journal form, hostile-input-safe; doubles travel as their 64 bits. A baseline of before there
 * were features ends where they begin. */
void baseline_write(const struct baseline *baseline, struct varint_out *out);
CHECKED enum code baseline_read(struct baseline *baseline, struct slice *bytes, struct err *err);
enum { BASELINE_BYTES_MAX = 4096 };

#endif
