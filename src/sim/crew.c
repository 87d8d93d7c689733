/* crew.c - threads that take the next number.
 * Thread: own.
 * SPDX-License-Identifier: MIT */
#include "sim/crew.h"

#include <stdatomic.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/thread.h"

struct work {
  void (*run)(void *, uint32_t, void *);
  void *arg;
  uint32_t n;
  size_t scratch_bytes;
  atomic_uint next, done;
};

struct hand {
  struct thread thread;
  struct work *work;
  const struct crew *crew; /* of the caller's own hand; NULL in others */
};

static void hand_run(void *arg)
{
  struct hand *hand = arg;
  struct work *work = hand->work;
  void *scratch = grab_zero(1, work->scratch_bytes ? work->scratch_bytes : 1);
  for (;;) {
    uint32_t i = atomic_fetch_add(&work->next, 1);
    if (i >= work->n) break;
    work->run(work->arg, i, scratch);
    uint32_t done = atomic_fetch_add(&work->done, 1) + 1;
    if (hand->crew && hand->crew->told) hand->crew->told(hand->crew->arg, done, work->n);
  }
  ungrab(scratch);
}

void crew_run(const struct crew *crew, uint32_t n, void (*run)(void *, uint32_t, void *), void *arg,
              size_t scratch_bytes)
{
  uint32_t threads = crew->threads;
  if (!threads) {
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    threads = processors > 0 ? (uint32_t)processors : 1;
  }
  if (threads > n) threads = n ? n : 1;
  if (threads > CREW_THREADS_MAX) threads = CREW_THREADS_MAX;
  struct work work = {.run = run, .arg = arg, .n = n, .scratch_bytes = scratch_bytes};
  struct hand *hands = grab_zero(threads, sizeof *hands);
  for (uint32_t i = 0; i < threads; i++) hands[i].work = &work;
  for (uint32_t i = 1; i < threads; i++)
    thread_start(&hands[i].thread, "simulate", THREAD_STACK_ENGINE, hand_run, &hands[i]);
  hands[0].crew = crew;
  hand_run(&hands[0]);
  for (uint32_t i = 1; i < threads; i++) thread_join(&hands[i].thread);
  ungrab(hands);
}
