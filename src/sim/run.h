/* run.h - releases on simulated traffic: the judge and the step table that the daemon runs, fed
 * second by second, and what became of each.
 * Thread: own.
 *
 * A run is half an hour of stable's history, then one release of the plan: baseline, looks,
 * verdicts, rollout_step, weights, until it is final, completed, or its seconds are over. Approvals
 * are given at once and pauses are not lifted: judging goes on in them. The rivals see the same
 * traffic, and go on when ours has ended; the candidate keeps its first share for them.
 * Runs differ by number alone and share nothing, so results depend on the seed and not on how many
 * threads there were.
 * SPDX-License-Identifier: MIT */
#ifndef SIM_RUN_H
#define SIM_RUN_H

#include "judge/step.h"
#include "sim/crew.h"
#include "sim/rival.h"
#include "sim/tape.h"

enum { RUN_NEVER = UINT32_MAX, RUN_SECONDS_MAX = 90 * 86400 };

struct sim_case {
  struct scenario scenario;
  double p0, rps;
  struct plan plan;
  uint32_t seconds; /* at most; the release may end sooner */
  uint32_t runs;
  uint64_t seed;
  bool rivals;
  const struct tape *tape; /* recorded traffic; NULL: made up */
};

struct sim_result {
  enum rollout_state state; /* at the end */
  uint32_t end_s;           /* seconds into the release */
  uint32_t harm_s;          /* when it was rolled back; RUN_NEVER */
  enum gate_id gate;        /* of harm */
  enum judge_lane lane;
  uint32_t paused;       /* bit per gate that asked for a pause */
  uint32_t winner;       /* the first arm that was named one at any look; ARM_NONE */
  uint32_t closed;       /* bit per arm that harm has closed */
  uint64_t harmed;       /* candidate answers from the change on */
  uint64_t last_look;    /* candidate answers of the look that ended it */
  double spent;          /* harm budget */
  uint32_t said[RIVALS]; /* seconds into the release; RIVAL_NEVER */
};

/* One step of 5 % (or another share) for so long, all gates on: what the bars are measured with. */
void sim_case_init(struct sim_case *of, struct slice scenario, double rps, double share,
                   uint32_t seconds, uint32_t runs, uint64_t seed);
/* E_INVALID_ARGUMENT for what cannot be simulated: a plan without steps, more than two arms on a
 * recording of two. */
CHECKED enum code sim_case_check(const struct sim_case *of, struct err *err);

/* Results of runs 0 .. of->runs - 1. */
void sim_case_run(const struct sim_case *of, const struct crew *crew, struct sim_result *results);

struct sim_summary {
  uint32_t runs, early, caught, completed, paused; /* early: rolled back before any change */
  uint32_t won[ARMS_MAX];                          /* runs in which that arm was named the winner */
  uint32_t closed[ARMS_MAX];                       /* in which that arm was closed */
  uint32_t by[GATE_COUNT][LANES];                  /* rollbacks by what fired first */
  uint32_t paused_by[GATE_COUNT];
  double delay_s[3]; /* p50 p90 p99 from the change on, over all runs; infinite: never */
  double harmed[3];
  double rival_early[RIVALS]; /* share of runs in which it said no without reason */
  double rival_caught[RIVALS];
  double rival_delay_s[RIVALS][3];
};
void sim_summarize(const struct sim_case *of, const struct sim_result *results,
                   struct sim_summary *summary);
/* The value that a part p of n values does not exceed (nearest rank); reorders. */
double percentile(double *values, size_t n, double p);

#endif
