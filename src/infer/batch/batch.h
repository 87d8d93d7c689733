/* batch.h - several tasks of a lane as one run: when it closes, who is in it, and how each gets its
 * own answer.
 * Thread: the lane's owner, a worker or a loop.
 *
 * A batch closes at the first of
 *   - as many rows as one may have: the model's rows_max, what BATCH_BYTES_MAX holds, what is run
 *     before the earliest deadline, and of those the cheapest a row (infer/batch/pace.h);
 *   - the largest preferred size that those alike can fill;
 *   - the eldest has waited for the delay (infer/batch/delay.h), or nobody comes who could be
 *     waited for, or the earliest deadline is one run and BATCH_SPARE_US away.
 * A run is brief, BATCH_BRIEF_US or two of one row, where one may come who goes before those in it
 * and would wait for all of it: another tenant that had a turn in the last second, where little
 * waits of others now (turns_expect), or to class BATCH and SHADOW any of their betters. It is
 * judged by what runs usually take. Nor do rows of these classes make a run
 * of their betters longer than that.
 *
 * Who is in it is the queue's to say. A request with more rows than one batch may have runs alone,
 * as do those whose cost is measured.
 *
 * A batch of one is the task itself: nothing is copied. Of more, inputs are laid one behind the
 * other in memory of the lane, the engine runs a task that stands for all, and each gets its rows
 * of the outputs in its own scratch. If the engine does not want them together, they run one by
 * one, once: who is guilty then gets the error alone. If none is, the next batches are half as
 * large, down to one: so a model that takes no batch, or not so large a one, is found out. It may
 * have been one odd input: after GROW_AFTER good batches of the most rows they are twice as large
 * again, and each time that is refused it takes twice as many. Not so where an output's first
 * dimension is not the batch: that is the model's way.
 * The run is ended at the latest deadline of its members: until then somebody waits for it. Whose
 * own is earlier was answered by its loop. Of the end of a run the first member tells alone
 * (task->leads), so that it counts once against its version.
 * SPDX-License-Identifier: MIT */
#ifndef INFER_BATCH_BATCH_H
#define INFER_BATCH_BATCH_H

#include "infer/batch/delay.h"
#include "infer/batch/pace.h"
#include "infer/loaded.h"

enum {
  BATCH_TASKS_MAX = 512, /* in one batch */
  BATCH_BYTES_MAX = 64 << 20, /* inputs of a batch; its outputs as many */
  BATCH_KEPT_MAX = 4 << 20,   /* of each kept from batch to batch */
  BATCH_SPARE_US = 1000,
  BATCH_BRIEF_US = 1000,
  GROW_AFTER = 256,
  GROW_AFTER_MAX = 1 << 16,
};

struct lane;
struct joint;

struct batch { /* what a lane knows of its batches */
  const struct batch_spec *spec;
  uint32_t rows_max; /* 1: nothing is shared */
  uint32_t rows_full;        /* as large as it may grow again */
  uint32_t good, grow_after; /* batches of rows_max since it shrank; how many it takes */
  bool waits;        /* its owner can sleep until a moment: a worker */
  bool waiting;      /* those in the lane are kept for others */
  uint64_t wait_came;
  uint32_t closed; /* counts: now and then the larger size is tried again */
  struct pace pace;
  struct delay delay;
  struct joint *joint; /* NULL: no batch was run yet */
};

/* Where its model says no deadline, the objective of its delay comes with the tasks (lane_push). */
void batch_init(struct batch *batch, const struct loaded *loaded, bool waits, int64_t now_us);
void batch_deinit(struct batch *batch);

/* Takes the tasks of the next batch out of the lane's queue: up to BATCH_TASKS_MAX. Returns how
 * many; 0: nobody may run, or they wait for others until *until_us (INT64_MAX: nobody waits). Tasks
 * found dead are the queue's to give (queue_dead). */
uint32_t batch_close(struct lane *lane, int64_t now_us, struct task **members, int64_t *until_us);
/* Runs them: outputs, err, times, rows of the batch and shares of its cost are set in each. Then
 * they are the caller's to send home. *now_ns as in lane_run. */
void batch_run(struct lane *lane, struct task **members, uint32_t n, int64_t *now_ns);

#endif
