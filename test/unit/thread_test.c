/* thread_test.c - threads have a name, their argument and no signals.
 * SPDX-License-Identifier: MIT */
#include "base/thread.h"

#include "test.h"

#include <sched.h>
#include <sys/resource.h>

struct seen {
  char name[16];
  size_t stack;
  int ran, blocked;
};

/* Who is prompt says so twice, and keeps its place in all else. */
static void prompt(void *arg)
{
  int *nice = arg;
  int before = getpriority(PRIO_PROCESS, 0);
  for (int i = 0; i < 2; i++) thread_prompt();
  nice[0] = before;
  nice[1] = getpriority(PRIO_PROCESS, 0);
  nice[2] = sched_getscheduler(0);
}

TEST(a_prompt_thread_keeps_its_nice_and_policy)
{
  struct thread thread;
  int nice[3] = {99, 98, 97};
  thread_start(&thread, "prompt", THREAD_STACK_PARSER, prompt, nice);
  thread_join(&thread);
  EXPECT_INT(nice[1], nice[0]);
  EXPECT_INT(nice[2], sched_getscheduler(0));
}

static void look(void *arg)
{
  struct seen *seen = arg;
  pthread_attr_t attr;
  sigset_t set;
  seen->ran = 1;
  pthread_getname_np(pthread_self(), seen->name, sizeof seen->name);
  pthread_getattr_np(pthread_self(), &attr);
  pthread_attr_getstacksize(&attr, &seen->stack);
  pthread_attr_destroy(&attr);
  pthread_sigmask(SIG_SETMASK, NULL, &set);
  seen->blocked = sigismember(&set, SIGTERM) && sigismember(&set, SIGINT);
}

TEST(a_thread_is_what_was_asked_for)
{
  struct thread thread;
  struct seen seen = {0};
  thread_start(&thread, "loop-with-a-long-name", THREAD_STACK_PARSER, look, &seen);
  thread_join(&thread);
  EXPECT(seen.ran && seen.blocked);
  EXPECT_STR(seen.name, "loop-with-a-lon");
  EXPECT(seen.stack >= THREAD_STACK_PARSER && seen.stack < THREAD_STACK_ENGINE);
  sigset_t set;
  pthread_sigmask(SIG_SETMASK, NULL, &set);
  EXPECT(!sigismember(&set, SIGTERM)); /* the starter still gets them */
}
