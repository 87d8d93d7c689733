/* breaker.h - the circuit breaker of one version: a version that fails most of its calls gets none
 * for a while, then a few to try it by. One pure state machine.
 * Thread: any, pure.
 *
 *   CLOSED --half of 20 calls in 10 s failed, or three strikes--> OPEN 5 s, 10, 20, 40, 60
 *   OPEN --its time is over--> HALF_OPEN: one call at a time, per network thread
 *   HALF_OPEN --one fails--> OPEN, for twice as long
 *             --five succeed--> CLOSED
 *
 * What counts as failed is said where it is counted (serve/record.c): an engine's error, an answer
 * that is not what the contract says, a run that had to be ended by its own doing. A strike is the
 * quarantine's (registry/quarantine.h): such a run with no answer since the last; it opens the
 * breaker of a version that a release keeps out of quarantine.
 * The time is jittered by a fifth either way, so that many breakers do not probe at once. It starts
 * from 5 s again once the breaker stayed closed for a minute.
 * Source: overload rules, section 7.
 * SPDX-License-Identifier: MIT */
#ifndef CONTROL_GUARD_BREAKER_H
#define CONTROL_GUARD_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#include "world/version.h"

enum {
  BREAKER_SECONDS = 10, /* of the window */
  BREAKER_CALLS = 20,   /* fewer say nothing */
  BREAKER_PROBES = 5,
  BREAKER_STRIKES = 3,
};
#define BREAKER_OPEN_US     INT64_C(5000000)
#define BREAKER_OPEN_MOST_US INT64_C(60000000)
#define BREAKER_CALM_US     INT64_C(60000000)
#define BREAKER_STRIKES_US  INT64_C(600000000)

/* Zeroed is closed, and has seen nothing. */
struct breaker {
  enum breaker_state state;
  int64_t second;                       /* the newest of the window, since the clock's start */
  uint32_t good[BREAKER_SECONDS], bad[BREAKER_SECONDS]; /* ring by second */
  int64_t struck_us[BREAKER_STRIKES - 1]; /* newest last; 0: none */
  uint32_t openings; /* without a calm minute between them */
  uint32_t probes;   /* HALF_OPEN: succeeded so far */
  int64_t until_us;  /* OPEN: when it is half open; CLOSED: when it closed */
};

/* What was counted since the last time. */
struct breaker_seen {
  uint64_t good, bad;               /* calls */
  uint64_t probes_good, probes_bad; /* of them, those that were sent to try it */
  uint64_t stopped;                 /* of bad: runs that had to be ended */
};

/* True: `state` is another one now. chance: uniform in [0, 1). */
bool breaker_count(struct breaker *breaker, const struct breaker_seen *seen, int64_t now_us,
                   double chance);
/* The same for time alone. */
bool breaker_tick(struct breaker *breaker, int64_t now_us);
/* It is loaded anew: what it did before says nothing. */
void breaker_reset(struct breaker *breaker);

#endif
