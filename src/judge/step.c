/* step.c - the table of the drawing in step.h: what each piece of news does in each state.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "judge/step.h"

#include <string.h>

#include "judge/step_int.h"

/* --- small moves ------------------------------------------------------------------------------ */

void step_enter(struct stepping *s, enum rollout_state state, enum rollout_why why,
                  unsigned deeds)
{
  s->r->state = state;
  s->r->why = why;
  s->r->state_ms = 0;
  s->move->deeds |= deeds | THEN_RECORD | THEN_NOTIFY;
}

void step_refuse(struct stepping *s, enum code code, const char *text)
{
  s->move->refused = code;
  s->move->text = text;
}

/* A step is left: what people and looks said of it is void. */
void step_forget(struct rollout *r)
{
  r->n_approvals = 0;
  memset(r->approvals, 0, sizeof r->approvals);
  r->proposal = ROLLOUT_WHENS;
  memset(r->proposer, 0, sizeof r->proposer);
  r->suspects = r->waived = 0;
  r->passed = false;
  r->no_data_ms = 0;
}

bool step_is_frozen(const struct rollout *r) { return r->frozen && !r->freeze_overridden; }

bool step_is_approved(const struct stepping *s)
{
  return s->r->n_approvals >= rollout_approvals_wanted(s->r, s->plan);
}

static void step_complete(struct stepping *s, enum rollout_why why)
{
  s->r->step = s->plan->n_steps;
  step_forget(s->r);
  step_enter(s, ROLLOUT_COMPLETED, why, THEN_PUBLISH);
}

void step_advance(struct stepping *s, enum rollout_why why)
{
  if (s->r->step + 1 >= s->plan->n_steps) {
    step_complete(s, why);
    return;
  }
  s->r->step++;
  step_forget(s->r);
  step_enter(s, ROLLOUT_RUNNING, why, THEN_PUBLISH | THEN_STEP);
}

/* Pending goes on as soon as nothing is in the way. */
void step_start_try(struct stepping *s)
{
  struct rollout *r = s->r;
  if (!r->loaded || step_is_frozen(r) || !step_is_approved(s)) return;
  r->begun = true;
  step_forget(r);
  if (s->plan->n_steps == 0)
    step_complete(s, WHY_BEGUN);
  else
    step_enter(s, ROLLOUT_RUNNING, WHY_BEGUN, THEN_PUBLISH | THEN_STEP);
}

/* Stable answers everything, now. */
void step_give_up(struct stepping *s, enum rollout_state state, enum rollout_why why)
{
  s->r->ebb_weight = 0;
  s->r->holdoff = 0;
  step_enter(s, state, why, THEN_PUBLISH_FIRST | THEN_UNLOAD_CANDIDATE);
}

/* The step has what it needs, but for persons. */
static void pass(struct stepping *s, enum rollout_why why)
{
  struct rollout *r = s->r;
  if (step_is_frozen(r) || r->holdoff) return;
  const struct plan_step *step = &s->plan->steps[r->step];
  bool ask = step->approve_count > r->n_approvals || step->kind == STEP_AB;
  if (ask)
    step_enter(s, ROLLOUT_WAITING, why, 0);
  else
    step_advance(s, why);
}

/* --- arms ------------------------------------------------------------------------------------- */

static uint32_t candidates(const struct stepping *s)
{
  return (ARM_BIT(plan_arms(s->plan)) - 1) & ~ARM_BIT(ARM_STABLE);
}

/* Some of the arms are out, and others are not. */
static bool some_leave(const struct stepping *s)
{
  const struct rollout *r = s->r;
  return s->event->closed & candidates(s) & ~r->closed &&
         candidates(s) & ~r->closed & ~s->event->closed;
}

/* What was said for an arm that is out is void. */
static void arms_close(struct stepping *s)
{
  struct rollout *r = s->r;
  r->closed |= s->event->closed & candidates(s);
  r->why = WHY_ARM_CLOSED;
  s->move->deeds |= THEN_PUBLISH_FIRST | THEN_RECORD | THEN_NOTIFY;
  if (!(r->closed & ARM_BIT(r->chosen))) return;
  r->chosen = ARM_STABLE;
  r->n_approvals = 0;
  memset(r->approvals, 0, sizeof r->approvals);
  r->proposal = ROLLOUT_WHENS;
  memset(r->proposer, 0, sizeof r->proposer);
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
  else if (!step_is_frozen(s->r) && !s->r->holdoff)
    step_enter(s, ROLLOUT_WAITING, WHY_INCONCLUSIVE, 0);
}

static void on_no_data(struct stepping *s)
{
  struct rollout *r = s->r;
  look_plain(s);
  r->no_data_ms = s->event->no_data_ms;
  if (r->state != ROLLOUT_RUNNING || r->no_data_ms < s->plan->no_data_deadline_ms) return;
  step_enter(s, ROLLOUT_PAUSED, WHY_NO_DATA, THEN_PUBLISH);
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
  step_enter(s, ROLLOUT_PAUSED, WHY_GATE, THEN_PUBLISH);
}

