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
  /* Optional: where there are several candidates, what it says of each is told, not the worst
   * alone. */
  struct gate_result (*judge_arm)(const struct trial *trial, uint32_t arm,
                                  struct gate_result result);
};

#define GATE(name, ...) extern const struct gate gate_##name;
#include "judge/gates.def"
#undef GATE

/* The arms that are judged against stable, candidates that are not closed:
 * for (uint32_t arm = gate_arm(trial, 0); arm < trial->n_arms; arm = gate_arm(trial, arm + 1)). */
static inline uint32_t gate_arm(const struct trial *trial, uint32_t arm)
{
  while (arm < trial->n_arms && (arm == ARM_STABLE || trial->closed & ARM_BIT(arm))) arm++;
  return arm;
}

/* alpha of the gate for one treated arm; `lanes` that spend it equally, `anew` if they start anew
 * with each live step. */
double gate_alpha(const struct trial *trial, enum gate_id gate, uint32_t lanes, bool anew);
double gate_bar(double alpha);                                    /* ln(1/alpha) */
double gate_margin(const struct trial *trial, enum gate_id gate); /* m, not 1 + m */
double gate_max(const struct trial *trial, enum gate_id gate);
bool gate_has_lanes(const struct trial *trial, enum gate_id gate); /* not blocks alone */

/* Rows of one arm as one gate: their detectors averaged, blocks each for themselves. Rows are those
 * of `rows` (bits) that were ever used. */
struct row_says {
  bool harm, pass;
  enum judge_lane lane; /* that fired, or is nearest */
  uint32_t row;         /* the worst */
  double log_e, bar;
  double pass_log_e;   /* the weakest row's */
  double lower, upper; /* of that row's blocks when lane is BLOCKS, else of the worst row's */
  uint64_t first_bad, first_bad_ms; /* a look that counted, and when it began */
  uint32_t episodes;
  uint32_t used; /* J */
};
/* pass_rows: of these, those that must pass each. */
struct row_says rows_judge(const struct trial *trial, enum gate_id gate, uint32_t arm,
                           uint32_t rows, uint32_t pass_rows);
/* The candidate's and stable's counts of that row since a look (counted), when the trial still has
 * them: what a late harm looks like, undiluted by the health before it. */
bool counts_since(const struct trial *trial, uint32_t row, uint64_t look,
                  struct gate_result *result);
/* Judges each treated arm; *result is the worst's: harm first, then missing data, then what does
 * not pass, then log_e against its bar. */
void gate_arms(const struct trial *trial, struct gate_result *result,
               struct gate_result (*judge)(const struct trial *trial, uint32_t arm,
                                           struct gate_result result));

#endif
