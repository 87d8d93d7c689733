/* errors.c - gate `errors`: does the candidate fail more often than stable does just now?
 * Thread: any, pure.
 * Harm by any lane of its row, or when a node's kill rule or its circuit breaker acted. Passes by
 * its row, or, since a model without failures shows no ratio, when its own rate is proven to be
 * below the plan's floor.
 * Source: release-statistics 4, 5, 6; the floor is ours.
 * SPDX-License-Identifier: MIT */
#include "judge/judge_int.h"

/* ln of the e-value against "the candidate fails at least as often as the floor", tempered as the
 * row is: failures of one stall come together. */
static double floor_log_e(const struct trial *trial, uint32_t arm)
{
  double floor = (double)trial->plan.gates[GATE_ERRORS].floor_e8 / PLAN_WHOLE;
  const struct look_arm *c = &trial->totals[arm];
  if (!agree_limit_is_fit(floor)) return M_NAN;
  struct agree counts = {{0}};
  counts.at[0] = c->requests - c->errors;
  counts.at[AGREE_PARTS] = c->errors;
  return agree_log_e(&counts, floor, COUNT_PASS) / trial->limits[arm][BASELINE_ERRORS].phi;
}

static struct gate_result arm_judge(const struct trial *trial, uint32_t arm,
                                    struct gate_result result)
{
  const struct look_arm *c = &trial->totals[arm], *b = &trial->totals[ARM_STABLE];
  struct row_says says =
      rows_judge(trial, GATE_ERRORS, arm, 1u << BASELINE_ERRORS, 1u << BASELINE_ERRORS);
  double bar = gate_bar(TRIAL_PASS_ALPHA), floor = floor_log_e(trial, arm);
  bool below = floor >= bar;
  result.arm = arm;
  result.lane = says.lane;
  result.log_e = says.log_e;
  result.bar = says.bar;
  result.pass_log_e = below || floor > says.pass_log_e ? floor : says.pass_log_e;
  result.pass_bar = bar;
  result.block_lower = says.lower;
  result.block_upper = says.upper;
  result.first_bad_look = says.first_bad;
  result.first_bad_ms = says.first_bad_ms;
  result.episodes = says.episodes;
  result.effect_kind = EFFECT_RATIO;
  result.effect = count_ratio(c->errors, c->requests, b->errors, b->requests);
  result.x_c = c->errors, result.n_c = c->requests;
  result.x_b = b->errors, result.n_b = b->requests;
  if (says.harm && arm == ARM_CANDIDATE && says.lane != LANE_BLOCKS)
    counts_since(trial, BASELINE_ERRORS, says.first_bad, &result);
  if (trial->killed & ARM_BIT(arm))
    result.state = GATE_HARM, result.lane = LANE_KILLED;
  else if (says.harm)
    result.state = GATE_HARM;
  else if (says.pass)
    result.state = GATE_NON_INFERIOR;
  else if (below)
    result.state = GATE_NON_INFERIOR, result.lane = LANE_FLOOR;
  return result;
}

static void judge(const struct trial *trial, struct gate_result *result)
{
  gate_arms(trial, result, arm_judge);
}

const struct gate gate_errors = {.judge = judge};
