/* watch.c - the thread that ends runs that are late, or that nobody waits for.
 * Thread: its own, for watch_main; workers and jobs call the rest, as watch.h says.
 * Waking: watch_begin stores the deadline, then reads `asleep`; the watch stores `asleep`, then
 * reads the deadlines. All four are sequentially consistent, so one of the two sees the other.
 * SPDX-License-Identifier: MIT */
#include "infer/watch.h"

#include <sched.h>
#include <semaphore.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"

enum { WATCH_IDLE = 0, WATCH_LOOKING = -1, WATCH_ENDED = -2 };
enum { SPINS = 2000 }; /* a look takes less, unless the watch lost its core in the middle of it */

struct watch {
  struct thread thread;
  sem_t bell;
  _Atomic bool asleep, stop;
  pthread_mutex_t lock; /* of `all`; a leaf: only end() and unwanted() are called under it */
  struct link all;
};

/* Ends the late ones, and those that nobody wants any more. True when something runs; *next_us is
 * the nearest deadline. */
static bool watch_look(struct watch *watch, int64_t now_us, int64_t *next_us)
{
  bool busy = false;
  pthread_mutex_lock(&watch->lock);
  for (struct link *link = watch->all.next; link != &watch->all; link = link->next) {
    struct watched *watched = LIST_OF(link, struct watched, link);
    int64_t until_us = atomic_load(&watched->until_us);
    if (until_us == WATCH_IDLE) continue;
    busy = true;
    if (until_us < 0) continue;
    if (until_us > now_us && !watched->unwanted) {
      if (until_us < *next_us) *next_us = until_us;
      continue;
    }
    if (!atomic_compare_exchange_strong(&watched->until_us, &until_us, WATCH_LOOKING)) continue;
    bool over = until_us <= now_us || (watched->unwanted && watched->unwanted(watched->arg));
    if (over) watched->end(watched->arg);
    else if (until_us < *next_us) *next_us = until_us;
    atomic_store_explicit(&watched->until_us, over ? WATCH_ENDED : until_us, memory_order_release);
  }
  pthread_mutex_unlock(&watch->lock);
  return busy;
}

static void bell_wait(struct watch *watch, int64_t until_us)
{
  struct timespec until = {.tv_sec = (time_t)(until_us / 1000000),
                           .tv_nsec = (long)(until_us % 1000000) * 1000};
  (void)sem_clockwait(&watch->bell, CLOCK_MONOTONIC, &until); /* early or late: we look again */
}

static void watch_main(void *arg)
{
  struct watch *watch = arg;
  int64_t busy_us = clock_us();
  while (!atomic_load(&watch->stop)) {
    int64_t now_us = clock_us(), next_us = now_us + WATCH_TICK_US;
    if (watch_look(watch, now_us, &next_us)) busy_us = now_us;
    if (now_us - busy_us < WATCH_REST_US) {
      bell_wait(watch, next_us);
      continue;
    }
    atomic_store(&watch->asleep, true);
    if (watch_look(watch, now_us, &next_us) || atomic_load(&watch->stop)) {
      atomic_store(&watch->asleep, false);
    } else {
      while (atomic_load(&watch->asleep)) (void)sem_wait(&watch->bell);
    }
    busy_us = clock_us();
  }
}

static void watch_wake(struct watch *watch)
{
  if (atomic_exchange(&watch->asleep, false)) sem_post(&watch->bell);
}

struct watch *watch_new(void)
{
  struct watch *watch = grab_zero(1, sizeof *watch);
  list_init(&watch->all);
  must(sem_init(&watch->bell, 0, 0) == 0);
  must(pthread_mutex_init(&watch->lock, NULL) == 0);
  thread_start(&watch->thread, "watch", THREAD_STACK_PARSER, watch_main, watch);
  return watch;
}

void watch_free(struct watch *watch)
{
  if (!watch) return;
  atomic_store(&watch->stop, true);
  atomic_store(&watch->asleep, false);
  sem_post(&watch->bell);
  thread_join(&watch->thread);
  must(list_empty(&watch->all));
  pthread_mutex_destroy(&watch->lock);
  sem_destroy(&watch->bell);
  ungrab(watch);
}

void watch_join(struct watch *watch, struct watched *watched, void (*end)(void *),
                bool (*unwanted)(void *), void *arg)
{
  watched->end = end;
  watched->unwanted = unwanted;
  watched->arg = arg;
  atomic_init(&watched->until_us, WATCH_IDLE);
  pthread_mutex_lock(&watch->lock);
  list_push_back(&watch->all, &watched->link);
  pthread_mutex_unlock(&watch->lock);
}

void watch_leave(struct watch *watch, struct watched *watched)
{
  must(atomic_load(&watched->until_us) == WATCH_IDLE);
  pthread_mutex_lock(&watch->lock);
  list_remove(&watched->link);
  pthread_mutex_unlock(&watch->lock);
}

void watch_begin(struct watch *watch, struct watched *watched, int64_t deadline_us)
{
  must(deadline_us > 0);
  atomic_store(&watched->until_us, deadline_us);
  if (atomic_load(&watch->asleep)) watch_wake(watch);
}

bool watch_end(struct watched *watched)
{
  int64_t was = atomic_load_explicit(&watched->until_us, memory_order_acquire);
  for (int spins = 0;;) {
    if (was == WATCH_LOOKING) {
      if (++spins > SPINS) sched_yield();
      was = atomic_load_explicit(&watched->until_us, memory_order_acquire);
    } else if (atomic_compare_exchange_weak(&watched->until_us, &was, WATCH_IDLE)) {
      return was == WATCH_ENDED;
    }
  }
}
