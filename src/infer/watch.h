/* watch.h - ends what runs past its deadline, from one thread for all lanes of the process.
 *
 * Idea: a run announces itself by storing its deadline in a word of its own and takes it back when
 * it is over. The watch looks at the words every few milliseconds; one whose time is up it swaps
 * for ENDING, calls `end`, and stores ENDED. Taking back waits while ENDING is there, so an `end`
 * can never reach the next run: that word is a lock, but one that costs a run a store and an
 * exchange.
 * The word being the deadline itself, a stale look cannot hurt either: if the same value stands
 * there again, that run is as late as the first.
 *
 *   IDLE --watch_begin--> deadline --watch_end--> IDLE
 *                            | late: ENDING --end()--> ENDED --watch_end: true--> IDLE
 *
 * Precision: a run is ended at most WATCH_TICK_US after its deadline. With nothing running the
 * watch sleeps for good and the first run wakes it.
 * Thread: its own; workers and jobs as each function says.
 * SPDX-License-Identifier: MIT */
#ifndef INFER_WATCH_H
#define INFER_WATCH_H

#include <stdatomic.h>

#include "base/err.h"
#include "base/list.h"

enum { WATCH_TICK_US = 4000, WATCH_REST_US = 200000 };

struct watch;

struct watch *watch_new(void); /* starts its thread */
void watch_free(struct watch *watch); /* nothing has joined it any more */

/* Something that runs one thing at a time: part of a lane, of a load. */
struct watched {
  struct link link; /* the watch's */
  _Atomic int64_t until_us;
  void (*end)(void *arg); /* the watch's thread: makes the run return soon; must not block */
  void *arg;
};

/* Owner of `watched`. After leave no end() is running or will run. */
void watch_join(struct watch *watch, struct watched *watched, void (*end)(void *), void *arg);
void watch_leave(struct watch *watch, struct watched *watched);

/* Owner, around each run. deadline_us: clock_us, > 0. watch_end: true when end() was called. */
void watch_begin(struct watch *watch, struct watched *watched, int64_t deadline_us);
bool watch_end(struct watched *watched);

#endif
