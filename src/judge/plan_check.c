/* plan_check.c - plans that can be written down but not carried out.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "judge/plan.h"

#include <stdio.h>

#include "judge/plan_int.h"
#include "stat/agree.h"
#include "stat/slow.h"

#define BAD(err, at, ...) (fail(err, E_BAD_CONFIG, __VA_ARGS__), fail_at(err, "%s", at))

static enum code bad_at(struct err *err, uint32_t step, const struct plan *plan, const char *key,
                        const char *text)
{
  fail(err, E_BAD_CONFIG, "'steps[%u].%s%s%s' %s", step, step_kind_name(plan->steps[step].kind),
       key[0] ? "." : "", key, text);
  return fail_at(err, "steps[%u].%s%s%s", step, step_kind_name(plan->steps[step].kind),
                 key[0] ? "." : "", key);
}

static bool kind_fits(enum strategy strategy, enum step_kind kind)
{
  switch (strategy) {
    case STRATEGY_NOW: return false;
    case STRATEGY_SHADOW: return kind == STEP_SHADOW;
    case STRATEGY_CANARY: return kind == STEP_SHADOW || kind == STEP_CANARY;
    case STRATEGY_BLUEGREEN: return kind == STEP_SHADOW || kind == STEP_SWITCH;
    default: return kind == STEP_SHADOW || kind == STEP_AB;
  }
}

/* A step that asks for nothing would be left before anything was judged; one that waits for proof
 * from traffic it does not get would never be left. */
static enum code step_check(const struct plan *plan, uint32_t i, struct err *err)
{
  const struct plan_step *step = &plan->steps[i];
  const char *share = step->kind == STEP_SWITCH ? "holdback" : "traffic";
  if (!kind_fits(plan->strategy, step->kind))
    return bad_at(err, i, plan, "", "is no step of this strategy");
  if (step->weight > PLAN_WHOLE) return bad_at(err, i, plan, share, "is over 100%");
  if (step->weight == 0)
    return bad_at(
        err, i, plan, share,
        "is 0%: without traffic such a step can never decide; give it some or leave it out");
  if (step->kind == STEP_CANARY && step->weight == PLAN_WHOLE)
    return bad_at(err, i, plan, share,
                  "is 100%: without stable traffic beside it such a step can never decide; use "
                  "`full` as the last step");
  if (!step->for_ms && !step->requests_min && !step->users_min)
    return bad_at(err, i, plan, "", "asks for no time, requests or users: say `for`");
  if (step->deadline_ms < step->for_ms)
    return bad_at(err, i, plan, "deadline", "is shorter than the step's `for`");
  if (step->approve_count > 8)
    return bad_at(err, i, plan, "approve", "asks for more than 8 people");
  return OK;
}

static enum code steps_check(const struct plan *plan, struct err *err)
{
  uint32_t before = 0;
  if (plan->n_steps > PLAN_STEPS_MAX) return BAD(err, "steps", "'steps' has too many entries");
  if (!plan->n_steps && plan->strategy != STRATEGY_NOW)
    return BAD(err, "steps", "'steps' is empty: only strategy now has no steps");
  for (uint32_t i = 0; i < plan->n_steps; i++) {
    const struct plan_step *step = &plan->steps[i];
    if (step_check(plan, i, err) != OK) return err->code;
    if (step->kind == STEP_SHADOW && i > 0 && plan->steps[i - 1].kind != STEP_SHADOW)
      return bad_at(err, i, plan, "", "comes after live traffic: shadow steps come first");
    if ((step->kind == STEP_SWITCH || step->kind == STEP_AB) && i + 1 < plan->n_steps)
      return bad_at(err, i + 1, plan, "", "comes after a step that ends the plan");
    if (step->kind != STEP_CANARY) continue;
    if (step->weight < before)
      return bad_at(err, i, plan, "traffic", "is less than in the step before: weights only rise");
    before = step->weight;
  }
  return OK;
}

