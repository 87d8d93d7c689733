/* judge.c - from looks to a verdict: what is frozen when, which gates are asked, what they come to.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "judge/judge.h"

#include "judge/judge_int.h"

static const struct gate *const gates[] = {
#define GATE(name, ...) &gate_##name,
#include "judge/gates.def"
#undef GATE
};

/* --- words ------------------------------------------------------------------------------------ */

const char *gate_state_name(enum gate_state state)
{
  static const char *const names[] = {
#define STATE(name, ...) #name,
#include "judge/gate_states.def"
#undef STATE
  };
  return names[state];
}

static const char *const reasons[][2] = {
    {"", ""},
#define REASON(name, id, text) {#name, text},
#include "judge/reasons.def"
#undef REASON
};

const char *no_data_reason_name(enum no_data_reason reason) { return reasons[reason][0]; }
const char *no_data_reason_text(enum no_data_reason reason) { return reasons[reason][1]; }

const char *lane_name(enum judge_lane lane)
{
  static const char *const names[] = {
      "",
#define LANE(name, ...) #name,
#include "judge/lanes.def"
#undef LANE
  };
  return names[lane];
}

const char *unwon_name(enum unwon_what what)
{
  static const char *const names[] = {
#define UNWON(name, ...) #name,
#include "judge/unwon.def"
#undef UNWON
  };
  return names[what];
}

const char *verdict_kind_name(enum verdict_kind kind)
{
  static const char *const names[] = {
#define VERDICT(name, ...) #name,
#include "judge/verdicts.def"
#undef VERDICT
  };
  return names[kind];
}

/* --- beginning -------------------------------------------------------------------------------- */

static void blocks_begin(struct trial *trial)
{
  uint32_t room = TRIAL_BLOCKS / trial_treated(trial), place = 0;
  for (uint32_t arm = 0; arm < trial->n_arms; arm++) {
    struct trial_arm *at = &trial->arms[arm];
    if (arm == ARM_STABLE) continue;
    for (uint32_t row = 0; row < TRIAL_BLOCK_ROWS; row++) {
      double margin = gate_margin(trial, row == TRIAL_ROW_COST    ? GATE_COST
                                         : row == BASELINE_ERRORS ? GATE_ERRORS
                                                                  : GATE_LATENCY);
      block_init(&at->blocks[row], margin, trial->block_room[row] + place * room, room);
      at->pending[row] = (struct block_sums){0};
      at->bounds[row] = (struct block_bounds){M_NAN, M_NAN, M_NAN, M_NAN, BLOCK_INCONCLUSIVE};
    }
    place++;
  }
  /* A longer step has longer blocks, fixed by what the plan says of it, so that all fit. */
  uint64_t looks = trial->step < trial->plan.n_steps
                       ? trial->plan.steps[trial->step].deadline_ms / 1000
                       : plan_horizon_looks(&trial->plan);
  uint64_t fit = (uint64_t)room * BLOCK_LOOKS;
  trial->block_every = (uint32_t)((looks + fit - 1) / fit);
  if (!trial->block_every) trial->block_every = 1;
}

static void result_init(struct gate_result *result, const struct trial *trial, enum gate_id gate)
{
  const struct gate_spec *spec = &trial->plan.gates[gate];
  *result = (struct gate_result){
      .gate = gate,
      .state = GATE_INCONCLUSIVE,
      .act = spec->dry_run ? ACT_NOTHING : spec->on_harm,
      .log_e = M_NAN,
      .bar = M_NAN,
      .pass_log_e = M_NAN,
      .pass_bar = M_NAN,
      .block_lower = M_NAN,
      .block_upper = M_NAN,
      .effect = M_NAN,
      .first_bad_look = UINT64_MAX,
      .first_bad_ms = UINT64_MAX,
      .fired_look = UINT64_MAX,
      .episodes = 1,
  };
}

