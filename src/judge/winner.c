/* winner.c - who has won an A/B test, and what is in the way while nobody has.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "judge/judge_int.h"

enum { WEEK_MS = 7 * 24 * 3600 * 1000 };

static double alpha_of(const struct trial *trial)
{
  return TRIAL_SHOWN_ALPHA / (double)trial_treated(trial);
}

static bool is_open(const struct trial *trial, uint32_t arm)
{
  return !(trial->closed & ARM_BIT(arm));
}

static bool is_clear(const struct trial *trial, const struct mean_interval *at)
{
  return at->enough && (trial->plan.metric.less ? at->upper < 0 : at->lower > 0);
}

/* An arm would have to beat each other open one. Alpha is split over the candidates, so that naming
 * one that is not best takes an interval that is wrong on one side, for one of n arms: n / (2 (n -
 * 1)) of alpha at most. */
static bool wins(const struct trial *trial, uint32_t arm)
{
  for (uint32_t other = 0; other < trial->n_arms; other++) {
    if (other == arm || !is_open(trial, other)) continue;
    struct mean_interval at = metric_difference(trial, arm, other, alpha_of(trial));
    if (!is_clear(trial, &at)) return false;
  }
  return true;
}

/* The open arm with the fewest units. */
static uint32_t fewest(const struct trial *trial)
{
  uint32_t least = ARM_STABLE;
  for (uint32_t arm = 0; arm < trial->n_arms; arm++)
    if (is_open(trial, arm) && trial->metric[arm].n < trial->metric[least].n) least = arm;
  return least;
}

uint32_t trial_winner(const struct trial *trial)
{
  if (trial->plan.strategy != STRATEGY_AB) return ARM_NONE;
  if (trial->step_ms < (uint64_t)trial->plan.ab.weeks_min * WEEK_MS) return ARM_NONE;
  if (trial->metric[fewest(trial)].n < trial->plan.ab.users_min) return ARM_NONE;
  for (uint32_t arm = 0; arm < trial->n_arms; arm++)
    if (is_open(trial, arm) && wins(trial, arm)) return arm;
  return ARM_NONE;
}

/* --- what is in the way ----------------------------------------------------------------------- */

/* The open arm with the best mean so far. */
static uint32_t leader_of(const struct trial *trial)
{
  uint32_t best = ARM_STABLE;
  for (uint32_t arm = 0; arm < trial->n_arms; arm++) {
    if (arm == best || !is_open(trial, arm)) continue;
    double more = metric_difference(trial, arm, best, alpha_of(trial)).diff;
    if (trial->plan.metric.less ? more < 0 : more > 0) best = arm;
  }
  return best;
}

/* The lead that is furthest from being proven. Bounds come nearer as the square root of the units,
 * about: so many times the units as the width is too large, squared. */
static void lead_find(const struct trial *trial, struct unwon *unwon)
{
  double worst = 0, s = (double)trial->release_ms / 1000;
  unwon->arm = leader_of(trial);
  for (uint32_t other = 0; other < trial->n_arms; other++) {
    if (other == unwon->arm || !is_open(trial, other)) continue;
    struct mean_interval at = metric_difference(trial, unwon->arm, other, alpha_of(trial));
    if (is_clear(trial, &at)) continue;
    double lead = trial->plan.metric.less ? -at.diff : at.diff;
    double half = (at.upper - at.lower) / 2, times = lead > 0 ? half / lead : M_INF;
    if (!(times > worst)) continue;
    worst = times;
    unwon->beside = other;
    unwon->diff = at.diff, unwon->lower = at.lower, unwon->upper = at.upper;
    unwon->in_s = times < M_INF ? s * (times * times - 1) : M_NAN;
  }
}

bool trial_unwon(const struct trial *trial, struct unwon *unwon)
{
  const struct plan *plan = &trial->plan;
  uint64_t weeks_ms = (uint64_t)plan->ab.weeks_min * WEEK_MS;
  uint64_t users_min = plan->ab.users_min > MEAN_UNITS_MIN ? plan->ab.users_min : MEAN_UNITS_MIN;
  uint32_t least = fewest(trial);
  double s = (double)trial->release_ms / 1000;
  *unwon = (struct unwon){.arm = ARM_NONE,
                          .beside = ARM_NONE,
                          .in_s = M_NAN,
                          .diff = M_NAN,
                          .lower = M_NAN,
                          .upper = M_NAN};
  if (plan->strategy != STRATEGY_AB || trial_winner(trial) != ARM_NONE) return false;
  if (trial->step_ms < weeks_ms) {
    unwon->what = UNWON_WEEKS;
    unwon->have = (double)trial->step_ms / WEEK_MS, unwon->want = plan->ab.weeks_min;
    unwon->in_s = (double)(weeks_ms - trial->step_ms) / 1000;
  } else if (trial->metric[least].n < users_min) {
    double n = (double)trial->metric[least].n;
    unwon->what = UNWON_USERS;
    unwon->arm = least;
    unwon->have = n, unwon->want = (double)users_min;
    if (n > 0 && s > 0) unwon->in_s = (unwon->want - n) / (n / s);
  } else {
    unwon->what = UNWON_INTERVAL;
    lead_find(trial, unwon);
  }
  return true;
}
