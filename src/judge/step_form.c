/* step_form.c - a rollout at its beginning, as weights, as names and as bytes.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "judge/step.h"

void rollout_init(struct rollout *rollout, const struct plan *plan, const struct digest *spec,
                  const char *submitter, bool frozen, uint64_t now_ms)
{
  *rollout = (struct rollout){.state = ROLLOUT_PENDING,
                              .why = WHY_BEGUN,
                              .gate = GATE_PERSON,
                              .frozen = frozen,
                              .clock_ms = now_ms,
                              .spec = *spec,
                              .proposal = ROLLOUT_WHENS};
  if (plan_arms(plan) > ARM_MORE) rollout->chosen = ARM_STABLE;
  memcpy(rollout->submitter, submitter, strnlen(submitter, ROLLOUT_PERSON_MAX - 1));
  rollout_check(rollout, plan);
}

struct rollout_event rollout_event_of(const struct verdict *verdict, bool stale)
{
  static const enum rollout_when whens[] = {
      [VERDICT_UNDECIDED] = WHEN_UNDECIDED, [VERDICT_NO_DATA] = WHEN_NO_DATA,
      [VERDICT_PASSED] = WHEN_PASSED,       [VERDICT_OVERDUE] = WHEN_OVERDUE,
      [VERDICT_PAUSE] = WHEN_SUSPECT,       [VERDICT_HARM] = WHEN_HARM,
  };
  struct rollout_event event = {.when = whens[verdict->kind],
                                .decided_by_gate = verdict->decided_by_gate,
                                .gate = verdict->by,
                                .no_data_ms = verdict->no_data_ms,
                                .stale = stale,
                                .closed = verdict->closed};
  for (int i = 0; i < GATE_COUNT; i++) {
    const struct gate_result *result = &verdict->gates[i];
    if (result->state == GATE_HARM && result->act == ACT_PAUSE) event.suspects |= 1u << i;
  }
  if (verdict->decided_by_gate) event.killed = verdict->gates[verdict->by].lane == LANE_KILLED;
  event.all_met =
      verdict->time_met && verdict->requests_met && verdict->users_met && verdict->gates_met;
  return event;
}

/* --- weights ---------------------------------------------------------------------------------- */

/* What the plan gives an arm other than stable now; after the last step the chosen one has all. */
static uint32_t planned_weight(const struct rollout *r, const struct plan *plan, uint32_t arm)
{
  if (r->step < plan->n_steps) return plan_weight(plan, r->step, arm);
  return arm == r->chosen ? PLAN_WHOLE : 0;
}

/* An arm other than stable, closed or not. */
static uint32_t treated_weight(const struct rollout *r, const struct plan *plan, uint32_t arm)
{
  uint64_t left;
  switch (r->state) {
    case ROLLOUT_RUNNING:
    case ROLLOUT_WAITING:
    case ROLLOUT_COMPLETED: return r->holdoff ? 0 : planned_weight(r, plan, arm);
    case ROLLOUT_PAUSED:
      if (!r->begun || r->holdoff || plan->pause_drains) return 0;
      return planned_weight(r, plan, arm);
    case ROLLOUT_SETTLED: return planned_weight(r, plan, arm);
    case ROLLOUT_ROLLED_BACK:
      if (!r->ebb_weight || arm != r->chosen || r->state_ms >= ROLLOUT_EBB_MS) return 0;
      left = ROLLOUT_EBB_STEPS - 1 - r->state_ms * ROLLOUT_EBB_STEPS / ROLLOUT_EBB_MS;
      return (uint32_t)(r->ebb_weight * left / ROLLOUT_EBB_STEPS);
    default: return 0;
  }
}

/* closed: of no weight, which is stable's then. */
static uint32_t weight_without(const struct rollout *rollout, const struct plan *plan, uint32_t arm,
                               uint32_t closed)
{
  if (arm != ARM_STABLE)
    return closed & ARM_BIT(arm) ? 0 : treated_weight(rollout, plan, arm);
  uint32_t stable = PLAN_WHOLE;
  for (uint32_t i = 0; i < ARMS_MAX; i++)
    if (i != ARM_STABLE && !(closed & ARM_BIT(i))) stable -= treated_weight(rollout, plan, i);
  return stable;
}

