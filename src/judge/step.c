/* step.c - the table of the drawing in step.h: what each piece of news does in each state.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "judge/step.h"

#include <string.h>

/* What a row's function works on. */
struct stepping {
  struct rollout *r; /* becomes the next state */
  const struct plan *plan;
  const struct rollout_event *event;
  struct rollout_move *move;
};

/* --- small moves ------------------------------------------------------------------------------ */

static void enter(struct stepping *s, enum rollout_state state, enum rollout_why why,
                  unsigned deeds)
{
  s->r->state = state;
  s->r->why = why;
  s->r->state_ms = 0;
  s->move->deeds |= deeds | THEN_RECORD | THEN_NOTIFY;
}

static void refuse(struct stepping *s, enum code code, const char *text)
{
  s->move->refused = code;
  s->move->text = text;
}

/* A step is left: what people and looks said of it is void. */
static void forget(struct rollout *r)
{
  r->n_approvals = 0;
  memset(r->approvals, 0, sizeof r->approvals);
  r->proposal = ROLLOUT_WHENS;
  memset(r->proposer, 0, sizeof r->proposer);
  r->suspects = r->waived = 0;
  r->passed = false;
  r->no_data_ms = 0;
}

static bool is_frozen(const struct rollout *r) { return r->frozen && !r->freeze_overridden; }

static bool is_approved(const struct stepping *s)
{
  return s->r->n_approvals >= rollout_approvals_wanted(s->r, s->plan);
}

static void complete(struct stepping *s, enum rollout_why why)
{
  s->r->step = s->plan->n_steps;
  forget(s->r);
  enter(s, ROLLOUT_COMPLETED, why, THEN_PUBLISH);
}

static void advance(struct stepping *s, enum rollout_why why)
{
  if (s->r->step + 1 >= s->plan->n_steps) {
    complete(s, why);
    return;
  }
  s->r->step++;
  forget(s->r);
  enter(s, ROLLOUT_RUNNING, why, THEN_PUBLISH | THEN_STEP);
}

/* Pending goes on as soon as nothing is in the way. */
static void start_try(struct stepping *s)
{
  struct rollout *r = s->r;
  if (!r->loaded || is_frozen(r) || !is_approved(s)) return;
  r->begun = true;
  forget(r);
  if (s->plan->n_steps == 0)
    complete(s, WHY_BEGUN);
  else
    enter(s, ROLLOUT_RUNNING, WHY_BEGUN, THEN_PUBLISH | THEN_STEP);
}

/* Stable answers everything, now. */
static void give_up(struct stepping *s, enum rollout_state state, enum rollout_why why)
{
  s->r->ebb_weight = 0;
  s->r->holdoff = 0;
  enter(s, state, why, THEN_PUBLISH_FIRST | THEN_UNLOAD_CANDIDATE);
}

/* The step has what it needs, but for persons. */
static void pass(struct stepping *s, enum rollout_why why)
{
  struct rollout *r = s->r;
  if (is_frozen(r) || r->holdoff) return;
  const struct plan_step *step = &s->plan->steps[r->step];
  bool ask = step->approve_count > r->n_approvals || step->kind == STEP_AB;
  if (ask)
    enter(s, ROLLOUT_WAITING, why, 0);
  else
    advance(s, why);
}

/* --- looks ------------------------------------------------------------------------------------ */

/* After a restart: one look without harm that holds lets the candidate back in. */
static void look_seen(struct stepping *s)
{
  struct rollout *r = s->r;
  if (r->holdoff != HOLDOFF_LOOK || s->event->stale || r->from_harm) return;
  r->holdoff = 0;
  s->move->deeds |= THEN_PUBLISH;
}

static void look_plain(struct stepping *s)
{
  s->r->passed = false;
  s->r->suspects = 0;
  s->r->no_data_ms = 0;
  look_seen(s);
}

static void on_passed(struct stepping *s)
{
  look_plain(s);
  s->r->passed = true;
  if (s->r->state == ROLLOUT_RUNNING) pass(s, WHY_PASSED);
}

static void on_overdue(struct stepping *s)
{
  look_plain(s);
  if (s->r->state != ROLLOUT_RUNNING || s->plan->on_inconclusive == INCONCLUSIVE_HOLD) return;
  if (s->plan->on_inconclusive == INCONCLUSIVE_ADVANCE)
    pass(s, WHY_INCONCLUSIVE);
  else if (!is_frozen(s->r) && !s->r->holdoff)
    enter(s, ROLLOUT_WAITING, WHY_INCONCLUSIVE, 0);
}

