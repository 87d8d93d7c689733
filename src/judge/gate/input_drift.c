/* input_drift.c - gate `input_drift`: do requests still look like those before the step?
 * Thread: any, pure.
 * Of all arms together, so it is nobody's fault: what was measured may not hold for what comes now,
 * and a person should look. Differences between the arms are the prediction gate's, which says that
 * the draw is broken; both spend half of this gate's alpha, split over the features. An A/B test
 * lives through every hour of its weeks, and is not held up by them.
 * Without a reference (a server that just started) the gate is idle.
 * Source: release-statistics 9, end; stat/drift.h.
 * SPDX-License-Identifier: MIT */
#include "judge/judge_int.h"

double inputs_bar(const struct trial *trial)
{
  uint32_t n = trial->baseline.n_features;
  return gate_bar(gate_alpha(trial, GATE_INPUT_DRIFT, 2, true) / (n ? n : 1));
}

bool inputs_worst(const struct trial *trial, uint32_t arm, double size, uint32_t *feature)
{
  bool found = false;
  for (uint32_t i = 0; i < trial->baseline.n_features; i++) {
    if (!(trial->inputs_psi[arm][i] >= size)) continue;
    if (found && !(trial->inputs_log_e[arm][i] > trial->inputs_log_e[arm][*feature])) continue;
    *feature = i;
    found = true;
  }
  return found;
}

static void judge(const struct trial *trial, struct gate_result *result)
{
  double max = gate_max(trial, GATE_INPUT_DRIFT);
  result->lane = LANE_BEFORE;
  result->whole = true;
  result->arm = gate_arm(trial, 0);
  if (!trial->baseline.n_features) {
    result->state = GATE_IDLE;
    return;
  }
  bool large = inputs_worst(trial, ARM_STABLE, max, &result->row);
  if (!large) (void)inputs_worst(trial, ARM_STABLE, -M_INF, &result->row);
  const struct drift_bins *bins = &trial->baseline.features[result->row].bins;
  for (uint32_t j = 0; j < drift_used(bins); j++) {
    for (uint32_t arm = 0; arm < trial->n_arms; arm++)
      result->n_c += trial->totals[arm].features[result->row][j];
    result->n_b += bins->rows[j];
  }
  result->log_e = trial->inputs_log_e[ARM_STABLE][result->row];
  result->bar = inputs_bar(trial);
  result->effect_kind = EFFECT_PSI;
  result->effect = trial->inputs_psi[ARM_STABLE][result->row];
  if (large && result->log_e >= result->bar) result->state = GATE_HARM;
}

const struct gate gate_input_drift = {.judge = judge};
