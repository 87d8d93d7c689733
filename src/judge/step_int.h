/* step_int.h - between the table of a rollout (step.c) and what persons may say in it (step_say.c).
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#ifndef JUDGE_STEP_INT_H
#define JUDGE_STEP_INT_H

#include "judge/step.h"

/* What a row's function works on. */
struct stepping {
  struct rollout *r; /* becomes the next state */
  const struct plan *plan;
  const struct rollout_event *event;
  struct rollout_move *move;
};

/* --- step.c: small moves ---------------------------------------------------------------------- */

void step_enter(struct stepping *s, enum rollout_state state, enum rollout_why why, unsigned deeds);
void step_refuse(struct stepping *s, enum code code, const char *text);
/* A step is left: what people and looks said of it is void. */
void step_forget(struct rollout *r);
bool step_is_frozen(const struct rollout *r);
bool step_is_approved(const struct stepping *s);
void step_advance(struct stepping *s, enum rollout_why why);
/* Pending goes on as soon as nothing is in the way. */
void step_start_try(struct stepping *s);
/* Stable answers everything, now. */
void step_give_up(struct stepping *s, enum rollout_state state, enum rollout_why why);

/* --- step_say.c: rows of the table ------------------------------------------------------------ */

void say_approve(struct stepping *s);
void say_reject(struct stepping *s);
void say_pause(struct stepping *s);
void say_paused_already(struct stepping *s);
void say_not_paused(struct stepping *s);
void say_resume(struct stepping *s);
void say_promote(struct stepping *s);
void say_promote_waiting(struct stepping *s);
void say_abort(struct stepping *s);
void say_rollback(struct stepping *s);
void say_abort_ebbing(struct stepping *s);
void say_override(struct stepping *s);
void say_complete_already(struct stepping *s);
void say_ended(struct stepping *s);

#endif
