/* sample_ratio.c - gate `sample_ratio`: did each arm get the units that its weight says?
 * Thread: any, pure.
 * Source: release-statistics 7.
 * SPDX-License-Identifier: MIT */
#include "judge/judge_int.h"
#include "stat/ratio.h"

static void judge(const struct trial *trial, struct gate_result *result)
{
  double p[ARMS_MAX], weights = 0;
  uint64_t units[ARMS_MAX], sum = 0;
  uint32_t n = 0, arms[ARMS_MAX];
  bool idle = false;
  for (uint32_t arm = 0; arm < trial->n_arms; arm++) weights += trial->last_weights[arm];
  for (uint32_t arm = 0; arm < trial->n_arms; arm++) {
    if (!trial->last_weights[arm]) continue;
    units[n] = trial->ratio_units[arm];
    if (!units[n]) idle = true;
    sum += units[n];
    arms[n] = arm;
    p[n++] = trial->last_weights[arm] / weights;
  }
  result->lane = LANE_COUNT_ALL;
  /* Counts start anew each time an arm is closed, at most once for each candidate: that is what its
   * alpha is split over. */
  result->bar = gate_bar(gate_alpha(trial, GATE_SAMPLE_RATIO, 1, true));
  result->effect_kind = EFFECT_SHARE;
  result->whole = true;
  result->arm = gate_arm(trial, 0);
  result->x_c = trial->ratio_units[result->arm];
  result->n_c = sum;
  result->log_e = 0;
  if (n < 2 || idle) return; /* an arm that gets nothing at all has no data */
  double worst = -1;
  for (uint32_t i = 0; i < n; i++) {
    double apart = ratio_drift(units[i], sum, p[i]);
    if (arms[i] == ARM_STABLE || !(apart > worst)) continue;
    worst = apart;
    result->arm = arms[i];
  }
  result->x_c = trial->ratio_units[result->arm];
  double drift = ratio_arms_drift(units, p, n);
  double floor = (double)trial->plan.gates[GATE_SAMPLE_RATIO].floor_e8 / PLAN_WHOLE;
  result->effect = (double)result->x_c / (double)sum;
  result->log_e =
      n == 2 ? ratio_log_e(units[0], sum, p[0], RATIO_K) : ratio_arms_log_e(units, p, n, RATIO_K);
  for (uint32_t i = 0; i < n; i++)
    if (ratio_drift(units[i], sum, p[i]) >= floor) result->bits |= ARM_BIT(arms[i]);
  if (result->log_e >= result->bar && drift >= floor) result->state = GATE_HARM;
}

const struct gate gate_sample_ratio = {.judge = judge};
