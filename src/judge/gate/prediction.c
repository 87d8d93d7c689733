/* prediction.c - gate `prediction`: are the candidate's answers distributed like stable's, on the
 * same traffic?
 * Thread: any, pure.
 * A new version is meant to differ, so this asks for sureness (log_e) and for size (psi). The same
 * over inputs must stay quiet: where it does not, requests are not drawn as they should be.
 * Source: release-statistics 9.
 * SPDX-License-Identifier: MIT */
#include "judge/judge_int.h"

static struct gate_result arm_judge(const struct trial *trial, uint32_t arm,
                                    struct gate_result result)
{
  double max = gate_max(trial, GATE_PREDICTION);
  bool inputs =
      trial->inputs_log_e[arm] >= trial->shift_log_e[arm] && trial->inputs_psi[arm] >= max;
  result.arm = arm;
  result.lane = inputs ? LANE_INPUTS : LANE_COUNT_ALL;
  result.log_e = inputs ? trial->inputs_log_e[arm] : trial->shift_log_e[arm];
  result.bar = gate_bar(gate_alpha(trial, GATE_PREDICTION, 1, true));
  result.effect_kind = EFFECT_PSI;
  result.effect = inputs ? trial->inputs_psi[arm] : trial->shift_psi[arm];
  result.n_c = trial->totals[arm].requests;
  result.n_b = trial->totals[ARM_STABLE].requests;
  if (result.log_e >= result.bar && result.effect >= max) result.state = GATE_HARM;
  return result;
}

static void judge(const struct trial *trial, struct gate_result *result)
{
  gate_arms(trial, result, arm_judge);
}

const struct gate gate_prediction = {.judge = judge};
