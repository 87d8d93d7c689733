/* metric.c - gate `metric`: is the candidate's business metric worse than stable's by more than the
 * plan allows?
 * Thread: any, pure.
 * The harm side of an A/B test and the guard of a canary whose outcomes come back. The bound is
 * one-sided and holds at every look; the allowed loss is a part of stable's mean. With a covariate
 * means are those of y' (CUPED), which differ as y does and vary less.
 * Source: release-statistics 11.
 * SPDX-License-Identifier: MIT */
#include "judge/judge_int.h"

static struct mean_interval interval_of(const struct trial *trial, uint32_t arm, double alpha)
{
  struct mean_spec spec = metric_spec(trial, alpha);
  spec.one_sided = true;
  return mean_difference(&trial->metric[arm], &trial->metric[ARM_STABLE], &spec);
}

static struct gate_result arm_judge(const struct trial *trial, uint32_t arm,
                                    struct gate_result result)
{
  result.arm = arm;
  result.lane = LANE_COUNT_ALL;
  result.effect_kind = EFFECT_DIFF;
  result.n_c = trial->metric[arm].n, result.n_b = trial->metric[ARM_STABLE].n;
  if (!result.n_c || !result.n_b) {
    result.state = GATE_NO_DATA;
    result.reason = WITHOUT_OUTCOMES_IMMATURE;
    return result;
  }
  double alpha = gate_alpha(trial, GATE_METRIC, 1, false);
  struct mean_interval harm = interval_of(trial, arm, alpha);
  struct mean_interval pass = interval_of(trial, arm, TRIAL_PASS_ALPHA);
  double loss = gate_max(trial, GATE_METRIC) * (harm.mean_b < 0 ? -harm.mean_b : harm.mean_b);
  bool less = trial->plan.metric.less;
  result.effect = harm.diff;
  if (!harm.enough) return result;
  if (less ? harm.lower > loss : harm.upper < -loss)
    result.state = GATE_HARM;
  else if (less ? pass.upper < loss : pass.lower > -loss)
    result.state = GATE_NON_INFERIOR;
  return result;
}

static void judge(const struct trial *trial, struct gate_result *result)
{
  gate_arms(trial, result, arm_judge);
}

const struct gate gate_metric = {.judge = judge, .judge_arm = arm_judge};
