/* step.h - the way of a release: states, what moves them, what is then to be done. One pure table.
 * Thread: any, pure; a `struct rollout` is plain bytes (below 4 KiB) and is what the ledger keeps.
 *
 *            .--LOAD FAILED--> failed
 *   pending -+--ready: loaded, approved, no freeze--> running(0)
 *            |
 *   running(i) --PASSED, nobody to ask, no freeze--> running(i + 1), after the last: completed
 *      |  ^  \---PASSED, step has `approve`; OVERDUE with `ask`--> waiting(i)
 *      |  |   \--SUSPECT, PAUSE, no data for too long--> paused(i)
 *      |  |
 *      |  '----RESUME---- paused(i) ----pause_deadline, if the plan says so--> aborted
 *      |                 waiting(i) ----approved--> running(i + 1) or completed
 *      |                            ----REJECT, 72 h--> aborted
 *      v
 *   pending, running, paused, waiting: HARM, ROLLBACK --> rolled_back;  ABORT --> aborted
 *   completed (previous version warm): HARM, ROLLBACK, ABORT --> rolled_back
 *                                      keep-warm over --> settled
 *   rolled_back, aborted, failed, settled are final.
 *
 * ABORT is legal in every state that is not final and ends with stable at 100 %. Judging goes on in
 * every state; harm acts in every state but the final ones. During a freeze nothing advances and
 * nothing starts. After a restart a release keeps its state, but the candidate has zero weight
 * (`holdoff`) until it is loaded and warm again and one look, not stale, was judged without harm.
 * Time: `now_ms` is monotonic and stands still while the process does (control_int.h, lived_us);
 * what has passed is summed in the release, so a jump of a clock and a restart neither skip nor
 * repeat anything (RESTARTED sets the clock anew). Step time is the trial's, in the verdict.
 *
 * Who resumes a release that a gate paused has seen that gate's evidence: for the rest of the step
 * it does not pause again (`waived`). After the step of an A/B, and where `on_inconclusive` is ask,
 * one person is asked even if the plan names nobody.
 * A release whose stable version is quarantined has nothing to be compared with, nor to go back to:
 * it ends, the candidate at zero, and the model says QUARANTINED until a person deploys or lifts.
 * Where the candidate answers everything already it goes on doing so, paused, and a person is told.
 * Of several candidates one can be closed (by harm, or because its version cannot be loaded again)
 * while the others go on in the same state: its weight is 0 at once and for good, which is
 * published first. Harm of the last one open, or of all together, is HARM. Who promotes or approves
 * says which arm goes on; unsaid it is the winner; where there is none the word is refused. All who
 * approve must mean the same arm.
 * A person's rollback of a plan with `rollback: gradual` ebbs: the candidate's weight falls by
 * tenths over a minute, in state rolled_back, and only then is the candidate let go. Harm ends that
 * at once.
 * A person's command that the table does not allow, or that lacks an approval, is refused with a
 * reason and changes nothing. Approvals: by distinct persons, never by the submitter, bound to
 * release, step and spec hash; leaving the step voids them.
 * Two-person rule: promote past a harm or an open verdict, and overriding a freeze, become a
 * proposal that another person must repeat before it acts; a risky plan (plan_is_risky) needs one
 * approval before it starts. ABORT and PAUSE never need two.
 * Source: release-features 3 and 4.
 * SPDX-License-Identifier: MIT */
#ifndef JUDGE_STEP_H
#define JUDGE_STEP_H

#include "judge/judge.h"

enum rollout_state {
  ROLLOUT_PENDING,
  ROLLOUT_RUNNING,
  ROLLOUT_PAUSED,
  ROLLOUT_WAITING,
  ROLLOUT_COMPLETED, /* candidate has everything, the previous version is warm */
  ROLLOUT_SETTLED,   /* final: completed, and the previous version let go */
  ROLLOUT_ROLLED_BACK,
  ROLLOUT_ABORTED,
  ROLLOUT_FAILED,
  ROLLOUT_STATES
};

