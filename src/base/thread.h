/* thread.h - threads with a name and a known stack.
 * Thread: any. Signals are blocked in threads started here, but for crashes; main handles
 * them. Handlers with SA_ONSTACK have 32 KiB of the thread's stack for themselves.
 * SPDX-License-Identifier: MIT */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>
#include <stddef.h>

struct thread {
  pthread_t id;
  void (*run)(void *arg);
  void *arg;
  char name[16];
};

enum { THREAD_STACK_PARSER = 256 << 10, THREAD_STACK_ENGINE = 8 << 20 };

/* Starts `run(arg)`. `thread` must outlive it. Crashes when the system has no threads left: only
 * called at boot. */
void thread_start(struct thread *thread, const char *name, size_t stack, void (*run)(void *),
                  void *arg);
void thread_join(struct thread *thread);
/* The calling thread has short things to do: its slices are the shortest there are, 0.1 ms, so that
 * it has a core soon after it woke, where another would finish its own slice of some milliseconds.
 * A wish: before Linux 6.12, and where policies forbid it, nothing changes.
 * Source: sched_setattr(2); the kernel's sched-eevdf.rst. */
void thread_prompt(void);

#endif