uint32_t rollout_share(const struct rollout *rollout, const struct plan *plan, uint32_t arm)
{
  return weight_without(rollout, plan, arm, 0);
}

uint32_t rollout_weight(const struct rollout *rollout, const struct plan *plan, uint32_t arm)
{
  return weight_without(rollout, plan, arm, rollout->closed);
}

uint32_t rollout_copied(const struct rollout *rollout, const struct plan *plan)
{
  bool runs = rollout->state == ROLLOUT_RUNNING || rollout->state == ROLLOUT_WAITING;
  if (!runs || rollout->holdoff || rollout->step >= plan->n_steps) return 0;
  const struct plan_step *step = &plan->steps[rollout->step];
  return step->kind == STEP_SHADOW ? step->weight : 0;
}

bool rollout_is_final(const struct rollout *rollout)
{
  bool ebbs = rollout->state == ROLLOUT_ROLLED_BACK && rollout->ebb_weight > 0;
  return state_facts(rollout->state)->ends && !ebbs;
}

uint32_t rollout_approvals_wanted(const struct rollout *rollout, const struct plan *plan)
{
  bool in_step = rollout->begun && rollout->step < plan->n_steps;
  uint32_t named = in_step ? plan->steps[rollout->step].approve_count : 0;
  switch (rollout->state) {
    case ROLLOUT_PENDING: return plan->two_person && plan_is_risky(plan, NULL) ? 1 : 0;
    case ROLLOUT_RUNNING:
    case ROLLOUT_PAUSED: return named;
    case ROLLOUT_WAITING: return named ? named : 1;
    default: return 0;
  }
}

void rollout_check(const struct rollout *r, const struct plan *plan)
{
  bool full = r->state == ROLLOUT_COMPLETED || r->state == ROLLOUT_SETTLED;
  bool stepping = r->state == ROLLOUT_RUNNING || r->state == ROLLOUT_WAITING;
  must(r->state < ROLLOUT_STATES && r->why < WHY_COUNT && r->gate < GATE_COUNT);
  must(r->step <= plan->n_steps);
  must(!full || (r->step == plan->n_steps && r->begun));
  must(!stepping || (r->step < plan->n_steps && r->begun));
  must(r->state != ROLLOUT_PENDING || (!r->begun && r->step == 0 && !r->holdoff));
  must(!r->from_harm || r->state == ROLLOUT_ROLLED_BACK);
  must(!r->ebb_weight || (r->state == ROLLOUT_ROLLED_BACK && !r->from_harm));
  must(!r->freeze_overridden || r->frozen);
  must(r->n_approvals <= ROLLOUT_APPROVALS_MAX);
  must(r->closed < ARM_BIT(ARMS_MAX) && !(r->closed & ARM_BIT(ARM_STABLE)));
  must(r->chosen < ARMS_MAX && !(r->closed & ARM_BIT(r->chosen)));
  must(!full || r->chosen != ARM_STABLE);
  must(r->proposal == WHEN_PROMOTE || r->proposal == WHEN_OVERRIDE_FREEZE ||
       r->proposal == ROLLOUT_WHENS);
  must(r->submitter[ROLLOUT_PERSON_MAX - 1] == 0 && r->person[ROLLOUT_PERSON_MAX - 1] == 0);
  must(rollout_weight(r, plan, ARM_STABLE) <= PLAN_WHOLE);
}

/* --- bytes ------------------------------------------------------------------------------------ */

/* Two arms, or of several none closed and none chosen but the first, need no more than form 1. */
enum { ROLLOUT_FORM = 1, ROLLOUT_FORM_ARMS };

static void text_put(struct varint_out *out, const char *text, size_t len)
{
  varint_put(out, len);
  for (size_t i = 0; i < len; i++) varint_put(out, (unsigned char)text[i]);
}