void trial_begin(struct trial *trial, const struct plan *plan)
{
  memset(trial, 0, sizeof *trial);
  trial->plan = *plan;
  trial->n_arms = plan_arms(plan);
  must(trial->n_arms >= 2 && trial->n_arms <= ARMS_MAX);
  trial->restarts_max = detector_restarts(plan_horizon_looks(plan));
  for (uint32_t i = 0; i < plan->n_steps; i++)
    trial->live_steps += plan->steps[i].kind != STEP_SHADOW;
  for (uint32_t arm = gate_arm(trial, 0); arm < trial->n_arms; arm = gate_arm(trial, arm + 1))
    for (uint32_t row = 0; row < TRIAL_ROWS; row++) {
      detector_init(&trial->arms[arm].ordinary[row], trial->restarts_max);
      detector_init(&trial->arms[arm].fast[row], trial->restarts_max);
    }
  trial->row_used[BASELINE_ERRORS] = true;
  for (uint32_t arm = 0; arm < ARMS_MAX; arm++) {
    result_init(&trial->closed_by[arm], trial, GATE_PERSON);
    trial->closed_by[arm].state = GATE_IDLE;
  }
  for (int i = 0; i < PLAN_SEGMENTS_MAX; i++)
    for (uint32_t arm = 0; arm < ARMS_MAX; arm++) trial->segments[i].log_e[arm] = M_NAN;
  for (int i = 0; i < GATE_COUNT; i++) {
    result_init(&trial->results[i], trial, (enum gate_id)i);
    trial->results[i].state = GATE_IDLE;
  }
  blocks_begin(trial);
}

static void recent_begin(struct trial *trial)
{
  const struct baseline *baseline = &trial->baseline;
  memset(trial->recent_requests, 0, sizeof trial->recent_requests);
  memset(trial->recent_bad, 0, sizeof trial->recent_bad);
  for (uint32_t i = 0; i < baseline->n_recent; i++) {
    trial->recent_requests[i] = baseline->recent[i].requests;
    trial->recent_bad[i] = baseline->recent[i].bad;
  }
  trial->recent_at = baseline->n_recent;
  trial->recent_looks = 0;
}

void trial_step_begin(struct trial *trial, uint32_t step, const struct baseline *baseline)
{
  must(step < trial->plan.n_steps && step >= trial->step && baseline->n_recent <= PAST_RECENT);
  trial->step = step;
  trial->baseline = *baseline;
  for (uint32_t arm = 0; arm < trial->n_arms; arm++)
    for (uint32_t row = 0; row < TRIAL_ROWS; row++)
      trial->limits[arm][row] = (struct detector_limits){baseline->phi[arm][row], TRIAL_CAP};
  for (uint32_t row = 0; row < SLOW_ROWS; row++)
    trial->row_used[row] = trial->row_used[row] || baseline->slow.used[row];
  trial->step_looks = trial->step_ms = trial->no_data_ms = 0;
  trial->step_uneven = false;
  memset(trial->last_weights, 0, sizeof trial->last_weights);
  memset(trial->totals, 0, sizeof trial->totals);
  memset(trial->ratio_units, 0, sizeof trial->ratio_units);
  memset(&trial->agree, 0, sizeof trial->agree);
  trial->copies_failed = 0;
  for (uint32_t arm = 0; arm < trial->n_arms; arm++) {
    memset(trial->arms[arm].pass, 0, sizeof trial->arms[arm].pass);
    trial->shift_log_e[arm] = trial->shift_psi[arm] = 0;
    memset(trial->inputs_log_e[arm], 0, sizeof trial->inputs_log_e[arm]);
    memset(trial->inputs_psi[arm], 0, sizeof trial->inputs_psi[arm]);
  }
  blocks_begin(trial);
  recent_begin(trial);
}

void trial_copy(struct trial *to, const struct trial *from)
{
  *to = *from;
  for (int arm = 0; arm < ARMS_MAX; arm++)
    for (int row = 0; row < TRIAL_BLOCK_ROWS; row++) {
      struct block_row *blocks = &to->arms[arm].blocks[row];
      if (blocks->d) blocks->d = to->block_room[0] + (blocks->d - from->block_room[0]);
    }
}

const struct slow *trial_slow(const struct trial *trial) { return &trial->baseline.slow; }

/* --- gates ------------------------------------------------------------------------------------ */

