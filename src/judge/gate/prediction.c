/* prediction.c - gate `prediction`: are the candidate's answers distributed like stable's, on the
 * same traffic?
 * Thread: any, pure.
 * A new version is meant to differ, so this asks for sureness (log_e) and for size (psi). The same
 * over inputs, feature by feature, must stay quiet: where it does not, requests are not drawn as
 * they should be, and that is said before anything about answers.
 * Source: release-statistics 9.
 * SPDX-License-Identifier: MIT */
#include "judge/judge_int.h"

static struct gate_result arm_judge(const struct trial *trial, uint32_t arm,
                                    struct gate_result result)
{
  double max = gate_max(trial, GATE_PREDICTION);
  uint32_t feature = 0;
  bool inputs = inputs_worst(trial, arm, max, &feature) &&
                trial->inputs_log_e[arm][feature] >= inputs_bar(trial);
  result.arm = arm;
  result.lane = inputs ? LANE_INPUTS : LANE_COUNT_ALL;
  result.row = inputs ? feature : 0;
  result.log_e = inputs ? trial->inputs_log_e[arm][feature] : trial->shift_log_e[arm];
  result.bar =
      inputs ? inputs_bar(trial) : gate_bar(gate_alpha(trial, GATE_PREDICTION, 1, true));
  result.effect_kind = EFFECT_PSI;
  result.effect = inputs ? trial->inputs_psi[arm][feature] : trial->shift_psi[arm];
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