static void name_put(struct varint_out *out, const char name[ROLLOUT_PERSON_MAX])
{
  text_put(out, name, strnlen(name, ROLLOUT_PERSON_MAX - 1));
}

static bool text_get(struct slice *bytes, char *to, size_t cap, size_t *len)
{
  uint64_t n, byte;
  if (!varint_get(bytes, &n) || n > cap) return false;
  for (uint64_t i = 0; i < n; i++) {
    if (!varint_get(bytes, &byte) || byte > 255) return false;
    to[i] = (char)(unsigned char)byte;
  }
  *len = (size_t)n;
  return true;
}

static bool name_get(struct slice *bytes, char to[ROLLOUT_PERSON_MAX])
{
  size_t len;
  return text_get(bytes, to, ROLLOUT_PERSON_MAX - 1, &len) && !memchr(to, 0, len);
}

static uint64_t flags_of(const struct rollout *r)
{
  return (uint64_t)r->frozen | (uint64_t)r->freeze_overridden << 1 | (uint64_t)r->loaded << 2 |
         (uint64_t)r->begun << 3 | (uint64_t)r->from_harm << 4 | (uint64_t)r->passed << 5;
}

void rollout_write(const struct rollout *r, struct varint_out *out)
{
  bool arms = r->closed || r->chosen != ARM_CANDIDATE;
  uint64_t form = arms ? ROLLOUT_FORM_ARMS : ROLLOUT_FORM;
  const uint64_t numbers[] = {form,          r->state,    r->why,        r->gate,
                              r->step,       r->holdoff,  flags_of(r),   r->suspects,
                              r->waived,     r->clock_ms, r->state_ms,   r->no_data_ms,
                              r->ebb_weight, r->proposal, r->n_approvals};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) varint_put(out, numbers[i]);
  if (arms) varint_put(out, r->closed), varint_put(out, r->chosen);
  text_put(out, (const char *)r->spec.at, sizeof r->spec.at);
  name_put(out, r->submitter);
  name_put(out, r->person);
  name_put(out, r->proposer);
  for (uint32_t i = 0; i < r->n_approvals; i++) name_put(out, r->approvals[i]);
}

/* A number below max. */
static bool below(struct slice *bytes, uint64_t max, uint32_t *to)
{
  uint64_t value;
  if (!varint_get(bytes, &value) || value >= max) return false;
  *to = (uint32_t)value;
  return true;
}

static bool numbers_get(struct slice *bytes, struct rollout *r)
{
  uint32_t form, state, why, gate, flags, proposal;
  if (!below(bytes, ROLLOUT_FORM_ARMS + 1, &form) || form < ROLLOUT_FORM ||
      !below(bytes, ROLLOUT_STATES, &state) || !below(bytes, WHY_COUNT, &why) ||
      !below(bytes, GATE_COUNT, &gate) || !below(bytes, PLAN_STEPS_MAX + 1, &r->step) ||
      !below(bytes, 4, &r->holdoff) || !below(bytes, 1 << 6, &flags) ||
      !below(bytes, (uint64_t)1 << GATE_COUNT, &r->suspects) ||
      !below(bytes, (uint64_t)1 << GATE_COUNT, &r->waived) || !varint_get(bytes, &r->clock_ms) ||
      !varint_get(bytes, &r->state_ms) || !varint_get(bytes, &r->no_data_ms) ||
      !below(bytes, PLAN_WHOLE + 1, &r->ebb_weight) ||
      !below(bytes, ROLLOUT_WHENS + 1, &proposal) ||
      !below(bytes, ROLLOUT_APPROVALS_MAX + 1, &r->n_approvals))
    return false;
  if (form == ROLLOUT_FORM_ARMS &&
      (!below(bytes, ARM_BIT(ARMS_MAX), &r->closed) || !below(bytes, ARMS_MAX, &r->chosen) ||
       r->closed & (ARM_BIT(ARM_STABLE) | ARM_BIT(r->chosen))))
    return false;
  r->state = (enum rollout_state)state;
  r->why = (enum rollout_why)why;
  r->gate = (enum gate_id)gate;
  r->proposal = (enum rollout_when)proposal;
  r->frozen = flags & 1;
  r->freeze_overridden = flags & 2;
  r->loaded = flags & 4;
  r->begun = flags & 8;
  r->from_harm = flags & 16;
  r->passed = flags & 32;
  return true;
}

