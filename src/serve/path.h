/* path.h - the life of one inference call as a table of stages, and its runner.
 *
 *   stage    asks                                       may end in
 *   find     which model, which version?                400 404 503
 *   media    in a form that we read?                    400 415
 *   admit    may they, now?                             429 503 400
 *   body     is all of it here?                         (waits)
 *   decode   bytes to tensors                           400 413
 *   choose   which version answers?                     503
 *   wake     is that in memory?                         503 504 507 (waits)
 *   check    do the tensors fit its contract?           400 429
 *   recall   is the answer known?                       (waits)
 *   limit    would it be its turn in time?              503 504
 *   submit   a task letter to its lane                  429 (waits)
 *   encode   tensors to bytes                           502 504
 *   record   count it
 *
 * No stage calls back to an earlier one, but for wake: it has the version chosen anew from the
 * world that brought it back, since it gave the one before away while it waited. A stage that fails
 * fills call->err; the error answer is written in one place (refuse.h) and `record` still counts
 * it. STEP_WAIT leaves the call to somebody else: after submit it is the lane owner's, and the
 * runner checks that nobody touches it. STEP_ANSWER, of recall alone: the outputs are there, encode
 * is next. STEP_AGAIN, of wake and recall: it waits, still its loop's, and the same stage looks
 * again. Stages alone say these two.
 * Thread: its loop.
 * SPDX-License-Identifier: MIT */
#ifndef SERVE_PATH_H
#define SERVE_PATH_H

#include "serve/call.h"
#include "serve/serve.h"
#include "serve/shadow/shadow.h"

enum step { STEP_NEXT, STEP_WAIT, STEP_AGAIN, STEP_REPLY, STEP_ANSWER };

/* Runs a call, whatever its slot held before; it began at the loop's present, leases the newest
 * world and takes the memory of `head`, the arena that came->head lies in: the caller makes that
 * one anew. STEP_WAIT: for its body (state BODY), its version (WAKING) or its task (LENT).
 * STEP_REPLY: call->answer is complete. */
enum step path_begin(struct serve *serve, struct call *call, const struct call_came *came,
                     const struct arena *head);
/* The next piece of a BODY call's body. STEP_WAIT: taken; STEP_REPLY: refused, as above. */
enum step path_body(struct call *call, struct slice piece);
/* Goes on: from BODY when all of it is there, from LENT once its ANSWER is home, from WAKING when
 * serve_woken says so, from FOLLOWS when its LANDED has come, from ASKS when far_told says so. */
enum step path_resume(struct call *call);
/* The client of this call is gone (BODY, WAKING, FOLLOWS, ASKS or LENT). True: path_end it now;
 * false: it is GONE until its task, or its LANDED, comes home, then path_gone_home. */
bool path_leave(struct call *call);
/* Answers a LENT or FOLLOWS call whose deadline has passed with 504. The state is DONE, or GONE
 * while its task or its LANDED is out; call->answer is complete, and valid until that is home. */
void path_late(struct call *call);
/* What a GONE call waited for is home: path_end is next. */
void path_gone_home(struct call *call);
/* Takes a DONE call's memory out of it: an answer that is not written yet outlives its call.
 * Returns the bytes that the caller, from now on, has to give back to the bodies' budget. *shadow:
 * who gets that memory once the answer is out (serve/shadow.h); NULL: nobody, the caller frees
 * it. *hold: what take_hold_end gives back then. */
CHECKED uint64_t path_pin(struct call *call, struct arena *arena, struct arena *scratch,
                          struct shadow **shadow, struct hold *hold);
/* Gives back lease and memory. The state is FREE afterwards; the call itself is its pool's. */
void path_end(struct call *call);

static inline struct call *call_of_flight(struct mail *landed)
{
  struct flight *flight = LETTER_OF(landed, struct flight);
  return (struct call *)(void *)((char *)flight - offsetof(struct call, recall.flight));
}

static inline struct call *call_of_ask(struct far_ask *ask)
{
  return (struct call *)(void *)((char *)ask - offsetof(struct call, recall.ask));
}

static inline struct call *call_of_task(struct mail *answer)
{
  struct task *task = LETTER_OF(answer, struct task);
  return (struct call *)(void *)((char *)task - offsetof(struct call, task));
}

#endif
