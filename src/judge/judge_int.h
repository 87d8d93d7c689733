/* judge_int.h - between the parts of the judge: counting, gates, verdict.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#ifndef JUDGE_JUDGE_INT_H
#define JUDGE_JUDGE_INT_H

#include "judge/gate.h"

/* Adds a look that counts to everything but the results. */
void trial_count(struct trial *trial, const struct look *look);
/* Stable's last ten minutes go on whether the look counts or not. */
void trial_recent(struct trial *trial, const struct look *look);
/* Bad answers of an arm in a look: failures, or slow at p99 where that row is used. */
uint64_t arm_bad(const struct trial *trial, const struct look_arm *arm);
/* This part of the candidate's answers was above the row's threshold: so few, where the plan gives
 * slack, that its quantile is less than the slack above stable's, however seldom stable is there.
 * False for rows that are not of latency, and for NaN. */
bool within_slack(const struct trial *trial, uint32_t row, double share);
/* Has neither arm, by weights or what is copied, so much more traffic that an answer of the other
 * must cost more (TRIAL_COST_APART)? */
bool cost_is_alike(const struct trial *trial, const uint32_t *weights, uint32_t copied,
                   uint32_t arm);
/* The feature whose requests differ most surely, among those that differ by `size` or more; false:
 * none does that much. arm ARM_STABLE: all arms against the baseline. */
bool inputs_worst(const struct trial *trial, uint32_t arm, double size, uint32_t *feature);
/* Features are held against alpha together: what is to be beaten by one of them. */
double inputs_bar(const struct trial *trial);
/* How the metric is compared: CUPED where the plan names a covariate. */
static inline struct mean_spec metric_spec(const struct trial *trial, double alpha)
{
  return (struct mean_spec){.cap = (double)trial->plan.metric.cap_e6 / PLAN_MILLION,
                            .alpha = alpha,
                            .n_star = (double)trial->plan.metric.users_expected,
                            .cuped = trial->plan.metric.covariate.kind != BY_REQUEST};
}
/* Whether requests of the current step are copied, not split. */
static inline bool trial_in_shadow(const struct trial *trial)
{
  return trial->plan.n_steps > trial->step && trial->plan.steps[trial->step].kind == STEP_SHADOW;
}
/* How much more of the metric an arm has than another. */
struct mean_interval metric_difference(const struct trial *trial, uint32_t arm, uint32_t other,
                                       double alpha);
/* Candidates of the plan: what alpha is split over, also once some are closed. */
static inline uint32_t trial_treated(const struct trial *trial) { return trial->n_arms - 1; }
/* Those that are not closed. */
static inline uint32_t trial_open(const struct trial *trial)
{
  return trial_treated(trial) - (uint32_t)__builtin_popcount(trial->closed);
}

#endif