enum code rollout_read(struct rollout *rollout, struct slice *bytes, struct err *err)
{
  struct slice rest = *bytes;
  size_t len;
  memset(rollout, 0, sizeof *rollout);
  bool ok = numbers_get(&rest, rollout) &&
            text_get(&rest, (char *)rollout->spec.at, sizeof rollout->spec.at, &len) &&
            len == sizeof rollout->spec.at && name_get(&rest, rollout->submitter) &&
            name_get(&rest, rollout->person) && name_get(&rest, rollout->proposer);
  for (uint32_t i = 0; ok && i < rollout->n_approvals; i++)
    ok = name_get(&rest, rollout->approvals[i]);
  if (!ok) return fail(err, E_INVALID_ARGUMENT, "the state of a release cannot be read");
  *bytes = rest;
  return OK;
}

/* --- names ------------------------------------------------------------------------------------ */

static const struct state_facts states[ROLLOUT_STATES] = {
#define STATE(name, id, charge, splits, ends, protects, meaning) \
  [ROLLOUT_##id] = {#name, meaning, CHARGE_##charge, splits, ends, protects},
#include "judge/states.def"
#undef STATE
};

const struct state_facts *state_facts(enum rollout_state state)
{
  must(state < ROLLOUT_STATES);
  return &states[state];
}

const struct state_facts *state_facts_named(struct slice name)
{
  for (int i = 0; i < ROLLOUT_STATES; i++)
    if (slice_eq(slice_str(states[i].name), name)) return &states[i];
  return NULL;
}

enum rollout_charge rollout_charge(const struct rollout *rollout)
{
  const struct state_facts *facts = state_facts(rollout->state);
  bool ebbs = facts->ends && !rollout_is_final(rollout);
  return ebbs ? CHARGE_AS_IT_WAS : facts->charge;
}

const char *rollout_state_name(enum rollout_state state) { return state_facts(state)->name; }

const char *rollout_when_name(enum rollout_when when)
{
  static const char *const names[ROLLOUT_WHENS] = {
      [WHEN_UNDECIDED] = "undecided",
      [WHEN_NO_DATA] = "no_data",
      [WHEN_PASSED] = "passed",
      [WHEN_OVERDUE] = "overdue",
      [WHEN_SUSPECT] = "suspect",
      [WHEN_HARM] = "harm",
      [WHEN_TICK] = "tick",
      [WHEN_LOADED] = "loaded",
      [WHEN_LOAD_FAILED] = "load_failed",
      [WHEN_RESTARTED] = "restarted",
      [WHEN_FROZEN] = "frozen",
      [WHEN_THAWED] = "thawed",
      [WHEN_WAY_BACK_LOST] = "way_back_lost",
      [WHEN_SUPERSEDED] = "superseded",
      [WHEN_APPROVE] = "approve",
      [WHEN_REJECT] = "reject",
      [WHEN_PAUSE] = "pause",
      [WHEN_RESUME] = "resume",
      [WHEN_PROMOTE] = "promote",
      [WHEN_ABORT] = "abort",
      [WHEN_ROLLBACK] = "rollback",
      [WHEN_OVERRIDE_FREEZE] = "override_freeze",
  };
  must(when < ROLLOUT_WHENS);
  return names[when];
}

const struct why_facts *why_facts(enum rollout_why why)
{
  static const struct why_facts whys[WHY_COUNT] = {
#define WHY(name, id, meaning) [WHY_##id] = {#name, meaning},
#include "judge/whys.def"
#undef WHY
  };
  must(why < WHY_COUNT);
  return &whys[why];
}

const char *rollout_why_name(enum rollout_why why) { return why_facts(why)->name; }
