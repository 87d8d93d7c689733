/* crash_line_test.c - a process that dies leaves a line that says who was running, also when it
 * used up its stack, where a handler on that stack could not run.
 * Thread: main, and the one that dies.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/thread.h"
#include "infer/crash.h"

enum { DEEP = 1 << 20 };

static int deep(int n, const volatile char *above)
{
  volatile char page[4096];
  page[0] = (char)n;
  if (n == 0) return above[0];
  return deep(n - 1, page) + page[0];
}

static void runs_out(void *arg)
{
  (void)arg;
  char first = 0;
  crash_enter("acme tall 3");
  printf("%d\n", deep(DEEP, &first));
}

static void aborts(void *arg)
{
  (void)arg;
  crash_enter("acme tall 3");
  abort();
}

/* The line of a child in which this ran; the signal that ended it. */
static int line_of(void (*run)(void *), char *line, size_t room)
{
  int ends[2];
  must(pipe(ends) == 0);
  fflush(NULL);
  pid_t child = fork();
  must(child >= 0);
  if (child == 0) {
    struct thread thread;
    setrlimit(RLIMIT_CORE, &(struct rlimit){0});
    signal(SIGSEGV, SIG_DFL); /* not a sanitizer's report */
    signal(SIGABRT, SIG_DFL);
    crash_watch(ends[1]);
    thread_start(&thread, "dies", THREAD_STACK_PARSER, run, NULL);
    thread_join(&thread);
    _exit(0);
  }
  close(ends[1]);
  ssize_t n = read(ends[0], line, room - 1);
  line[n > 0 ? n : 0] = 0;
  close(ends[0]);
  int status = 0;
  must(waitpid(child, &status, 0) == child);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

TEST(who_was_running_is_said_when_the_stack_is_used_up)
{
  char line[300];
  EXPECT_INT(line_of(runs_out, line, sizeof line), SIGSEGV);
  EXPECT(strstr(line, " acme tall 3\n"));
}

TEST(who_was_running_is_said_at_an_abort)
{
  char line[300];
  EXPECT_INT(line_of(aborts, line, sizeof line), SIGABRT);
  EXPECT(strstr(line, " acme tall 3\n"));
}
