/* plan.c - defaults of plans, and what follows from a plan alone.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "judge/plan.h"

#include "judge/plan_int.h"
#include "stat/slow.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };
#define DAY (24ull * HOUR)

/* Billionths: 1e-6 for each fast lane. */
enum { FAST_ALPHA_E9 = 1000 };

/* The names that gates.def uses in its columns. */
enum { ON_SHADOW = 1 << STEP_SHADOW, ON_RAMP = 1 << STEP_CANARY | 1 << STEP_SWITCH };
enum { ON_LIVE = ON_RAMP | 1 << STEP_AB };

static const struct gate_row {
  const char *name, *judges;
  enum gate_act acts;
  bool passes;
  unsigned steps;
  uint32_t alpha_e9;
} gate_rows[] = {
#define GATE(name, NAME, acts, passes, steps, alpha, judges) \
  {#name, judges, ACT_##acts, passes, steps, alpha},
#include "judge/gates.def"
#undef GATE
};

const char *const plan_strategy_words[] = {"now", "shadow", "canary", "bluegreen", "ab", NULL};
const char *const plan_kind_words[] = {"shadow", "canary", "switch", "ab", NULL};
const char *const plan_role_words[] = {"approver", "deployer", "admin", NULL};
const char *const plan_lanes_words[] = {"all", "blocks", NULL};
const char *const plan_act_words[] = {"nothing", "pause", "rollback", NULL};
const char *const plan_alike_words[] = {"auto", "label", "score", "overlap", NULL};
const char *const plan_inconclusive_words[] = {"hold", "advance", "ask", NULL};
const char *const plan_quantile_words[] = {"50", "90", "99", "99.9", NULL};

const struct plan_gate_words plan_gate_words[GATE_COUNT] = {
    [GATE_ERRORS] = {.sets = SET_MARGIN | SET_FLOOR | SET_LANES | SET_ALPHA | SET_ACT},
    [GATE_LATENCY] = {.sets = SET_MARGIN | SET_LANES | SET_QUANTILES | SET_ALPHA | SET_ACT},
    [GATE_DISAGREEMENT] = {.sets = SET_MAX | SET_ALPHA | SET_ACT, .max_key = "max"},
    [GATE_PREDICTION] = {.sets = SET_MAX | SET_ALPHA | SET_ACT,
                         .max_key = "max",
                         .max_is_number = true},
    [GATE_SAMPLE_RATIO] = {.sets = SET_FLOOR | SET_ALPHA | SET_ACT},
    [GATE_MEMORY] = {.sets = SET_MAX | SET_ACT, .max_key = "max_growth"},
    [GATE_COST] = {.sets = SET_MARGIN | SET_ALPHA | SET_ACT},
    [GATE_METRIC] = {.sets = SET_MAX | SET_ALPHA | SET_ACT, .max_key = "max_loss"},
    [GATE_SEGMENTS] = {.sets = SET_MARGIN | SET_ALPHA | SET_ACT},
    [GATE_BUDGET] = {.sets = SET_ACT},
    [GATE_PERSON] = {.sets = 0},
    [GATE_INPUT_DRIFT] = {.sets = SET_MAX | SET_ALPHA | SET_ACT,
                          .max_key = "max",
                          .max_is_number = true},
    [GATE_CALIBRATION] = {.sets = SET_MAX | SET_ALPHA | SET_ACT, .max_key = "max"},
};

const char *strategy_name(enum strategy strategy) { return plan_strategy_words[strategy]; }
const char *step_kind_name(enum step_kind kind) { return plan_kind_words[kind]; }
const char *plan_role_name(enum plan_role role) { return plan_role_words[role]; }
const char *gate_name(enum gate_id gate) { return gate_rows[gate].name; }
const char *gate_judges(enum gate_id gate) { return gate_rows[gate].judges; }
bool gate_must_pass(enum gate_id gate) { return gate_rows[gate].passes; }

bool gate_judges_step(enum gate_id gate, enum step_kind kind)
{
  return (gate_rows[gate].steps & 1u << kind) != 0;
}

/* --- defaults --------------------------------------------------------------------------------- */

static void gates_default(struct plan *plan)
{
  for (int i = 0; i < GATE_COUNT; i++) {
    struct gate_spec *gate = &plan->gates[i];
    gate->on_harm = gate_rows[i].acts;
    gate->alpha_e9 = gate_rows[i].alpha_e9;
    gate->margin_e6 = 1250000;
    gate->quantiles = (1u << SLOW_ROWS) - 1;
    gate->slack_us = 200;
  }
  plan->gates[GATE_ERRORS].floor_e8 = PLAN_WHOLE / 1000;
  plan->gates[GATE_DISAGREEMENT].max_e8 = PLAN_WHOLE / 50;
  plan->gates[GATE_PREDICTION].max_e8 = PLAN_WHOLE / 10;
  plan->gates[GATE_SAMPLE_RATIO].floor_e8 = PLAN_WHOLE / 100;
  plan->gates[GATE_MEMORY].max_e8 = PLAN_WHOLE / 10;
  plan->gates[GATE_METRIC].max_e8 = PLAN_WHOLE / 50;
  plan->gates[GATE_CALIBRATION].max_e8 = PLAN_WHOLE / 20;
  plan->gates[GATE_INPUT_DRIFT].max_e8 = PLAN_WHOLE / 4;
  plan->gates[GATE_CALIBRATION].off = true; /* a score need not be a probability: the plan says */
}

static struct plan_step *step_add(struct plan *plan, enum step_kind kind, uint32_t weight,
                                  uint64_t for_ms)
{
  struct plan_step *step = &plan->steps[plan->n_steps++];
  *step =
      (struct plan_step){.kind = kind, .weight = weight, .for_ms = for_ms, .deadline_ms = for_ms};
  return step;
}

static void steps_default(struct plan *plan)
{
  struct plan_step *step;
  switch (plan->strategy) {
    case STRATEGY_SHADOW:
      step = step_add(plan, STEP_SHADOW, PLAN_WHOLE, DAY);
      step->requests_min = 1000;
      step->approve_count = 1;
      break;
    case STRATEGY_CANARY:
      step_add(plan, STEP_CANARY, 5 * (PLAN_WHOLE / 100), 10 * MINUTE);
      step_add(plan, STEP_CANARY, 10 * (PLAN_WHOLE / 100), 10 * MINUTE);
      step_add(plan, STEP_CANARY, 50 * (PLAN_WHOLE / 100), 10 * MINUTE);
      break;
    case STRATEGY_BLUEGREEN:
      step_add(plan, STEP_SWITCH, 99 * (PLAN_WHOLE / 100), 10 * MINUTE);
      break;
    case STRATEGY_AB:
      step = step_add(plan, STEP_AB, PLAN_WHOLE / 2, 14 * DAY);
      step->users_min = 10000;
      step->approve_count = 1;
      break;
    default: break; /* now: no steps */
  }
}

void plan_default(struct plan *plan, enum strategy strategy)
{
  memset(plan, 0, sizeof *plan);
  plan->strategy = strategy;
  gates_default(plan);
  steps_default(plan);
  plan->metric.cap_e6 = PLAN_MILLION;
  plan->metric.users_expected = 5000;
  plan->metric.maturity_ms = 60 * SECOND;
  if (strategy == STRATEGY_AB) {
    plan->ab.n_arms = 2;
    plan->ab.weights[ARM_CANDIDATE] = plan->ab.weights[ARM_STABLE] = PLAN_WHOLE / 2;
    for (uint32_t i = 0; i < plan->ab.n_arms; i++)
      memcpy(plan->ab.names[i], arm_name(i), strlen(arm_name(i)));
    plan->ab.users_min = 10000;
    plan->ab.weeks_min = 2;
  }
  plan->compare.distance_e6 = PLAN_MILLION / 20;
  plan->compare.k = 10;
  plan->harm_budget = 500;
  plan->unjudged_max = 2000;
  plan->alpha_total_e9 = PLAN_BILLION / 200;
  plan->no_data_deadline_ms = plan->pause_deadline_ms = DAY;
  plan->approval_expiry_ms = 3 * DAY;
  plan->keep_previous_warm_ms = HOUR;
  plan->warm_up_ms = 10 * SECOND;
}

/* --- what follows ----------------------------------------------------------------------------- */

struct digest plan_hash(const struct plan *plan, struct arena *arena)
{
  struct slice text = plan_write(plan, arena);
  must(text.at);
  return sha256_of(text);
}

/* A gate that cannot judge for want of what it is about spends nothing. */
bool plan_gate_acts(const struct plan *plan, enum gate_id gate, enum step_kind kind)
{
  if (plan->gates[gate].off || !gate_judges_step(gate, kind)) return false;
  if (gate == GATE_METRIC || gate == GATE_CALIBRATION) return plan->metric.name[0] != '\0';
  if (gate == GATE_SEGMENTS) return plan->n_segments > 0;
  return true;
}

uint64_t plan_alpha_e9(const struct plan *plan)
{
  uint64_t sum = 0;
  for (int i = 0; i < GATE_COUNT; i++) {
    const struct gate_spec *gate = &plan->gates[i];
    if (gate->dry_run || gate->on_harm != ACT_ROLLBACK) continue;
    if (!plan_gate_acts(plan, (enum gate_id)i, STEP_CANARY)) continue;
    sum += gate->alpha_e9;
    if ((i == GATE_ERRORS || i == GATE_LATENCY) && gate->lanes == LANES_ALL) sum += FAST_ALPHA_E9;
  }
  return sum;
}

uint64_t plan_horizon_looks(const struct plan *plan)
{
  uint64_t ms = plan->keep_previous_warm_ms;
  for (uint32_t i = 0; i < plan->n_steps; i++) {
    const struct plan_step *step = &plan->steps[i];
    ms += step->deadline_ms > step->for_ms ? step->deadline_ms : step->for_ms;
  }
  return ms / SECOND;
}

uint32_t plan_arms(const struct plan *plan)
{
  return plan->strategy == STRATEGY_AB ? plan->ab.n_arms : 2;
}

uint32_t plan_weight(const struct plan *plan, uint32_t step, uint32_t arm)
{
  uint32_t candidate = PLAN_WHOLE;
  if (step < plan->n_steps) {
    if (plan->steps[step].kind == STEP_AB) return plan->ab.weights[arm];
    candidate = plan->steps[step].kind == STEP_SHADOW ? 0 : plan->steps[step].weight;
  }
  if (arm == ARM_CANDIDATE) return candidate;
  return arm == ARM_STABLE ? PLAN_WHOLE - candidate : 0;
}

void plan_rehearse(struct plan *plan)
{
  for (uint32_t i = 0; i < plan->n_steps; i++)
    if (plan->steps[i].kind == STEP_CANARY && plan->steps[i].weight > PLAN_REHEARSAL_MAX)
      plan->steps[i].weight = PLAN_REHEARSAL_MAX;
}

bool plan_is_risky(const struct plan *plan, const char **why)
{
  struct plan usual;
  plan_default(&usual, plan->strategy);
  const char *found = NULL;
  if (plan->strategy == STRATEGY_NOW)
    found = "it deploys at once";
  else if (plan->override_freeze[0])
    found = "it overrides freezes";
  else if (plan->harm_budget > usual.harm_budget)
    found = "it raises the harm budget";
  else if (plan->unjudged_max > usual.unjudged_max)
    found = "it raises unjudged_max";
  else if (plan->alpha_total_e9 > usual.alpha_total_e9)
    found = "it raises alpha_total";
  for (int i = 0; i < GATE_COUNT && !found; i++)
    if ((plan->gates[i].off && !usual.gates[i].off) || plan->gates[i].dry_run)
      found = "it switches a gate off";
  if (why) *why = found;
  return found != NULL;
}