/* A switch without holdback has nothing to compare with, as its plan says: time alone ends it, and
 * the kill rule, memory or a person stop it. */
static bool is_alone(const struct trial *trial)
{
  const struct plan_step *step = &trial->plan.steps[trial->step];
  return trial->step < trial->plan.n_steps && step->kind == STEP_SWITCH &&
         step->weight == PLAN_WHOLE;
}

/* What leaves every gate of the step without data. */
static enum no_data_reason without(const struct trial *trial)
{
  if (trial->stale_looks >= TRIAL_STALE_LOOKS) return WITHOUT_STALE_TALLIES;
  for (uint32_t arm = gate_arm(trial, 0); arm < trial->n_arms; arm = gate_arm(trial, arm + 1))
    if (!trial->totals[arm].requests) return WITHOUT_NO_CANDIDATE_REQUESTS;
  if (trial->totals[ARM_STABLE].requests || is_alone(trial)) return WITHOUT_NONE;
  return WITHOUT_NO_STABLE_REQUESTS;
}

static bool is_active(const struct trial *trial, enum gate_id gate)
{
  return trial->step < trial->plan.n_steps &&
         plan_gate_acts(&trial->plan, gate, trial->plan.steps[trial->step].kind);
}

static bool speaks_alone(enum gate_id gate) { return gate == GATE_BUDGET || gate == GATE_PERSON; }

static void gate_ask(struct trial *trial, enum gate_id gate, enum no_data_reason reason)
{
  struct gate_result result;
  const struct gate_result *before = &trial->results[gate];
  bool gone = !before->whole && trial->closed & ARM_BIT(before->arm);
  if (before->state == GATE_HARM && !gone) return; /* verdicts do not un-happen */
  result_init(&result, trial, gate);
  if (!is_active(trial, gate)) {
    result.state = GATE_IDLE;
    trial->results[gate] = result;
    return;
  }
  gates[gate]->judge(trial, &result);
  bool speaks = result.state != GATE_NO_DATA && result.state != GATE_IDLE;
  bool by_e =
      result.lane == LANE_FAST || result.lane == LANE_RESTARTED || result.lane == LANE_COUNT_ALL;
  if (speaks && by_e && result.bar > 0 && m_is_nan(result.log_e) && gate != GATE_SEGMENTS) {
    result.state = GATE_NO_DATA;
    result.reason = WITHOUT_NOT_A_NUMBER;
  } else if (speaks && reason != WITHOUT_NONE && result.state != GATE_HARM && !speaks_alone(gate)) {
    result.state = GATE_NO_DATA;
    result.reason = reason;
  }
  /* Detectors count the looks that counted. */
  if (result.first_bad_look != UINT64_MAX)
    result.first_bad_look += trial->looks - trial->looks_counted;
  if (result.state == GATE_HARM) {
    result.fired_look = trial->looks - 1;
    result.fired_ms = trial->release_ms;
    result.fired_step = trial->step;
  }
  trial->results[gate] = result;
}

bool trial_gate_arm(const struct trial *trial, enum gate_id gate, uint32_t arm,
                    struct gate_result *result)
{
  const struct gate_result *by = &trial->closed_by[arm];
  if (!gates[gate]->judge_arm || trial->n_arms == ARM_MORE || arm == ARM_STABLE ||
      !is_active(trial, gate))
    return false;
  if (by->state == GATE_HARM && by->gate == gate) {
    *result = *by;
    return true;
  }
  result_init(result, trial, gate);
  *result = gates[gate]->judge_arm(trial, arm, *result);
  return true;
}

/* --- the release's verdict -------------------------------------------------------------------- */

/* Whether a step waits for this gate; dry ones are shown and no more. */
static bool is_waited_for(const struct trial *trial, enum gate_id gate)
{
  const struct gate_result *result = &trial->results[gate];
  if (!is_active(trial, gate) || result->act == ACT_NOTHING || is_alone(trial)) return false;
  return gate_must_pass(gate) && result->state != GATE_IDLE;
}

/* Missing data of a gate that is not waited for holds only where the plan says that it must not be
 * missing. */
