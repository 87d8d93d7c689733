/* step_say.c - what a person's word does in each state of a release.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "judge/step_int.h"

#include <string.h>

static void person_copy(char to[ROLLOUT_PERSON_MAX], const char *person)
{
  memset(to, 0, ROLLOUT_PERSON_MAX);
  memcpy(to, person, strnlen(person, ROLLOUT_PERSON_MAX - 1));
}

static bool person_is(const char known[ROLLOUT_PERSON_MAX], const char *person)
{
  return strncmp(known, person, ROLLOUT_PERSON_MAX - 1) == 0;
}

static int rank(enum plan_role role)
{
  return role == PLAN_ADMIN ? 2 : role == PLAN_APPROVER ? 1 : 0;
}

static enum plan_role role_wanted(const struct stepping *s)
{
  const struct rollout *r = s->r;
  bool in_step = r->begun && r->step < s->plan->n_steps;
  if (in_step && s->plan->steps[r->step].approve_count) return s->plan->steps[r->step].approve_role;
  return PLAN_APPROVER;
}

/* Whether this person may judge what is shown now. */
static bool may_judge(struct stepping *s)
{
  const struct rollout_event *event = s->event;
  struct rollout *r = s->r;
  if (!rollout_approvals_wanted(r, s->plan))
    step_refuse(s, E_CONFLICT, "nothing waits for an approval now");
  else if (rank(event->role) < rank(role_wanted(s)))
    step_refuse(s, E_DENIED, "this step asks for another role to approve it");
  else if (event->step != r->step || memcmp(&event->spec, &r->spec, sizeof r->spec) != 0)
    step_refuse(s, E_CONFLICT, "the release has moved on since you looked; look again");
  return s->move->refused == OK;
}

/* Of several candidates, the one that is to go on. */
static bool arm_choose(struct stepping *s)
{
  struct rollout *r = s->r;
  const struct plan *plan = s->plan;
  uint32_t says = s->event->says_arm;
  bool several = plan_arms(plan) > ARM_MORE && r->begun && r->step < plan->n_steps;
  bool settled = r->n_approvals || r->proposal == WHEN_PROMOTE;
  if (says == 1 + ARM_STABLE)
    step_refuse(s, E_CONFLICT, "to keep the stable version, abort the release");
  else if (says && says - 1 >= plan_arms(plan))
    step_refuse(s, E_CONFLICT, "the plan has no such arm");
  else if (says && r->closed & ARM_BIT(says - 1))
    step_refuse(s, E_CONFLICT, "that arm is closed: it was found harmful, or its version is lost");
  else if (several && settled && says && says - 1 != r->chosen)
    step_refuse(s, E_CONFLICT, "another arm was chosen before; abort, or say the same");
  if (s->move->refused || !several) return s->move->refused == OK;
  if (settled && r->chosen != ARM_STABLE) return true;
  if (!says) says = s->event->winner;
  bool out = says && (says - 1 >= plan_arms(plan) || r->closed & ARM_BIT(says - 1));
  if (!says || out || says == 1 + ARM_STABLE) {
    step_refuse(s, E_CONFLICT,
                says && !out
                    ? "stable has won: abort the release, or say which arm goes on with --arm"
                    : "no arm has won: say which one goes on with --arm, or abort the release");
    return false;
  }
  r->chosen = says - 1;
  return true;
}

void say_approve(struct stepping *s)
{
  struct rollout *r = s->r;
  const char *person = s->event->person;
  if (!may_judge(s)) return;
  if (person_is(r->submitter, person)) {
    step_refuse(s, E_DENIED,
                "who submitted a release cannot approve it; another person's key can: "
                "slipway key add --role approver --person NAME");
    return;
  }
  for (uint32_t i = 0; i < r->n_approvals; i++)
    if (person_is(r->approvals[i], person)) {
      s->move->text = "you have approved this step already";
      return;
    }
  if (r->n_approvals == ROLLOUT_APPROVALS_MAX) {
    step_refuse(s, E_CONFLICT, "there are approvals enough");
    return;
  }
  if (!arm_choose(s)) return;
  person_copy(r->approvals[r->n_approvals++], person);
  person_copy(r->person, person);
  s->move->deeds |= THEN_RECORD;
  if (!step_is_approved(s))
    s->move->text = "approved; more approvals are needed";
  else if (step_is_frozen(r))
    s->move->text = "approved; it goes on when the freeze ends";
  if (r->state == ROLLOUT_PENDING) step_start_try(s);
  if (r->state == ROLLOUT_WAITING && step_is_approved(s) && !step_is_frozen(r) && !r->holdoff)
    step_advance(s, WHY_APPROVED);
}

void say_reject(struct stepping *s)
{
  if (!may_judge(s)) return;
  person_copy(s->r->person, s->event->person);
  step_give_up(s, ROLLOUT_ABORTED, WHY_PERSON);
}

