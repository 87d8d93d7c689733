/* crash.h - EXPECT_CRASH: what must not happen ends the process by `must`; tried in a child.
 * SPDX-License-Identifier: MIT */
#ifndef CRASH_H
#define CRASH_H

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

#define EXPECT_CRASH(statement)                                                  \
  do {                                                                           \
    pid_t child_ = fork();                                                       \
    if (child_ == 0) {                                                           \
      if (!freopen("/dev/null", "w", stderr)) _exit(1);                          \
      statement;                                                                 \
      _exit(0);                                                                  \
    }                                                                            \
    int status_ = 0;                                                             \
    waitpid(child_, &status_, 0);                                                \
    if (!WIFSIGNALED(status_) || WTERMSIG(status_) != SIGABRT) {                 \
      printf("%s:%d: expected a crash: %s\n", __FILE__, __LINE__, #statement);   \
      test_failures++;                                                           \
    }                                                                            \
  } while (0)

#endif
