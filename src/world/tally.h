/* tally.h - what one loop counted since the last pulse. No atomics: a loop owns its tally until
 * control swaps it for an empty one, then control merges and keeps the sums.
 * Thread: its loop until swapped, then control. Merging is associative and commutative.
 * Source: the statistics extension of the inference protocol (Triton), for the meaning of counts.
 * SPDX-License-Identifier: MIT */
#ifndef WORLD_TALLY_H
#define WORLD_TALLY_H

#include "base/err.h"
#include "stat/hist.h"
#include "world/arm.h"
#include "world/outcome.h"

struct span { /* a count and a time */
  uint64_t count, ns;
};

enum fail_reason { FAIL_REJECTED, FAIL_CANCELLED, FAIL_BACKEND, FAIL_OTHER, FAIL_REASONS };
/* Requests that were turned away, and deadlines that passed, by where. */
enum shed_reason { SHED_OVERLOADED, SHED_UNREACHABLE, SHED_CAPACITY, SHEDS };
enum missed_stage { MISSED_SUBMIT, MISSED_QUEUE, MISSED_RUN, MISSED_STAGES };
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
  uint64_t rows, runs;     /* inference_count, execution_count: a batch is one */
  uint32_t delay_us;       /* how long its lanes wait for company, by the last answer */
  uint64_t lent, returned; /* tasks to lanes and home again: the difference waits or runs now */
  uint64_t failed[FAIL_REASONS];
  uint64_t shed[SHEDS], missed[MISSED_STAGES];
  int64_t limit; /* by how much the limits that loops found have moved: a total is what they are */
  uint64_t stopped; /* runs that had to be ended, by their own doing */
  uint64_t outgrew; /* of a single row, that the memory of a call did not hold */
  /* What a breaker is moved by (control/guard/breaker.h): runs that answered, and that failed by
   * the version's doing; the same of those that were sent to try it. */
  uint64_t good, bad, probes_good, probes_bad;
  int64_t last_wall_ms; /* of the last inference; merged by maximum */
  struct batch_tally batches[TALLY_BATCH_SIZES];
  struct hist total_us, queue_us, infer_us; /* request, waiting for a lane, engine */
};

enum { FAR_SAID_MAX = 32 };

/* The cache's second level (serve/far). */
struct far_tally {
  uint64_t hits, misses;   /* GETs whose value was used; that found nothing, or nothing any more */
  uint64_t forged;         /* values that nobody with the secret made, or not for this name */
  uint64_t errors;         /* GETs that ended with their line: an error, or no answer in time */
  uint64_t bypassed;       /* look-ups not made: the line rests or is full, a deadline was near */
  uint64_t fills, fills_left, fills_failed; /* sent; not sent; refused */
  uint64_t failures;       /* of the line: it rests after each */
  int64_t lines;           /* opened less ended: a total is how many are open */
  /* Of the last failure of all; 0, NULL: there was none. why: a literal. */
  int64_t failed_us;
  const char *why;
  char said[FAR_SAID_MAX]; /* the first word of Redis' own: WRONGPASS; may be empty */
};

enum { TALLY_TURN_US = 20000, TALLY_TURNS_OVER = 3 };

struct tally {
  uint32_t n_slots;    /* of this tally's world or newer */
  uint32_t n_releases; /* the same for releases */
  uint64_t requests, connections, bytes_in, bytes_out, slow_turns;
  uint64_t turns, turns_over[TALLY_TURNS_OVER]; /* of the loop; over TALLY_TURN_US, twice, ... */
  uint64_t by_status[6];        /* [1] 1xx ... [5] 5xx */
  uint64_t refused[CODE_COUNT]; /* answers by error code */
  struct far_tally far;
  uint64_t forgotten; /* successes of versions whose slots went back: in a total, in no slot */
  /* What judging needs, of this pulse alone. arms[slot]: NULL until tally_arm takes one of `pool`;
   * control sends as many as the last pulses used and some more, and never fewer than two for each
   * release. A total has no pool and no releases: sums of these are the releases' own. */
  struct arm_tally **arms, *pool;
  uint32_t pool_cap, pool_used;
  uint64_t arms_missed;           /* answers not counted in an arm for lack of pool */
  struct release_tally *releases; /* n_releases of them */
  struct release_local *locals;  /* the same; the loop's own, control leaves them alone */
  /* Answers that are to be held against their outcomes: control moves them to the scribe. */
  struct prediction *predictions;
  uint32_t predictions_cap, n_predictions;
  uint64_t predictions_missed; /* for lack of room */
  struct input_sample *inputs; /* of some of them: INPUTS_KEPT where there is room for any */
  uint32_t n_inputs;
  uint64_t *marks; /* a bit for each slot that was counted into: of ten thousand, few are */
  struct version_tally slots[]; /* written through tally_slot */
};

/* Room in a tally for `arms` versions that answer and `releases` releases. */
struct tally *tally_new(uint32_t n_slots, uint32_t arms, uint32_t releases); /* zeroed */
/* Room for n predictions more than none; at most once. */
void tally_predictions(struct tally *tally, uint32_t n);
void tally_free(struct tally *tally);
/* As new, without room for predictions. Costs what was counted, not what there is room for. */
void tally_reset(struct tally *tally);
/* The slot, to count into. */
struct version_tally *tally_slot(struct tally *tally, uint32_t slot);
/* Adds all but arms, releases and predictions. into has at least as many slots as from. */
void tally_merge(struct tally *into, const struct tally *from);
/* The arm of a slot, zeroed at its first use in this pulse; NULL: the pool is used up (counted). */
struct arm_tally *tally_arm(struct tally *tally, uint32_t slot);
/* The entry a batch of `rows` counts into; valid until the next call. */
struct batch_tally *version_tally_batch(struct version_tally *into, uint64_t rows);
void far_tally_merge(struct far_tally *into, const struct far_tally *from);
void version_tally_merge(struct version_tally *into, const struct version_tally *from);

#endif
