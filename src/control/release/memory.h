/* memory.h - what is remembered of each version in charge, so that a release can begin with it:
 * thirty minutes of latencies and a sample of scores.
 * Thread: control.
 * About 220 KiB a model that answers, MEMORIES_MAX of them at most; one that has not answered for
 * half an hour gives way.
 * SPDX-License-Identifier: MIT */
#ifndef CONTROL_RELEASE_MEMORY_H
#define CONTROL_RELEASE_MEMORY_H

#include "judge/past.h"
#include "world/arm.h"

enum { MEMORIES_MAX = 1024, MEMORIES_MADE = 64, MEMORY_SCORES = 1024 };
#define MEMORY_IDLE_US (INT64_C(1800) * 1000000)

struct memory {
  uint32_t version; /* whose */
  int64_t fed_us;
  struct past past;
  float scores[MEMORY_SCORES]; /* the newest last, a ring */
  uint64_t n_scores;
};

struct memories {
  struct memory **of; /* by the model's slot */
  uint32_t cap, n;
  uint32_t made; /* since memories_pulse */
};

/* A pulse begins: MEMORIES_MADE more may be made in it, so that a thousand models that begin to
 * answer at once do not hold it up. */
void memories_pulse(struct memories *memories);
void memories_deinit(struct memories *memories);
/* What it remembers of that version; NULL: nothing. */
const struct memory *memory_of(const struct memories *memories, uint32_t model, uint32_t version);
/* Answers in the blocks that a step which began now would be judged by. */
uint64_t memory_requests(const struct memory *memory);
/* The version answered: arm is what it did since it was fed last; share: of PLAN_WHOLE. */
void memory_feed(struct memories *memories, uint32_t model, uint32_t version,
                 const struct arm_tally *arm, uint32_t share, int64_t now_us);

/* Edges between the deciles of the scores, nine where none are equal; 0: too few scores, or all
 * alike. */
uint32_t memory_edges(const struct memory *memory, float edges[SHIFT_BINS - 1]);

/* A tally's sketch without the timeouts that its last bucket holds. */
void sketch_of_answers(struct sketch *into, const struct sketch32 *from, uint64_t timeouts);

#endif