static void on_no_data(struct stepping *s)
{
  struct rollout *r = s->r;
  look_plain(s);
  r->no_data_ms = s->event->no_data_ms;
  if (r->state != ROLLOUT_RUNNING || r->no_data_ms < s->plan->no_data_deadline_ms) return;
  enter(s, ROLLOUT_PAUSED, WHY_NO_DATA, THEN_PUBLISH);
}

static enum gate_id gate_first(uint32_t bits)
{
  return bits ? (enum gate_id)__builtin_ctz(bits) : GATE_PERSON;
}

static void on_suspect(struct stepping *s)
{
  struct rollout *r = s->r;
  uint32_t open = s->event->suspects & ~r->waived;
  look_plain(s);
  r->suspects = s->event->suspects;
  if (!open) {
    r->passed = s->event->all_met;
    if (r->passed && r->state == ROLLOUT_RUNNING) pass(s, WHY_PASSED);
    return;
  }
  if (r->state != ROLLOUT_RUNNING) return;
  r->gate = gate_first(open);
  enter(s, ROLLOUT_PAUSED, WHY_GATE, THEN_PUBLISH);
}

static void on_harm(struct stepping *s)
{
  s->r->from_harm = true;
  s->r->passed = false;
  s->r->gate = s->event->gate;
  give_up(s, ROLLOUT_ROLLED_BACK, s->event->killed ? WHY_KILLED : WHY_GATE);
}

/* Harm was found after a person had begun to take the candidate out. */
static void on_harm_ebbing(struct stepping *s)
{
  if (!s->r->ebb_weight) return;
  on_harm(s);
}

/* --- time and the daemon ---------------------------------------------------------------------- */

static void tick_pending(struct stepping *s)
{
  if (s->r->state_ms >= s->plan->approval_expiry_ms && !is_approved(s))
    give_up(s, ROLLOUT_ABORTED, WHY_EXPIRED);
  else
    start_try(s);
}

static void tick_paused(struct stepping *s)
{
  if (s->plan->pause_aborts && s->r->state_ms >= s->plan->pause_deadline_ms)
    give_up(s, ROLLOUT_ABORTED, WHY_EXPIRED);
}

static void tick_waiting(struct stepping *s)
{
  if (is_approved(s) && !is_frozen(s->r) && !s->r->holdoff)
    advance(s, WHY_APPROVED);
  else if (s->r->state_ms >= s->plan->approval_expiry_ms)
    give_up(s, ROLLOUT_ABORTED, WHY_EXPIRED);
}

static void tick_completed(struct stepping *s)
{
  if (s->r->holdoff || s->r->state_ms < s->plan->keep_previous_warm_ms) return;
  enter(s, ROLLOUT_SETTLED, WHY_KEPT_WARM, THEN_UNLOAD_PREVIOUS);
}

/* A tenth less each tenth of the time; then the candidate may go. */
static void tick_ebbing(struct stepping *s)
{
  if (!s->r->ebb_weight) return;
  s->move->deeds |= THEN_PUBLISH;
  if (s->r->state_ms < ROLLOUT_EBB_MS) return;
  s->r->ebb_weight = 0;
  s->move->deeds |= THEN_RECORD | THEN_UNLOAD_CANDIDATE;
}

/* Another release begins from stable alone. */
static void ebb_end(struct stepping *s)
{
  if (s->r->ebb_weight) give_up(s, ROLLOUT_ROLLED_BACK, WHY_SUPERSEDED);
}

static void on_loaded(struct stepping *s)
{
  s->r->loaded = true;
  s->r->holdoff &= ~(uint32_t)HOLDOFF_LOAD;
  if (s->r->begun && !s->r->holdoff) s->move->deeds |= THEN_PUBLISH;
  if (s->r->state == ROLLOUT_PENDING) start_try(s);
}

/* Begun: it was in memory before a restart and cannot be brought back. */
static void on_load_failed(struct stepping *s)
{
  give_up(s, s->r->begun ? ROLLOUT_ROLLED_BACK : ROLLOUT_FAILED, WHY_LOAD);
}

static void on_restarted(struct stepping *s)
{
  s->r->loaded = false;
  if (s->r->begun) s->r->holdoff = HOLDOFF_LOAD | (s->plan->n_steps ? HOLDOFF_LOOK : 0);
  s->move->deeds |= THEN_LOAD | THEN_PUBLISH;
}

