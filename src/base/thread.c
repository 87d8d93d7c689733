/* thread.c - threads with a name and a known stack.
 * Thread: any.
 * SPDX-License-Identifier: MIT */
#include "base/thread.h"

#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"

enum { ASIDE_BYTES = 32 << 10, SLICE_NS = 100000 };

/* Where its handlers run once the thread has used up its stack: aside from what grows, at the end
 * where it began. What stood there before is put back, for a sanitizer frees its own. */
static void *thread_main(void *arg)
{
  struct thread *thread = arg;
  char aside[ASIDE_BYTES];
  stack_t before, handlers = {.ss_sp = aside, .ss_size = sizeof aside};
  must(sigaltstack(&handlers, &before) == 0);
  pthread_setname_np(pthread_self(), thread->name);
  thread->run(thread->arg);
  must(sigaltstack(&before, NULL) == 0);
  return NULL;
}

void thread_start(struct thread *thread, const char *name, size_t stack, void (*run)(void *),
                  void *arg)
{
  thread->run = run;
  thread->arg = arg;
  snprintf(thread->name, sizeof thread->name, "%s", name);
  pthread_attr_t attr;
  must(pthread_attr_init(&attr) == 0);
  must(pthread_attr_setstacksize(&attr, stack) == 0);
  /* What a thread does to itself: blocked, it would end the process past every handler. */
  static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
  sigset_t all, before;
  sigfillset(&all);
  for (size_t i = 0; i < sizeof own / sizeof *own; i++) sigdelset(&all, own[i]);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  must(pthread_create(&thread->id, &attr, thread_main, thread) == 0);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attr);
}

void thread_join(struct thread *thread) { must(pthread_join(thread->id, NULL) == 0); }

/* As sched_setattr(2) has it; the C library's headers know it from 2.41 on. */
struct attr {
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;
};

void thread_prompt(void)
{
  struct attr attr = {.size = sizeof attr};
  if (syscall(SYS_sched_getattr, 0, &attr, sizeof attr, 0) != 0) return;
  if (attr.policy != SCHED_OTHER) return;
  attr.flags = 0;
  attr.runtime = SLICE_NS;
  (void)syscall(SYS_sched_setattr, 0, &attr, 0);
}