static enum code gate_bad(struct err *err, int gate, const char *key, const char *text)
{
  fail(err, E_BAD_CONFIG, "'gates.%s.%s' %s", gate_name((enum gate_id)gate), key, text);
  return fail_at(err, "gates.%s.%s", gate_name((enum gate_id)gate), key);
}

static enum code gate_check(const struct plan *plan, int i, struct err *err)
{
  const struct gate_spec *gate = &plan->gates[i];
  unsigned sets = plan_gate_words[i].sets;
  if (gate->off) return OK;
  if ((sets & SET_MARGIN) && gate->margin_e6 < PLAN_MILLION)
    return gate_bad(err, i, "margin", "is below 1: it is the ratio to stable still accepted");
  if ((sets & SET_MARGIN) && gate->margin_e6 > 100u * PLAN_MILLION)
    return gate_bad(err, i, "margin", "is above 100");
  if ((sets & SET_ALPHA) && (gate->alpha_e9 == 0 || gate->alpha_e9 > PLAN_BILLION / 5))
    return gate_bad(err, i, "alpha", "should be above 0 and at most 0.2");
  if ((sets & SET_QUANTILES) && gate->quantiles == 0)
    return gate_bad(err, i, "quantiles", "is empty: switch the gate off instead");
  if ((sets & SET_QUANTILES) && !(gate->quantiles & ((1u << SLOW_PASS_ROWS) - 1)))
    return gate_bad(err, i, "quantiles",
                    "has 99.9 alone, which judges harm only: such a step can never decide");
  if ((sets & SET_MAX) && gate->max_e8 == 0)
    return gate_bad(err, i, plan_gate_words[i].max_key, "is 0: nothing could ever pass");
  if (i == GATE_DISAGREEMENT && !agree_limit_is_fit((double)gate->max_e8 / PLAN_WHOLE))
    return gate_bad(err, i, "max", "should be below 70%");
  if (i == GATE_CALIBRATION && gate->max_e8 >= PLAN_WHOLE / 2)
    return gate_bad(err, i, "max", "should be below 50%");
  return OK;
}

static enum code gates_check(const struct plan *plan, struct err *err)
{
  for (int i = 0; i < GATE_COUNT; i++)
    if (gate_check(plan, i, err) != OK) return err->code;
  if (plan->alpha_total_e9 == 0 || plan->alpha_total_e9 > PLAN_BILLION / 10)
    return BAD(err, "alpha_total", "'alpha_total' should be above 0 and at most 0.1");
  uint64_t sum = plan_alpha_e9(plan);
  if (sum > plan->alpha_total_e9)
    return BAD(err, "alpha_total",
               "'alpha_total' is %g, but the gates that roll back spend %g together: lower an "
               "alpha, let a gate pause, or raise it",
               (double)plan->alpha_total_e9 / PLAN_BILLION, (double)sum / PLAN_BILLION);
  return OK;
}

/* What an arm is called, and which version it is. */
static enum code arm_check(const struct plan *plan, uint32_t i, struct err *err)
{
  const char(*names)[PLAN_NAME_MAX] = plan->ab.names;
  static const char *const nth[ARMS_MAX] = {"first", "second",  "third",   "fourth",
                                            "fifth", "sixth", "seventh", "eighth"};
  const uint32_t *versions = plan->ab.versions;
  char at[32];
  uint32_t place;
  snprintf(at, sizeof at, "ab.arms[%u].name", i);
  if (!names[i][0]) return BAD(err, at, "'%s' is empty", at);
  if (arm_named(slice_str(names[i]), &place) && place != i)
    return BAD(err, at, "'%s' is '%s', which ab.arms[%u] is called: write %s %s, or name this one "
               "otherwise", at, names[i], place, names[i], nth[place]);
  for (uint32_t j = 0; j < i; j++)
    if (strcmp(names[i], names[j]) == 0)
      return BAD(err, at, "'%s' is the name of two arms", at);
  snprintf(at, sizeof at, "ab.arms[%u].version", i);
  if (i >= ARM_MORE && !versions[i])
    return BAD(err, at, "'%s' is missing: which version is the arm '%s'?", at, names[i]);
  for (uint32_t j = 0; j < i && versions[i]; j++)
    if (versions[i] == versions[j])
      return BAD(err, at, "'%s' is %u, which is the version of arm '%s', too", at, versions[i],
                 names[j]);
  return OK;
}

