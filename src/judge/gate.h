/* gate.h - one gate: a pure function from what was counted to what it says.
 * Thread: any, pure.
 * A gate is a row of gates.def and a file gate/NAME.c that defines `const struct gate gate_NAME`.
 * It is called for steps that its row judges, when the plan has it on and nothing fired before; it
 * fills state, lane, numbers and effect. What is said of every gate (no requests, stale tallies,
 * harm that stays, dry runs) is judge.c's.
 * SPDX-License-Identifier: MIT */
#ifndef JUDGE_GATE_H
#define JUDGE_GATE_H

#include "judge/judge.h"

struct gate {
  /* *result comes with gate, act and NaNs set, state INCONCLUSIVE. */
  void (*judge)(const struct trial *trial, struct gate_result *result);
};

#define GATE(name, ...) extern const struct gate gate_##name;
#include "judge/gates.def"
#undef GATE

/* alpha of both ordinary lanes together, and of each of them, for one treated arm. */
double gate_alpha(const struct trial *trial, enum gate_id gate);
double gate_margin(const struct trial *trial, enum gate_id gate); /* m, not 1 + m */
/* The arms that are judged against stable: for (uint32_t arm = 0; arm < trial->n_arms; arm =
 * gate_arm_next(arm)). */
static inline uint32_t gate_arm_next(uint32_t arm)
{
  return arm == PLAN_CANDIDATE ? PLAN_MORE : arm + 1;
}

/* What one row (of detectors and blocks) says, for errors and latency alike. */
struct row_says {
  bool harm, pass;
  enum judge_lane lane;
  double log_e, bar, pass_log_e, pass_bar;
};

#endif