static bool holds_without_data(const struct trial *trial, enum gate_id gate)
{
  bool last = trial->step + 1 == trial->plan.n_steps;
  if (trial->results[gate].state != GATE_NO_DATA) return false;
  if (is_alone(trial) && trial->results[gate].reason == WITHOUT_QUANTILE_WITHOUT_HISTORY)
    return false;
  if (gate == GATE_METRIC || gate == GATE_CALIBRATION)
    return trial->plan.final_step_needs_labels && last;
  return is_active(trial, gate) && trial->results[gate].act != ACT_NOTHING;
}

static void needs_fill(const struct trial *trial, struct verdict *verdict)
{
  const struct plan_step *step = &trial->plan.steps[trial->step];
  verdict->step_requests = verdict->step_users = UINT64_MAX;
  for (uint32_t arm = gate_arm(trial, 0); arm < trial->n_arms; arm = gate_arm(trial, arm + 1)) {
    const struct look_arm *total = &trial->totals[arm];
    if (total->requests < verdict->step_requests) verdict->step_requests = total->requests;
    if (total->units < verdict->step_users) verdict->step_users = total->units;
  }
  verdict->time_met = trial->step_ms >= step->for_ms;
  verdict->requests_met = verdict->step_requests >= step->requests_min;
  verdict->users_met = verdict->step_users >= step->users_min;
}

static void kind_set(struct verdict *verdict, enum verdict_kind kind, bool by_gate, int gate)
{
  verdict->kind = kind;
  verdict->decided_by_gate = by_gate;
  verdict->by = (enum gate_id)gate;
}

/* The first gate without data, the first that has not passed; -1: none. */
static int gate_first(const struct trial *trial, bool (*is)(const struct trial *, enum gate_id))
{
  for (int i = 0; i < GATE_COUNT; i++)
    if (is(trial, (enum gate_id)i)) return i;
  return -1;
}

static bool is_open(const struct trial *trial, enum gate_id gate)
{
  enum gate_state state = trial->results[gate].state;
  if (state == GATE_HARM && trial->results[gate].act == ACT_PAUSE) return false;
  return is_waited_for(trial, gate) && state != GATE_NON_INFERIOR;
}

static bool is_harm(const struct trial *trial, enum gate_id gate)
{
  const struct gate_result *result = &trial->results[gate];
  return result->state == GATE_HARM && result->act == ACT_ROLLBACK;
}

static bool is_suspect(const struct trial *trial, enum gate_id gate)
{
  const struct gate_result *result = &trial->results[gate];
  return result->state == GATE_HARM && result->act == ACT_PAUSE;
}

static void verdict_fill(const struct trial *trial, struct verdict *verdict)
{
  *verdict = (struct verdict){.step = trial->step,
                              .look = trial->looks ? trial->looks - 1 : 0,
                              .step_ms = trial->step_ms,
                              .step_looks = trial->step_looks,
                              .no_data_ms = trial->no_data_ms,
                              .closed = trial->closed,
                              .winner = trial_winner(trial),
                              .harmed = trial->harmed > 0 ? trial->harmed : 0};
  memcpy(verdict->gates, trial->results, sizeof verdict->gates);
  if (trial->step >= trial->plan.n_steps) return;
  needs_fill(trial, verdict);
  int harm = gate_first(trial, is_harm), suspect = gate_first(trial, is_suspect);
  int silent = gate_first(trial, holds_without_data), open = gate_first(trial, is_open);
  for (int i = 0; i < GATE_COUNT; i++)
    if (is_suspect(trial, (enum gate_id)i)) verdict->pausing |= 1u << i;
  verdict->gates_met = open < 0;
  bool enough = verdict->time_met && verdict->requests_met && verdict->users_met;
  bool late = trial->step_ms >= trial->plan.steps[trial->step].deadline_ms;
  enum no_data_reason reason = without(trial);
  if (silent >= 0)
    kind_set(verdict, VERDICT_NO_DATA, true, silent);
  else if (reason != WITHOUT_NONE)
    kind_set(verdict, VERDICT_NO_DATA, false, 0);
  else if (verdict->gates_met && enough)
    kind_set(verdict, VERDICT_PASSED, false, 0);
  else if (enough && late)
    kind_set(verdict, VERDICT_OVERDUE, open >= 0, open >= 0 ? open : 0);
  else
    kind_set(verdict, VERDICT_UNDECIDED, open >= 0, open >= 0 ? open : 0);
  verdict->otherwise = verdict->kind;
  if (harm >= 0)
    kind_set(verdict, VERDICT_HARM, true, harm);
  else if (suspect >= 0)
    kind_set(verdict, VERDICT_PAUSE, true, suspect);
}