/* What was left goes at once; the tick that comes says so to the ledger. */
static void restarted_ebbing(struct stepping *s)
{
  if (s->r->ebb_weight) s->r->state_ms = ROLLOUT_EBB_MS;
}

static void on_frozen(struct stepping *s)
{
  if (!s->r->frozen) s->r->freeze_overridden = false;
  s->r->frozen = true;
}

static void on_thawed(struct stepping *s)
{
  struct rollout *r = s->r;
  r->frozen = r->freeze_overridden = false;
  if (r->proposal == WHEN_OVERRIDE_FREEZE) r->proposal = ROLLOUT_WHENS;
  if (r->state == ROLLOUT_PENDING)
    start_try(s);
  else if (r->state == ROLLOUT_WAITING && is_approved(s) && !r->holdoff)
    advance(s, WHY_APPROVED);
}

static void on_way_back_lost(struct stepping *s)
{
  enter(s, ROLLOUT_PAUSED, WHY_WAY_BACK, THEN_PUBLISH);
}

static void on_superseded(struct stepping *s) { give_up(s, ROLLOUT_ABORTED, WHY_SUPERSEDED); }

/* The candidate is what the next release starts from. */
static void superseded_completed(struct stepping *s)
{
  enter(s, ROLLOUT_SETTLED, WHY_SUPERSEDED, THEN_UNLOAD_PREVIOUS);
}

/* --- persons ---------------------------------------------------------------------------------- */

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
    refuse(s, E_CONFLICT, "nothing waits for an approval now");
  else if (rank(event->role) < rank(role_wanted(s)))
    refuse(s, E_DENIED, "this step asks for another role to approve it");
  else if (event->step != r->step || memcmp(&event->spec, &r->spec, sizeof r->spec) != 0)
    refuse(s, E_CONFLICT, "the release has moved on since you looked; look again");
  return s->move->refused == OK;
}

static void on_approve(struct stepping *s)
{
  struct rollout *r = s->r;
  const char *person = s->event->person;
  if (!may_judge(s)) return;
  if (person_is(r->submitter, person)) {
    refuse(s, E_DENIED, "who submitted a release cannot approve it; another person's key can: "
           "slipway key add --role approver --person NAME");
    return;
  }
  for (uint32_t i = 0; i < r->n_approvals; i++)
    if (person_is(r->approvals[i], person)) {
      s->move->text = "you have approved this step already";
      return;
    }
  if (r->n_approvals == ROLLOUT_APPROVALS_MAX) {
    refuse(s, E_CONFLICT, "there are approvals enough");
    return;
  }
  person_copy(r->approvals[r->n_approvals++], person);
  person_copy(r->person, person);
  s->move->deeds |= THEN_RECORD;
  if (!is_approved(s))
    s->move->text = "approved; more approvals are needed";
  else if (is_frozen(r))
    s->move->text = "approved; it goes on when the freeze ends";
  if (r->state == ROLLOUT_PENDING) start_try(s);
  if (r->state == ROLLOUT_WAITING && is_approved(s) && !is_frozen(r) && !r->holdoff)
    advance(s, WHY_APPROVED);
}

static void on_reject(struct stepping *s)
{
  if (!may_judge(s)) return;
  person_copy(s->r->person, s->event->person);
  give_up(s, ROLLOUT_ABORTED, WHY_PERSON);
}

static void on_pause(struct stepping *s)
{
  person_copy(s->r->person, s->event->person);
  enter(s, ROLLOUT_PAUSED, WHY_PERSON, THEN_PUBLISH);
}

static void already_paused(struct stepping *s) { s->move->text = "it is paused already"; }

static void not_paused(struct stepping *s) { refuse(s, E_CONFLICT, "it is not paused"); }

