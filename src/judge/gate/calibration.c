/* calibration.c - gate `calibration`: do the candidate's scores come true as often as they say?
 * Thread: any, pure.
 * Not against stable but against the scores' own claim, bin by bin, within the gap that the plan
 * allows; alpha is split over the bins. Passes when the gap of each bin that has outcomes is proven
 * to be smaller.
 * Source: release-features 8; stat/calibration.h.
 * SPDX-License-Identifier: MIT */
#include "judge/judge_int.h"

/* How many came true: outcomes of a bin, to the nearest whole one. */
static uint64_t came_true(const struct mean_arm *bin)
{
  int64_t half = (int64_t)1 << (MEAN_PARTS_BITS - 1);
  return bin->y > 0 ? (uint64_t)(bin->y + half) >> MEAN_PARTS_BITS : 0;
}

static struct gate_result arm_judge(const struct trial *trial, uint32_t arm,
                                    struct gate_result result)
{
  const struct calibration *c = &trial->calibration[arm], *b = &trial->calibration[ARM_STABLE];
  double limit = gate_max(trial, GATE_CALIBRATION), pass = M_INF;
  result.arm = arm;
  result.lane = LANE_COUNT_ALL;
  if (!calibration_count(c)) {
    result.state = GATE_NO_DATA;
    result.reason = WITHOUT_OUTCOMES_IMMATURE;
    return result;
  }
  result.log_e = -M_INF;
  result.bar = gate_bar(gate_alpha(trial, GATE_CALIBRATION, 1, false) / CALIBRATION_BINS);
  result.pass_bar = gate_bar(TRIAL_PASS_ALPHA);
  for (uint32_t bin = 0; bin < CALIBRATION_BINS; bin++) {
    if (!c->at[bin].n) continue;
    double log_e = calibration_log_e(c, bin, limit);
    double proof = calibration_pass_log_e(c, bin, limit);
    if (proof < pass) pass = proof;
    if (!(log_e > result.log_e)) continue;
    result.log_e = log_e;
    result.row = bin;
  }
  result.pass_log_e = pass;
  result.effect_kind = EFFECT_GAP;
  result.effect = calibration_gap(&c->at[result.row]);
  result.n_c = c->at[result.row].n, result.n_b = b->at[result.row].n;
  result.x_c = came_true(&c->at[result.row]), result.x_b = came_true(&b->at[result.row]);
  if (result.log_e >= result.bar)
    result.state = GATE_HARM;
  else if (pass >= result.pass_bar)
    result.state = GATE_NON_INFERIOR;
  return result;
}

static void judge(const struct trial *trial, struct gate_result *result)
{
  gate_arms(trial, result, arm_judge);
}

const struct gate gate_calibration = {.judge = judge};
