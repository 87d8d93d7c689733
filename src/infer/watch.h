/* watch.h - ends what runs past its deadline, or for nobody, from one thread for all lanes of the
 * process.
 *
 * Idea: a run announces itself by storing its deadline in a word of its own and takes it back when
 * it is over. The watch looks at the words every few milliseconds: it swaps one for LOOKING, asks
 * whether its time is up or nobody wants it (`unwanted`), puts it back, or calls `end` and stores
 * ENDED. Taking back waits while LOOKING is there, so neither question nor `end` can ever reach the
 * next run, nor memory that went home with this one: that word is a lock, but one that costs a run
 * a store and an exchange, and is held for a look of some nanoseconds every few milliseconds.
 * Who wants a run is told by `task.gone` of those that it is for, which their loops set without
 * knowing where they run. So hanging up costs the path one relaxed store.
 *
 *   IDLE --watch_begin--> deadline --watch_end--> IDLE
 *                         |      ^
 *                      LOOKING --' in time, and wanted
 *                         '--end()--> ENDED --watch_end: true--> IDLE
 *
 * Precision: a run is ended at most WATCH_TICK_US after its deadline, or after the last who wanted
 * it left. With nothing running the watch sleeps for good and the first run wakes it.
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
  /* The same thread, between watch_begin and watch_end: whether nobody waits for the run any more;
   * must not block. NULL: it is always wanted. */
  bool (*unwanted)(void *arg);
  void *arg;
};

/* Owner of `watched`. After leave no end() is running or will run. */
void watch_join(struct watch *watch, struct watched *watched, void (*end)(void *),
                bool (*unwanted)(void *), void *arg);
void watch_leave(struct watch *watch, struct watched *watched);

/* Owner, around each run. deadline_us: clock_us, > 0. watch_end: true when end() was called. */
void watch_begin(struct watch *watch, struct watched *watched, int64_t deadline_us);
bool watch_end(struct watched *watched);

#endif