/* A look that is no evidence leaves everything as it was, and says so. */
static void look_refuse(struct trial *trial, struct verdict *verdict)
{
  trial->refused++;
  verdict_fill(trial, verdict);
  if (verdict->kind == VERDICT_HARM || verdict->kind == VERDICT_PAUSE) return;
  kind_set(verdict, VERDICT_NO_DATA, false, 0);
  verdict->otherwise = VERDICT_NO_DATA;
}

static bool look_counts(const struct trial *trial, const struct look *look)
{
  if (trial->step >= trial->plan.n_steps) return false;
  if (trial_in_shadow(trial)) return look->copied > 0;
  for (uint32_t arm = gate_arm(trial, 0); arm < trial->n_arms; arm = gate_arm(trial, arm + 1))
    if (look->weights[arm]) return true;
  return false;
}

/* --- arms that leave -------------------------------------------------------------------------- */

/* Without weight while others have some: it is out of the test, whatever took it out. Where stable
 * has none either, another arm was chosen and has everything. */
static void arms_lost(struct trial *trial, const struct look *look)
{
  uint32_t with = 0;
  if (trial->n_arms == ARM_MORE) return;
  for (uint32_t arm = 0; arm < trial->n_arms; arm++)
    if (arm != ARM_STABLE && look->weights[arm]) with |= ARM_BIT(arm);
  for (uint32_t arm = gate_arm(trial, 0); with && arm < trial->n_arms;
       arm = gate_arm(trial, arm + 1))
    if (!(with & ARM_BIT(arm))) {
      trial->closed |= ARM_BIT(arm);
      trial->closed_by[arm].state = look->weights[ARM_STABLE] ? GATE_NO_DATA : GATE_IDLE;
    }
}

/* Harm of one candidate among several is the end of that one. */
static bool arm_closes(struct trial *trial, enum gate_id gate)
{
  const struct gate_result *result = &trial->results[gate];
  if (!is_harm(trial, gate) || result->whole || trial_open(trial) < 2) return false;
  if (trial->closed & ARM_BIT(result->arm)) return false;
  trial->closed |= ARM_BIT(result->arm);
  trial->closed_by[result->arm] = *result;
  return true;
}

static void gates_ask(struct trial *trial)
{
  bool again = true;
  while (again) { /* each time with an arm less */
    enum no_data_reason reason = without(trial);
    again = false;
    for (int i = 0; i < GATE_COUNT; i++) {
      gate_ask(trial, (enum gate_id)i, reason);
      again = again || arm_closes(trial, (enum gate_id)i);
    }
  }
}

void trial_look(struct trial *trial, const struct look *look, struct verdict *verdict)
{
  if (look_check(look, NULL) != OK || look->number != trial->looks ||
      look->n_arms != trial->n_arms) {
    look_refuse(trial, verdict);
    return;
  }
  trial->looks++;
  trial->release_ms += look->elapsed_ms;
  trial->stale_looks = look->stale ? trial->stale_looks + 1 : 0;
  trial->killed |= look->killed;
  trial_recent(trial, look);
  if (look_counts(trial, look)) {
    arms_lost(trial, look);
    trial_count(trial, look);
  }
  gates_ask(trial);
  verdict_fill(trial, verdict);
  bool no_data = verdict->otherwise == VERDICT_NO_DATA;
  trial->no_data_ms = no_data ? trial->no_data_ms + look->elapsed_ms : 0;
  verdict->no_data_ms = trial->no_data_ms;
}
