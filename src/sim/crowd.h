/* crowd.h - the requests of one run: stable's half hour before it, then second after second.
 * Thread: own; one per crowd.
 *
 * A look needs few numbers, so few are drawn: per arm errors, and successes between neighbouring
 * thresholds. Where exactly between them latencies lay is drawn later, given those counts, when
 * somebody wants a sketch (history, the rivals' minute): the same distribution, a thousandth of the
 * work. Time is the caller's: one crowd_second is one second.
 * SPDX-License-Identifier: MIT */
#ifndef SIM_CROWD_H
#define SIM_CROWD_H

#include "judge/look.h"
#include "judge/past.h"
#include "sim/draw.h"
#include "sim/model.h"

/* CROWD_ARMS: of a recording, and of who is compared by the rivals' rules. */
enum { CROWD_CLASSES = SLOW_ROWS + 1, CROWD_ARMS = 2, CROWD_HISTORY_S = 1800 };

struct crowd_arm {
  uint32_t burst_left; /* seconds */
  uint32_t unbinned_s;
  uint64_t answers; /* not yet by decile */
  /* Successes counted and not yet drawn in full. */
  uint64_t pending[WHOS][MOODS][CROWD_CLASSES];
};

/* What happens by chance, each thing of each arm with a generator of its own: what draws more, less
 * or not at all moves nothing else, and an arm meets the same whatever number it has. */
enum crowd_chance {
  CHANCE_PAST, /* stable's half hour */
  CHANCE_MOOD,
  CHANCE_ERRORS,
  CHANCE_COUNTS,
  CHANCE_LATENCIES,
  CHANCE_ANSWERS,
  CHANCE_INPUTS,
  CHANCE_CPU,
  CHANCE_MEMORY,
  CHANCE_OUTCOMES,
  CHANCE_PAIRS,
  CHANCE_TAPE,
  CHANCES,
};

struct tape;

struct crowd {
  const struct model *model;
  const struct tape *tape; /* not NULL: recorded requests instead of drawn ones (tape.h) */
  uint32_t lag;
  struct rand rand[ARMS_MAX][CHANCES];
  double rps;
  int64_t second; /* of the release; history is below 0 */
  struct slow slow;
  uint32_t cut[CROWD_CLASSES + 1]; /* class k is buckets cut[k] .. cut[k + 1] - 1 */
  uint32_t n_arms;                 /* 2 unless said otherwise: further ones are as stable is */
  struct crowd_arm arms[ARMS_MAX];
  uint64_t rows; /* requests of each arm, sampled since the last tenth look */
  double chance[DRIFT_FEATURES][DRIFT_BINS]; /* of the step's bins */
  struct sketch taped[CROWD_ARMS]; /* latencies from the tape since the last drain */
};

/* rps of both arms together, at most 1e6. */
void crowd_init(struct crowd *crowd, const struct model *model, double rps, uint64_t seed,
                uint64_t run);
void crowd_play(struct crowd *crowd, const struct tape *tape); /* before the history */
/* Stable alone for CROWD_HISTORY_S seconds, with bursts as the scenario has them. */
void crowd_history(struct crowd *crowd, struct past *past);
/* Thresholds of the step that begins. What is pending is forgotten: drain it before. */
void crowd_cut(struct crowd *crowd, const struct slow *slow);

struct crowd_seen {
  uint64_t requests, errors, timed, slow[SLOW_ROWS];
};
/* One second with these parts (0..1) of the requests at each of n_arms; in a shadow step both may
 * be
 * 1. */
void crowd_second(struct crowd *crowd, const double *part, struct crowd_seen *seen);
/* Adds the latencies of successes since the last drain to the sketch. */
void crowd_drain(struct crowd *crowd, uint32_t arm, struct sketch *into);
/* What a look says beside errors and latency, where both arms are alike: answers by decile (those
 * of ten seconds at once, since sums are all that is judged), units, CPU time, memory. */
void crowd_fill(struct crowd *crowd, uint32_t arm, const struct crowd_seen *seen,
                struct look_arm *into);
/* What requests looked like before a step; and then, of all arms, which differ in nothing: the
 * look's weights and requests are there. */
void crowd_reference(struct crowd *crowd, struct baseline *baseline);
void crowd_inputs(struct crowd *crowd, struct look *look);
/* Their outcomes, at once: one or none of each unit, by a chance of its own. */
void crowd_outcomes(struct crowd *crowd, uint32_t arm, struct look_arm *into);

#endif
