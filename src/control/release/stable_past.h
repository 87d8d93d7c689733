/* stable_past.h - the past of each version in charge, so that a release can begin with it: thirty
 * minutes of latencies, a sample of scores and one of requests.
 * Thread: control.
 * About 250 KiB a model that answers, STABLE_PASTS_MAX of them at most; one that has not answered
 * for half an hour gives way.
 * SPDX-License-Identifier: MIT */
#ifndef CONTROL_RELEASE_STABLE_PAST_H
#define CONTROL_RELEASE_STABLE_PAST_H

#include "judge/past.h"
#include "world/arm.h"

enum { STABLE_PASTS_MAX = 1024, STABLE_PASTS_MADE = 64, STABLE_PAST_SCORES = 1024 };
/* Requests kept: as many as there are until so many are there, then one a second, so that the ring
 * reaches back some quarter of an hour. */
enum { STABLE_PAST_ROWS = 1024, STABLE_PAST_ROWS_SOON = 512 };
#define STABLE_PAST_IDLE_US (INT64_C(1800) * 1000000)

struct stable_past {
  uint32_t version; /* whose */
  int64_t fed_us;
  struct past past;
  float scores[STABLE_PAST_SCORES]; /* the newest last, a ring */
  uint64_t n_scores;
  float rows[STABLE_PAST_ROWS][DRIFT_FEATURES]; /* the same */
  uint64_t n_rows;
};

struct stable_pasts {
  struct stable_past **of; /* by the model's slot */
  uint32_t cap, n;
  uint32_t made; /* since stable_pasts_pulse */
};

/* A pulse begins: STABLE_PASTS_MADE more may be made in it, so that a thousand models that begin to
 * answer at once do not hold it up. */
void stable_pasts_pulse(struct stable_pasts *pasts);
void stable_pasts_deinit(struct stable_pasts *pasts);
/* Of that version; NULL: nothing is known. */
const struct stable_past *stable_past_of(const struct stable_pasts *pasts, uint32_t model,
                                         uint32_t version);
/* Answers in the blocks that a step which began now would be judged by. */
uint64_t stable_past_requests(const struct stable_past *stable);
/* The version answered: arm is what it did since it was fed last; share: of PLAN_WHOLE. */
void stable_past_feed(struct stable_pasts *pasts, uint32_t model, uint32_t version,
                      const struct arm_tally *arm, uint32_t share, int64_t now_us);

/* Edges between the deciles of the scores, nine where none are equal; 0: too few scores, or all
 * alike. */
uint32_t stable_past_edges(const struct stable_past *stable, float edges[SHIFT_BINS - 1]);

/* Bins of the features that requests of this contract have, from at least DRIFT_ROWS_MIN of them;
 * else the baseline stays without. */
void stable_past_features(const struct stable_past *stable, const struct contract *contract,
                          struct baseline *baseline);

/* A tally's sketch without the timeouts that its last bucket holds. */
void sketch_of_answers(struct sketch *into, const struct sketch32 *from, uint64_t timeouts);

#endif
