/* brake.h - which calls are not sent to a lane, since they would wait in vain: what a loop knows of
 * a version's lanes, from the answers that came home, without shared memory.
 * Thread: its loop.
 *
 *   brake_early   before a byte of the body: the same two questions, where the version is known and
 *                 no cache could answer; so a refusal costs next to nothing
 *   limit_stage   before the task goes out: is the version's limit reached (503 OVERLOADED); would
 *                 it be its turn before its deadline (503 DEADLINE_UNREACHABLE)
 *   brake_sent, brake_home   count what is out, and learn from what comes back
 *
 * Class BATCH is refused first: from 3/4 of a limit on, of tasks of all classes. Its betters are
 * refused by what is out of their own, and know nothing of how long class BATCH waits, since they
 * go before it. Shadows are sent under rules of their own (serve/shadow), control and health do not
 * come this way.
 * Source: overload rules, sections 1, 2 and 8.
 * SPDX-License-Identifier: MIT */
#ifndef SERVE_LIMIT_BRAKE_H
#define SERVE_LIMIT_BRAKE_H

#include <stdbool.h>

#include "serve/limit/gradient.h"

/* Classes that wait for each other: CONTROL and INTERACTIVE; and BATCH and SHADOW, which wait for
 * all. */
enum { BRAKE_SEATS = 8, BRAKE_RANKS = 2 };

/* What is known of one version. */
struct brake {
  uint64_t seq; /* the version's; another one may come to have its slot */
  struct gradient gradient;
  uint32_t in_work;  /* tasks out */
  uint32_t out[BRAKE_RANKS]; /* the same by rank */
  int64_t told;      /* the limit as it stands in tallies */
  int64_t row_ns;    /* what a row costs, its share of its batch; 0: not known */
  int64_t span_us;   /* what requests have until their deadline, smoothed */
  int64_t run_us;    /* which 19 of 20 runs do not exceed */
  int64_t seen_us[BRAKE_RANKS]; /* when an answer came, or one was let through to see */
  /* When a lane will be through with what goes before one more of that rank, as far as known. */
  int64_t done_ns[BRAKE_RANKS][BRAKE_SEATS];
};

struct call;
struct serve;
struct version;

struct brakes {
  struct brake **of; /* by the version's slot; its gradient's limit is 0: nothing was sent yet */
  uint32_t n;
};

/* A world with so many slots comes: memory is taken now, and not when somebody asks. */
void brakes_world(struct brakes *brakes, uint32_t n_slots);

void brakes_deinit(struct brakes *brakes);

/* sure: the version that answers, whatever the body says. True: refused, with call->err. */
bool brake_early(struct call *call, const struct version *sure);
/* What a row of this version costs, as far as this loop knows; 0: it does not. */
int64_t brake_row_ns(const struct serve *serve, const struct version *version);
void brake_sent(struct call *call, uint32_t seat);
/* Nobody waits for its run any more: it is on its way out of the lane. */
void brake_left(struct call *call);
void brake_home(struct call *call);

#endif