enum rollout_when {
  /* from looks: a verdict's kind */
  WHEN_UNDECIDED,
  WHEN_NO_DATA,
  WHEN_PASSED,
  WHEN_OVERDUE,
  WHEN_SUSPECT,
  WHEN_HARM,
  /* from time and the daemon */
  WHEN_TICK,
  WHEN_LOADED,      /* candidate loaded, contract and golden examples passed, warm */
  WHEN_LOAD_FAILED, /* or its contract is broken */
  WHEN_RESTARTED,
  WHEN_FROZEN,        /* a freeze window began, or --now */
  WHEN_THAWED,        /* the last one ended */
  WHEN_WAY_BACK_LOST, /* the previous version no longer passes its golden examples */
  WHEN_SUPERSEDED,    /* another release of the model takes its place */
  /* from persons */
  WHEN_APPROVE,
  WHEN_REJECT,
  WHEN_PAUSE,
  WHEN_RESUME,
  WHEN_PROMOTE,
  WHEN_ABORT,
  WHEN_ROLLBACK,
  WHEN_OVERRIDE_FREEZE,
  ROLLOUT_WHENS
};

enum { ROLLOUT_PERSON_MAX = 64, ROLLOUT_APPROVALS_MAX = 8 };

/* Why a release is where it is: shown, stored. */
enum rollout_why {
  WHY_BEGUN,
  WHY_GATE,   /* `gate` says which */
  WHY_KILLED, /* a node's kill rule */
  WHY_PASSED,
  WHY_INCONCLUSIVE, /* the plan's on_inconclusive acted */
  WHY_NO_DATA,
  WHY_PERSON, /* `person` says who */
  WHY_LOAD,
  WHY_APPROVED,
  WHY_EXPIRED,
  WHY_KEPT_WARM, /* the keep-warm time is over */
  WHY_WAY_BACK,
  WHY_SUPERSEDED,
  WHY_ARM_CLOSED, /* an arm is out, the others go on */
  WHY_QUARANTINED, /* the stable version is */
  WHY_COUNT
};

enum { HOLDOFF_LOAD = 1, HOLDOFF_LOOK = 2 };
enum { ROLLOUT_EBB_MS = 60000, ROLLOUT_EBB_STEPS = 10 };

struct rollout {
  enum rollout_state state;
  enum rollout_why why;
  enum gate_id gate; /* WHY_GATE */
  uint32_t step;     /* of the plan; n_steps once completed */
  uint32_t holdoff;  /* bits: the candidate has zero weight */
  bool frozen, freeze_overridden;
  bool loaded;
  bool begun;        /* step 0 has begun: a pause before that goes back to pending */
  uint32_t suspects; /* bits of gates that asked for a pause at the last look */
  uint32_t waived;   /* of those, what a person resumed past in this step */
  bool from_harm;    /* harm is on record */
  bool passed;       /* the last verdict was PASSED: promote needs no second person */
  uint64_t clock_ms; /* now_ms of the last step */
  uint64_t state_ms; /* in this state, summed */
  uint64_t no_data_ms;
  uint32_t ebb_weight; /* ROLLED_BACK gradually: where it began */
  uint32_t closed;     /* bit per arm that is out */
  uint32_t chosen;     /* who gets everything; ARM_STABLE: of several nobody has been chosen yet */
  struct digest spec;  /* the plan's hash: approvals name it */
  char submitter[ROLLOUT_PERSON_MAX];
  char person[ROLLOUT_PERSON_MAX]; /* of the last command that was obeyed */
  uint32_t n_approvals;
  char approvals[ROLLOUT_APPROVALS_MAX][ROLLOUT_PERSON_MAX];
  enum rollout_when proposal; /* WHEN_PROMOTE, WHEN_OVERRIDE_FREEZE; ROLLOUT_WHENS: none */
  char proposer[ROLLOUT_PERSON_MAX];
};

