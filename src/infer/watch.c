/* watch.c - the thread that ends late runs.
 * Thread: its own, for watch_main; workers and jobs call the rest, as watch.h says.
 * Waking: watch_begin stores the deadline, then reads `asleep`; the watch stores `asleep`, then
 * reads the deadlines. All four are sequentially consistent, so one of the two sees the other.
 * SPDX-License-Identifier: MIT */
#include "infer/watch.h"

#include <semaphore.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"

enum { WATCH_IDLE = 0, WATCH_ENDING = -1, WATCH_ENDED = -2 };

struct watch {
  struct thread thread;
  sem_t bell;
  _Atomic bool asleep, stop;
  pthread_mutex_t lock; /* of `all`; a leaf: only end() is called under it */
  struct link all;
};

/* Ends the late ones. True when something runs; *next_us is the nearest deadline. */
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
    if (until_us > now_us) {
      if (until_us < *next_us) *next_us = until_us;
      continue;
    }
    if (!atomic_compare_exchange_strong(&watched->until_us, &until_us, WATCH_ENDING)) continue;
    watched->end(watched->arg);
    atomic_store_explicit(&watched->until_us, WATCH_ENDED, memory_order_release);
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

void watch_join(struct watch *watch, struct watched *watched, void (*end)(void *), void *arg)
{
  watched->end = end;
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
  int64_t was = atomic_exchange(&watched->until_us, WATCH_IDLE);
  if (was >= 0) return false;
  /* Late after all. The exchange may have swallowed ENDED (done) or ENDING (ENDED will follow). */
  if (was == WATCH_ENDING) {
    while (atomic_load_explicit(&watched->until_us, memory_order_acquire) != WATCH_ENDED)
      __builtin_ia32_pause();
    atomic_store(&watched->until_us, WATCH_IDLE);
  }
  return true;
}