static void on_harm(struct stepping *s)
{
  s->r->from_harm = true;
  s->r->passed = false;
  s->r->gate = s->event->gate;
  step_give_up(s, ROLLOUT_ROLLED_BACK, s->event->killed ? WHY_KILLED : WHY_GATE);
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
  if (s->r->state_ms >= s->plan->approval_expiry_ms && !step_is_approved(s))
    step_give_up(s, ROLLOUT_ABORTED, WHY_EXPIRED);
  else
    step_start_try(s);
}

static void tick_paused(struct stepping *s)
{
  if (s->plan->pause_aborts && s->r->state_ms >= s->plan->pause_deadline_ms)
    step_give_up(s, ROLLOUT_ABORTED, WHY_EXPIRED);
}

static void tick_waiting(struct stepping *s)
{
  if (step_is_approved(s) && !step_is_frozen(s->r) && !s->r->holdoff)
    step_advance(s, WHY_APPROVED);
  else if (s->r->state_ms >= s->plan->approval_expiry_ms)
    step_give_up(s, ROLLOUT_ABORTED, WHY_EXPIRED);
}

static void tick_completed(struct stepping *s)
{
  if (s->r->holdoff || s->r->state_ms < s->plan->keep_previous_warm_ms) return;
  step_enter(s, ROLLOUT_SETTLED, WHY_KEPT_WARM, THEN_UNLOAD_PREVIOUS);
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
  if (s->r->ebb_weight) step_give_up(s, ROLLOUT_ROLLED_BACK, WHY_SUPERSEDED);
}

static void on_loaded(struct stepping *s)
{
  s->r->loaded = true;
  s->r->holdoff &= ~(uint32_t)HOLDOFF_LOAD;
  if (s->r->begun && !s->r->holdoff) s->move->deeds |= THEN_PUBLISH;
  if (s->r->state == ROLLOUT_PENDING) step_start_try(s);
}

/* Begun: it was in memory before a restart and cannot be brought back. */
static void on_load_failed(struct stepping *s)
{
  bool stepping = s->r->begun && s->r->step < s->plan->n_steps;
  if (stepping && some_leave(s))
    arms_close(s);
  else
    step_give_up(s, s->r->begun ? ROLLOUT_ROLLED_BACK : ROLLOUT_FAILED, WHY_LOAD);
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
    step_start_try(s);
  else if (r->state == ROLLOUT_WAITING && step_is_approved(s) && !r->holdoff)
    step_advance(s, WHY_APPROVED);
}

static void way_back_barred(struct stepping *s)
{
  if (s->event->barred) step_give_up(s, ROLLOUT_ABORTED, WHY_QUARANTINED);
}

static void on_way_back_lost(struct stepping *s)
{
  if (s->event->barred && s->r->state != ROLLOUT_COMPLETED && s->r->state != ROLLOUT_ROLLED_BACK)
    way_back_barred(s);
  else
    step_enter(s, ROLLOUT_PAUSED, WHY_WAY_BACK, THEN_PUBLISH);
}

/* What a person was taking out is all that is left. */
static void way_back_lost_ebbing(struct stepping *s)
{
  if (!s->r->ebb_weight) return;
  s->r->ebb_weight = 0;
  on_way_back_lost(s);
}

static void on_superseded(struct stepping *s) { step_give_up(s, ROLLOUT_ABORTED, WHY_SUPERSEDED); }

/* The candidate is what the next release starts from. */
static void superseded_completed(struct stepping *s)
{
  step_enter(s, ROLLOUT_SETTLED, WHY_SUPERSEDED, THEN_UNLOAD_PREVIOUS);
}

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
    {ON(WAY_BACK_LOST), BACK, way_back_lost_ebbing},
    {ON(WAY_BACK_LOST), PENDING | PAUSED, way_back_barred},
    {ON(WAY_BACK_LOST), ENDED, nothing},
    {ON(SUPERSEDED), PENDING | STEPS, on_superseded},
    {ON(SUPERSEDED), COMPLETED, superseded_completed},
    {ON(SUPERSEDED), BACK, ebb_end},
    {ON(SUPERSEDED), ENDED, nothing},

    {ON(APPROVE), PENDING | STEPS, say_approve},
    {ON(REJECT), PENDING | STEPS, say_reject},
    {ON(PAUSE), PENDING | RUNNING | WAITING, say_pause},
    {ON(PAUSE), PAUSED, say_paused_already},
    {ON(RESUME), PAUSED, say_resume},
    {ON(RESUME), PENDING | RUNNING | WAITING | COMPLETED, say_not_paused},
    {ON(PROMOTE), PENDING | RUNNING | PAUSED, say_promote},
    {ON(PROMOTE), WAITING, say_promote_waiting},
    {ON(OVERRIDE_FREEZE), PENDING | STEPS, say_override},
    {WORDS & ~ON(RESUME), COMPLETED, say_complete_already},
    {WORDS, BACK | ENDED, say_ended},
    {ON(ABORT), LIVE, say_abort},
    {ON(ROLLBACK), LIVE, say_rollback},
    {OUTS, BACK, say_abort_ebbing},
    {OUTS, ENDED, say_ended},
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
  bool stepping = STEPS >> rollout->state & 1 && r->step < plan->n_steps;
  if (LOOKS >> event->when & 1 && stepping && some_leave(&s)) {
    arms_close(&s); /* first of all: the rest is said again with the next look */
    rollout_check(r, plan);
    return move;
  }
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
