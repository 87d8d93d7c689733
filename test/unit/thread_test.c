/* thread_test.c - threads have a name, their argument and no signals.
 * SPDX-License-Identifier: MIT */
#include "base/thread.h"

#include "test.h"

struct seen {
  char name[16];
  size_t stack;
  int ran, blocked;
};

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