static void on_resume(struct stepping *s)
{
  struct rollout *r = s->r;
  if (is_frozen(r) && s->plan->pause_drains) {
    refuse(s, E_CONFLICT, "a freeze is on, and resuming would give the candidate traffic again");
    return;
  }
  person_copy(r->person, s->event->person);
  r->waived |= r->suspects;
  bool full = r->begun && r->step >= s->plan->n_steps;
  enum rollout_state to = !r->begun ? ROLLOUT_PENDING : full ? ROLLOUT_COMPLETED : ROLLOUT_RUNNING;
  enter(s, to, WHY_PERSON, THEN_PUBLISH);
  if (to == ROLLOUT_PENDING) start_try(s);
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

static void on_promote(struct stepping *s)
{
  struct rollout *r = s->r;
  if (!r->begun) {
    refuse(s, E_CONFLICT, "it has not begun; see what it waits for with: slipway status");
    return;
  }
  if (r->holdoff) {
    refuse(s, E_CONFLICT, "the candidate is still being loaded after a restart; try again soon");
    return;
  }
  if (is_frozen(r)) {
    refuse(s, E_CONFLICT, "a freeze is on; lift it, or override it with a second person");
    return;
  }
  if (r->step >= s->plan->n_steps) {
    refuse(s, E_CONFLICT, "the candidate has all traffic already; resume it, or roll back");
    return;
  }
  if (s->plan->two_person && !r->passed &&
      !seconded(s, "the gates have not passed: a second person must say the same"))
    return;
  person_copy(r->person, s->event->person);
  if (s->plan->steps[r->step].approve_count > r->n_approvals)
    enter(s, ROLLOUT_WAITING, WHY_PERSON, THEN_PUBLISH);
  else
    advance(s, WHY_PERSON);
}

static void promote_waiting(struct stepping *s)
{
  refuse(s, E_CONFLICT, "it waits for approvals, which promote does not replace");
}

static void on_abort(struct stepping *s)
{
  bool full = s->r->state == ROLLOUT_COMPLETED;
  person_copy(s->r->person, s->event->person);
  give_up(s, full ? ROLLOUT_ROLLED_BACK : ROLLOUT_ABORTED, WHY_PERSON);
}

static void on_rollback(struct stepping *s)
{
  struct rollout *r = s->r;
  uint32_t weight = rollout_weight(r, s->plan, ARM_CANDIDATE);
  person_copy(r->person, s->event->person);
  if (!s->plan->gradual || !weight) {
    give_up(s, ROLLOUT_ROLLED_BACK, WHY_PERSON);
    return;
  }
  r->ebb_weight = weight;
  enter(s, ROLLOUT_ROLLED_BACK, WHY_PERSON, THEN_PUBLISH);
}

/* Out at once after all. */
static void abort_ebbing(struct stepping *s)
{
  if (s->r->ebb_weight)
    give_up(s, ROLLOUT_ROLLED_BACK, WHY_PERSON);
  else
    refuse(s, E_CONFLICT, "the release has ended");
}

static void on_override(struct stepping *s)
{
  if (!is_frozen(s->r)) {
    refuse(s, E_CONFLICT, "no freeze is in the way");
    return;
  }
  if (!seconded(s, "a second person must override the freeze, too")) return;
  person_copy(s->r->person, s->event->person);
  s->r->freeze_overridden = true;
  s->move->deeds |= THEN_RECORD;
  if (s->r->state == ROLLOUT_PENDING) start_try(s);
}

static void complete_already(struct stepping *s)
{
  refuse(s, E_CONFLICT, "the candidate has all traffic; roll back to take it away");
}

static void ended(struct stepping *s) { refuse(s, E_CONFLICT, "the release has ended"); }

static void nothing(struct stepping *s) { (void)s; }

/* --- the table -------------------------------------------------------------------------------- */

enum {
  PENDING = 1 << ROLLOUT_PENDING,
  RUNNING = 1 << ROLLOUT_RUNNING,
  PAUSED = 1 << ROLLOUT_PAUSED,
  WAITING = 1 << ROLLOUT_WAITING,
  COMPLETED = 1 << ROLLOUT_COMPLETED,
  BACK = 1 << ROLLOUT_ROLLED_BACK,
  ENDED = 1 << ROLLOUT_SETTLED | 1 << ROLLOUT_ABORTED | 1 << ROLLOUT_FAILED,
  STEPS = RUNNING | PAUSED | WAITING,
  LIVE = PENDING | STEPS | COMPLETED,
};

/* Sets of news. */
enum {
  LOOKS = 1 << WHEN_UNDECIDED | 1 << WHEN_NO_DATA | 1 << WHEN_PASSED | 1 << WHEN_OVERDUE |
          1 << WHEN_SUSPECT,
  WORDS = 1 << WHEN_APPROVE | 1 << WHEN_REJECT | 1 << WHEN_PAUSE | 1 << WHEN_RESUME |
          1 << WHEN_PROMOTE | 1 << WHEN_OVERRIDE_FREEZE,
  OUTS = 1 << WHEN_ABORT | 1 << WHEN_ROLLBACK,
  LOADS = 1 << WHEN_LOADED | 1 << WHEN_LOAD_FAILED,
  FROSTS = 1 << WHEN_FROZEN | 1 << WHEN_THAWED,
};
#define ON(when) (1u << WHEN_##when)

static const struct row {
  unsigned whens, states;
  void (*run)(struct stepping *s);
} rows[] = {
    {ON(UNDECIDED), LIVE, look_plain},
    {ON(NO_DATA), LIVE, on_no_data},
    {ON(PASSED), LIVE, on_passed},
    {ON(OVERDUE), LIVE, on_overdue},
    {ON(SUSPECT), LIVE, on_suspect},
    {LOOKS, BACK | ENDED, nothing},
    {ON(HARM), LIVE, on_harm},
    {ON(HARM), BACK, on_harm_ebbing},
    {ON(HARM), ENDED, nothing},

    {ON(TICK), PENDING, tick_pending},
    {ON(TICK), PAUSED, tick_paused},
    {ON(TICK), WAITING, tick_waiting},
    {ON(TICK), COMPLETED, tick_completed},
    {ON(TICK), BACK, tick_ebbing},
    {ON(TICK), RUNNING | ENDED, nothing},
    {ON(LOADED), LIVE, on_loaded},
    {ON(LOAD_FAILED), LIVE, on_load_failed},
    {LOADS, BACK | ENDED, nothing},
    {ON(RESTARTED), LIVE, on_restarted},
    {ON(RESTARTED), BACK, restarted_ebbing},
    {ON(RESTARTED), ENDED, nothing},
    {ON(FROZEN), LIVE, on_frozen},
    {ON(THAWED), LIVE, on_thawed},
    {FROSTS, BACK | ENDED, nothing},
    {ON(WAY_BACK_LOST), RUNNING | WAITING | COMPLETED, on_way_back_lost},
    {ON(WAY_BACK_LOST), PENDING | PAUSED | BACK | ENDED, nothing},
    {ON(SUPERSEDED), PENDING | STEPS, on_superseded},
    {ON(SUPERSEDED), COMPLETED, superseded_completed},
    {ON(SUPERSEDED), BACK, ebb_end},
    {ON(SUPERSEDED), ENDED, nothing},

    {ON(APPROVE), PENDING | STEPS, on_approve},
    {ON(REJECT), PENDING | STEPS, on_reject},
    {ON(PAUSE), PENDING | RUNNING | WAITING, on_pause},
    {ON(PAUSE), PAUSED, already_paused},
    {ON(RESUME), PAUSED, on_resume},
    {ON(RESUME), PENDING | RUNNING | WAITING | COMPLETED, not_paused},
    {ON(PROMOTE), PENDING | RUNNING | PAUSED, on_promote},
    {ON(PROMOTE), WAITING, promote_waiting},
    {ON(OVERRIDE_FREEZE), PENDING | STEPS, on_override},
    {WORDS & ~ON(RESUME), COMPLETED, complete_already},
    {WORDS, BACK | ENDED, ended},
    {ON(ABORT), LIVE, on_abort},
    {ON(ROLLBACK), LIVE, on_rollback},
    {OUTS, BACK, abort_ebbing},
    {OUTS, ENDED, ended},
};

struct rollout_move rollout_step(const struct rollout *rollout, const struct plan *plan,
                                 const struct rollout_event *event, uint64_t now_ms)
{
  struct rollout_move move = {.next = *rollout, .text = ""};
  struct rollout *r = &move.next;
  bool jumped = event->when == WHEN_RESTARTED || now_ms < r->clock_ms;
  if (!jumped) r->state_ms += now_ms - r->clock_ms;
  r->clock_ms = now_ms;
  struct stepping s = {r, plan, event, &move};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    if (!(rows[i].whens >> event->when & 1 && rows[i].states >> rollout->state & 1)) continue;
    rows[i].run(&s);
    if (move.refused == OK) rollout_check(r, plan);
    if (move.refused == OK) return move;
    const char *text = move.text; /* nothing changed, but the time */
    enum code refused = move.refused;
    move = (struct rollout_move){.next = *rollout, .refused = refused, .text = text};
    move.next.clock_ms = now_ms;
    if (!jumped) move.next.state_ms += now_ms - rollout->clock_ms;
    return move;
  }
  must(!"a state and news that nobody drew");
  return move;
}