void say_pause(struct stepping *s)
{
  person_copy(s->r->person, s->event->person);
  step_enter(s, ROLLOUT_PAUSED, WHY_PERSON, THEN_PUBLISH);
}

void say_paused_already(struct stepping *s) { s->move->text = "it is paused already"; }

void say_not_paused(struct stepping *s) { step_refuse(s, E_CONFLICT, "it is not paused"); }

void say_resume(struct stepping *s)
{
  struct rollout *r = s->r;
  if (step_is_frozen(r) && s->plan->pause_drains) {
    step_refuse(s, E_CONFLICT,
                "a freeze is on, and resuming would give the candidate traffic again");
    return;
  }
  person_copy(r->person, s->event->person);
  r->waived |= r->suspects;
  bool full = r->begun && r->step >= s->plan->n_steps;
  enum rollout_state to = !r->begun ? ROLLOUT_PENDING : full ? ROLLOUT_COMPLETED : ROLLOUT_RUNNING;
  step_enter(s, to, WHY_PERSON, THEN_PUBLISH);
  if (to == ROLLOUT_PENDING) step_start_try(s);
}

/* True once a second person says the same; the first one's word is kept as a proposal. */
static bool seconded(struct stepping *s, const char *asks)
{
  struct rollout *r = s->r;
  if (r->proposal == s->event->when && !person_is(r->proposer, s->event->person)) {
    r->proposal = ROLLOUT_WHENS;
    memset(r->proposer, 0, sizeof r->proposer);
    return true;
  }
  s->move->text = asks;
  if (r->proposal == s->event->when) return false;
  r->proposal = s->event->when;
  person_copy(r->proposer, s->event->person);
  s->move->deeds |= THEN_RECORD;
  return false;
}

void say_promote(struct stepping *s)
{
  struct rollout *r = s->r;
  if (!r->begun) {
    step_refuse(s, E_CONFLICT, "it has not begun; see what it waits for with: slipway status");
    return;
  }
  if (r->holdoff) {
    step_refuse(s, E_CONFLICT,
                "the candidate is still being loaded after a restart; try again soon");
    return;
  }
  if (step_is_frozen(r)) {
    step_refuse(s, E_CONFLICT, "a freeze is on; lift it, or override it with a second person");
    return;
  }
  if (r->step >= s->plan->n_steps) {
    step_refuse(s, E_CONFLICT, "the candidate has all traffic already; resume it, or roll back");
    return;
  }
  if (!arm_choose(s)) return;
  if (s->plan->two_person && !r->passed &&
      !seconded(s, "the gates have not passed: a second person must say the same"))
    return;
  person_copy(r->person, s->event->person);
  if (s->plan->steps[r->step].approve_count > r->n_approvals)
    step_enter(s, ROLLOUT_WAITING, WHY_PERSON, THEN_PUBLISH);
  else
    step_advance(s, WHY_PERSON);
}

void say_promote_waiting(struct stepping *s)
{
  step_refuse(s, E_CONFLICT, "it waits for approvals, which promote does not replace");
}

void say_abort(struct stepping *s)
{
  bool full = s->r->state == ROLLOUT_COMPLETED;
  person_copy(s->r->person, s->event->person);
  step_give_up(s, full ? ROLLOUT_ROLLED_BACK : ROLLOUT_ABORTED, WHY_PERSON);
}

void say_rollback(struct stepping *s)
{
  struct rollout *r = s->r;
  uint32_t weight = r->chosen == ARM_STABLE ? 0 : rollout_weight(r, s->plan, r->chosen);
  person_copy(r->person, s->event->person);
  if (!s->plan->gradual || !weight) {
    step_give_up(s, ROLLOUT_ROLLED_BACK, WHY_PERSON);
    return;
  }
  r->ebb_weight = weight;
  step_enter(s, ROLLOUT_ROLLED_BACK, WHY_PERSON, THEN_PUBLISH);
}

/* Out at once after all. */
void say_abort_ebbing(struct stepping *s)
{
  if (s->r->ebb_weight)
    step_give_up(s, ROLLOUT_ROLLED_BACK, WHY_PERSON);
  else
    step_refuse(s, E_CONFLICT, "the release has say_ended");
}

void say_override(struct stepping *s)
{
  if (!step_is_frozen(s->r)) {
    step_refuse(s, E_CONFLICT, "no freeze is in the way");
    return;
  }
  if (!seconded(s, "a second person must override the freeze, too")) return;
  person_copy(s->r->person, s->event->person);
  s->r->freeze_overridden = true;
  s->move->deeds |= THEN_RECORD;
  if (s->r->state == ROLLOUT_PENDING) step_start_try(s);
}

void say_complete_already(struct stepping *s)
{
  step_refuse(s, E_CONFLICT, "the candidate has all traffic; roll back to take it away");
}

void say_ended(struct stepping *s) { step_refuse(s, E_CONFLICT, "the release has say_ended"); }
