/* tally.h - what one loop counted since the last pulse. No atomics: a loop owns its tally until
 * control swaps it for an empty one, then control merges and keeps the sums.
 * Thread: its loop until swapped, then control. Merging is associative and commutative.
 * Source: the statistics extension of the inference protocol (Triton), for the meaning of counts.
 * SPDX-License-Identifier: MIT */
#ifndef WORLD_TALLY_H
#define WORLD_TALLY_H

#include "base/err.h"
#include "stat/hist.h"

struct span { /* a count and a time */
  uint64_t count, ns;
};

enum fail_reason { FAIL_REJECTED, FAIL_CANCELLED, FAIL_BACKEND, FAIL_OTHER, FAIL_REASONS };
/* The 15 smallest executed batch sizes seen, ascending, unused ones last; entry 15 sums up all
 * larger ones and says rows TALLY_BATCH_REST. So merging stays associative whatever sizes come. */
enum { TALLY_BATCH_SIZES = 16 };
#define TALLY_BATCH_REST UINT64_MAX

struct batch_tally {
  uint64_t rows; /* 0: unused */
  struct span input, infer, output;
};

struct version_tally {
  struct span success, fail, queue, input, infer, output, cache_hit, cache_miss;
  uint64_t rows, runs;     /* inference_count, execution_count */
  uint64_t lent, returned; /* tasks to lanes and home again: the difference waits or runs now */
  uint64_t failed[FAIL_REASONS];
  int64_t last_wall_ms; /* of the last inference; merged by maximum */
  struct batch_tally batches[TALLY_BATCH_SIZES];
  struct hist total_us, queue_us, infer_us; /* request, waiting for a lane, engine */
};

struct tally {
  uint32_t n_slots; /* of this tally's world or newer */
  uint64_t requests, connections, bytes_in, bytes_out, slow_turns;
  uint64_t by_status[6];        /* [1] 1xx ... [5] 5xx */
  uint64_t refused[CODE_COUNT]; /* answers by error code */
  struct version_tally slots[];
};

struct tally *tally_new(uint32_t n_slots); /* zeroed */
void tally_free(struct tally *tally);
void tally_reset(struct tally *tally);
/* into has at least as many slots as from. */
void tally_merge(struct tally *into, const struct tally *from);
/* The entry a batch of `rows` counts into; valid until the next call. */
struct batch_tally *version_tally_batch(struct version_tally *into, uint64_t rows);
void version_tally_merge(struct version_tally *into, const struct version_tally *from);

#endif