struct rollout_event {
  enum rollout_when when;
  bool decided_by_gate, killed; /* HARM: `gate` */
  enum gate_id gate;
  uint32_t suspects;   /* SUSPECT: bits of the gates */
  bool all_met;        /* SUSPECT: everything else that PASSED needs */
  uint64_t no_data_ms; /* NO_DATA: the verdict's */
  bool stale;          /* from looks: the look was stale */
  uint32_t closed;     /* from looks: arms that are out; LOAD_FAILED: whose versions are missing */
  bool barred;         /* WAY_BACK_LOST: it is quarantined, and only a person changes that */
  /* persons: */
  const char *person;  /* one name per human, whatever keys they hold; never NULL then */
  enum plan_role role; /* the most they may */
  uint32_t step;       /* APPROVE, REJECT: what they saw */
  struct digest spec;
  uint32_t says_arm, winner; /* PROMOTE, APPROVE: who goes on, who has won; 1 + arm, 0: not said */
};

/* What is to be done, in this order. */
enum rollout_then {
  THEN_PUBLISH_FIRST = 1 << 0, /* weights now, record after: harm and abort */
  THEN_RECORD = 1 << 1,        /* the release as it now is, into the ledger */
  THEN_PUBLISH = 1 << 2,       /* weights, once that is durable */
  THEN_STEP = 1 << 3,          /* freeze a baseline, trial_step_begin */
  THEN_LOAD = 1 << 4,          /* candidate into memory */
  THEN_NOTIFY = 1 << 5,
  THEN_UNLOAD_CANDIDATE = 1 << 6,
  THEN_UNLOAD_PREVIOUS = 1 << 7,
};

struct rollout_move {
  struct rollout next;
  unsigned deeds;
  enum code refused; /* of a person's command: E_CONFLICT, E_DENIED; then nothing changed */
  const char *text;  /* why refused, or what is still missing; "" for none; static */
};

/* A release of that plan as submitted: pending; the caller has the candidate loaded (THEN_LOAD). */
void rollout_init(struct rollout *rollout, const struct plan *plan, const struct digest *spec,
                  const char *submitter, bool frozen, uint64_t now_ms);
/* Pure and total: every state with every news has an answer. */
struct rollout_move rollout_step(const struct rollout *rollout, const struct plan *plan,
                                 const struct rollout_event *event, uint64_t now_ms);
/* The event that a verdict is. */
struct rollout_event rollout_event_of(const struct verdict *verdict, bool stale);

/* An arm's part of the lot, of PLAN_WHOLE; all arms sum to it. Zero while held off. A closed arm
 * keeps its part, which stable answers: units of other arms stay where they are. */
uint32_t rollout_share(const struct rollout *rollout, const struct plan *plan, uint32_t arm);
/* What the arm answers of all traffic: as above, but that a closed arm has 0 and stable its
 * part. */
uint32_t rollout_weight(const struct rollout *rollout, const struct plan *plan, uint32_t arm);
/* Share of requests to copy: in a shadow step that runs; 0 elsewhere. */
uint32_t rollout_copied(const struct rollout *rollout, const struct plan *plan);
bool rollout_is_final(const struct rollout *rollout);
/* Approvals the release waits for now, and how many it has. */
uint32_t rollout_approvals_wanted(const struct rollout *rollout, const struct plan *plan);
/* Everything in it fits its state: a bug, and the end, where not. */
void rollout_check(const struct rollout *rollout, const struct plan *plan);

/* Journal form, hostile-input-safe. */
enum { ROLLOUT_BYTES_MAX = 4096 };
void rollout_write(const struct rollout *rollout, struct varint_out *out);
CHECKED enum code rollout_read(struct rollout *rollout, struct slice *bytes, struct err *err);

/* What a state means for who answers (states.def), and in words. */
enum rollout_charge { CHARGE_AS_IT_WAS, CHARGE_CANDIDATE, CHARGE_STABLE };
struct state_facts {
  const char *name, *meaning;
  enum rollout_charge charge;
  bool splits, ends, protects;
};
const struct state_facts *state_facts(enum rollout_state state);
const struct state_facts *state_facts_named(struct slice name); /* NULL: there is none */
/* Who is the model's version while the release is like this. */
enum rollout_charge rollout_charge(const struct rollout *rollout);
struct why_facts {
  const char *name, *meaning;
};
const struct why_facts *why_facts(enum rollout_why why);

const char *rollout_state_name(enum rollout_state state); /* "rolled_back" */
const char *rollout_when_name(enum rollout_when when);    /* "promote" */
const char *rollout_why_name(enum rollout_why why);       /* "gate" */

#endif
