/* path.h - the life of one inference call as a table of stages, and its runner.
 *
 *   stage    asks                                       may end in
 *   auth     who is it?                                 401 403
 *   find     which model, which version?                400 404 503
 *   media    in a form that we read?                    400 415
 *   admit    may they, now?                             503 400
 *   body     is all of it here?                         (waits)
 *   decode   bytes to tensors                           400 413
 *   choose   which version answers?                     503
 *   check    do the tensors fit its contract?           400
 *   submit   a task letter to its lane                  504 (waits)
 *   encode   tensors to bytes                           502 504
 *   record   count it
 *
 * No stage calls back to an earlier one. A stage that fails fills call->err; the error answer
 * is written in one place (refuse.h) and `record` still counts it. STEP_WAIT leaves the call to
 * somebody else: after submit it is the lane owner's, and the runner checks that nobody touches
 * it.
 * Thread: its loop.
 * SPDX-License-Identifier: MIT */
#ifndef SERVE_PATH_H
#define SERVE_PATH_H

#include "base/rand.h"
#include "serve/call.h"

enum step { STEP_NEXT, STEP_WAIT, STEP_REPLY };

struct serve_opts {
  const struct post *post; /* read from the first letter on */
  struct mailbox *home;    /* the loop's */
  uint32_t loop, calls_max;
  uint64_t bodies_max, call_bytes_max, scratch_kept_max;
  int64_t deadline_us;
  struct arena_source *blocks; /* the loop's block cache */
};

/* What the path keeps for all calls of one loop. */
struct serve {
  struct serve_opts opts;
  int64_t now_us;       /* the loop's clock, read once a turn */
  struct lease *newest; /* NULL: no world has come yet */
  struct lease *leases; /* calls_max + 2 of them; free ones hang together */
  struct lease *lease_free;
  struct tally *tally;   /* this loop's, until control swaps it */
  struct link lent;      /* calls whose task is out and whose client waits */
  int64_t alarm_us;      /* the earliest deadline among those that went out; INT64_MAX: none */
  uint32_t calls;        /* begun and not ended */
  uint64_t bytes_held;   /* body bytes of those calls */
  struct arena *resting; /* heap arenas that were lent as scratch, warm for the next task */
  uint32_t n_resting;
  uint64_t scratch_kept; /* bytes they hold */
  uint32_t turn;         /* round robin over the seats of a version */
  int64_t wall_us;       /* Unix time minus the loop's clock, set now and then by the loop */
  bool draining;
  struct rand rand;
  char id_prefix[16];
  uint8_t id_prefix_len;
  uint64_t ids;
  int64_t slow_ns; /* the longest stage of this turn that was timed, and its name */
  const char *slow_stage;
};

void serve_init(struct serve *serve, const struct serve_opts *opts);
void serve_deinit(struct serve *serve); /* no call is left, serve_leave was called */

/* A new world: leased by every call from now on. The one before goes home when its last call
 * ends. */
void serve_world(struct serve *serve, struct letter_world *letter);
/* Gives the newest world back: at stop. */
void serve_leave(struct serve *serve);
/* Swaps tallies: the letter takes the full one, its empty one stays. */
void serve_tally(struct serve *serve, struct letter_tally *letter);
/* Every model that should serve does, and nothing is draining. */
bool serve_ready(const struct serve *serve);
/* Writes an id into to[REQUEST_ID_MAX]: the client's, when it is sane, else a new one. */
uint8_t serve_request_id(struct serve *serve, struct slice asked, char *to);

/* Runs a call, whatever its slot held before; it began at the loop's present, leases the newest
 * world and takes the memory of `head`, the arena that came->head lies in: the caller makes that
 * one anew. STEP_WAIT: for its body (state BODY) or its task (LENT). STEP_REPLY: call->answer is
 * complete. */
enum step path_begin(struct serve *serve, struct call *call, const struct call_came *came,
                     const struct arena *head);
/* The next piece of a BODY call's body. STEP_WAIT: taken; STEP_REPLY: refused, as above. */
enum step path_body(struct call *call, struct slice piece);
/* Goes on: from BODY when all of it is there, from LENT once its ANSWER is home. */
enum step path_resume(struct call *call);
/* The client of this call is gone (BODY or LENT). True: path_end it now; false: it is GONE
 * until its task comes home, then path_gone_home. */
bool path_leave(struct call *call);
/* Answers a LENT call whose deadline has passed with 504, while its task stays out: the state
 * is GONE, call->answer complete and valid until the task is home. */
void path_late(struct call *call);
/* The task of a GONE call is home: path_end is next. */
void path_gone_home(struct call *call);
/* Takes a DONE call's memory out of it: an answer that is not written yet outlives its call. */
void path_pin(struct call *call, struct arena *arena, struct arena *scratch);
/* Gives back lease and memory. The state is FREE afterwards; the call itself is its pool's. */
void path_end(struct call *call);

static inline struct call *call_of_task(struct mail *answer)
{
  struct task *task = LETTER_OF(answer, struct task);
  return (struct call *)(void *)((char *)task - offsetof(struct call, task));
}

#endif
