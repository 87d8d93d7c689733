/* segments.c - gate `segments`: is it bad for some of the callers, though not for all?
 * Thread: any, pure.
 * Each segment has one e-value a candidate (errors and slow answers, averaged); e-BH says which are
 * found. A gate that pauses takes the usual rate of false discoveries, one that rolls back its
 * alpha; either is split over the candidates, so that all together stay within it.
 * Source: release-statistics 12.
 * SPDX-License-Identifier: MIT */
#include "judge/judge_int.h"
#include "stat/fdr.h"

static struct gate_result arm_judge(const struct trial *trial, uint32_t arm,
                                    struct gate_result result)
{
  const struct gate_spec *spec = &trial->plan.gates[GATE_SEGMENTS];
  double log_e[PLAN_SEGMENTS_MAX];
  uint32_t n = trial->n_segments;
  for (uint32_t i = 0; i < n; i++) log_e[i] = trial->segments[i].log_e[arm];
  double rate = spec->on_harm == ACT_ROLLBACK ? (double)spec->alpha_e9 / PLAN_BILLION : FDR_RATE;
  rate /= trial_treated(trial);
  uint32_t worst = n ? fdr_worst(log_e, n) : 0;
  result.arm = arm;
  result.lane = LANE_COUNT_ALL;
  if (worst >= n) return result;
  const struct trial_segment *segment = &trial->segments[worst];
  const struct detector_pass *rows = segment->rows[arm];
  bool slow = detector_pass_log_e(&rows[SEGMENT_SLOW]) > detector_pass_log_e(&rows[SEGMENT_ERRORS]);
  const uint64_t *events = slow ? segment->slow : segment->errors;
  result.row = worst;
  result.log_e = log_e[worst];
  result.bar = gate_bar(rate / n); /* of the first discovery; more of them lower it */
  result.effect_kind = EFFECT_RATIO;
  result.x_c = events[arm], result.n_c = segment->requests[arm];
  result.x_b = events[ARM_STABLE], result.n_b = segment->requests[ARM_STABLE];
  result.effect = count_ratio(result.x_c, result.n_c, result.x_b, result.n_b);
  result.bits = fdr_found(log_e, n, rate);
  if (result.bits) result.state = GATE_HARM;
  return result;
}

static void judge(const struct trial *trial, struct gate_result *result)
{
  gate_arms(trial, result, arm_judge);
}

const struct gate gate_segments = {.judge = judge};