static enum code ab_check(const struct plan *plan, struct err *err)
{
  uint64_t sum = 0;
  if (plan->strategy != STRATEGY_AB) return OK;
  if (plan->ab.n_arms < 2 || plan->ab.n_arms > ARMS_MAX)
    return BAD(err, "ab.arms", "'ab.arms' should have from 2 to %d entries", ARMS_MAX);
  for (uint32_t i = 0; i < plan->ab.n_arms; i++) {
    char at[32];
    snprintf(at, sizeof at, "ab.arms[%u].traffic", i);
    if (!plan->ab.weights[i]) return BAD(err, at, "'%s' is missing or 0%%", at);
    sum += plan->ab.weights[i];
    if (arm_check(plan, i, err) != OK) return err->code;
  }
  for (uint32_t i = 0; i < plan->n_steps && plan->ab.n_arms > ARM_MORE; i++)
    if (plan->steps[i].kind == STEP_SHADOW)
      return bad_at(err, i, plan, "", "compares one candidate with stable; the plan has several");
  if (sum != PLAN_WHOLE)
    return BAD(err, "ab.arms", "'ab.arms' have %g%% of the traffic together, not 100%%",
               (double)sum / PLAN_MILLION);
  if (!plan->metric.name[0])
    return BAD(err, "metric", "'metric' is missing: an A/B test is about one");
  return OK;
}

enum code plan_check(const struct plan *plan, struct err *err)
{
  struct err own;
  if (!err) err = &own;
  err->code = OK;
  if (plan->strategy >= STRATEGY_COUNT) return BAD(err, "strategy", "'strategy' is unknown");
  if (steps_check(plan, err) != OK || gates_check(plan, err) != OK || ab_check(plan, err) != OK)
    return err->code;
  if (!plan->unjudged_max)
    return BAD(err, "unjudged_max",
               "'unjudged_max' is 0: no candidate answer could ever be judged");
  if (!plan->gates[GATE_CALIBRATION].off && !plan->metric.name[0])
    return BAD(err, "gates.calibration",
               "'gates.calibration' needs a 'metric': its maturity says when an outcome is final");
  if (plan->metric.covariate.kind == BY_TENANT)
    return BAD(err, "metric.covariate",
               "'metric.covariate' should be header:NAME or parameter:NAME: it is a number");
  if (plan->final_step_needs_labels && !plan->metric.name[0])
    return BAD(err, "final_step_needs_labels", "'final_step_needs_labels' needs a 'metric'");
  if (plan->final_step_needs_labels && plan->n_steps &&
      !plan_gate_acts(plan, GATE_METRIC, plan->steps[plan->n_steps - 1].kind))
    return BAD(err, "final_step_needs_labels",
               "'final_step_needs_labels' needs the gate 'metric' in the last step: it is off, or "
               "the step is a shadow, where nobody gets the candidate's answer");
  if (plan->compare.by == ALIKE_OVERLAP && !plan->compare.k)
    return BAD(err, "compare.k", "'compare.k' is 0");
  if (plan->choose_by.kind == BY_TENANT)
    return BAD(err, "choose_by", "'choose_by' should be header:NAME or parameter:NAME");
  for (uint32_t i = 0; i < plan->n_notify; i++)
    if (!slice_starts(slice_str(plan->notify[i]), SLICE("https://")) &&
        !slice_starts(slice_str(plan->notify[i]), SLICE("http://"))) {
      char at[24];
      snprintf(at, sizeof at, "notify[%u]", i);
      return BAD(err, at, "'%s' should begin with https:// or http://", at);
    }
  return OK;
}
