/* test.h - tests find themselves: TEST registers, EXPECT reports the failing line, main runs all.
 * One binary per test file. `TEST_FILTER=word` runs the tests whose names hold the word.
 * SPDX-License-Identifier: MIT */
#ifndef TEST_H
#define TEST_H

#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct test {
  const char *name;
  void (*run)(void);
  struct test *next;
};
static struct test *tests, **tests_end = &tests;
static int test_failures;

#define TEST(name)                                                      \
  static void test_##name(void);                                        \
  __attribute__((constructor)) static void test_add_##name(void)        \
  {                                                                     \
    static struct test t = {#name, test_##name, NULL};                  \
    *tests_end = &t;                                                    \
    tests_end = &t.next;                                                \
  }                                                                     \
  static void test_##name(void)

#define EXPECT(cond)                                                          \
  do {                                                                        \
    if (!(cond)) {                                                            \
      printf("%s:%d: expected %s\n", __FILE__, __LINE__, #cond);              \
      test_failures++;                                                        \
    }                                                                         \
  } while (0)

#define EXPECT_INT(got, want)                                                         \
  do {                                                                                \
    long long got_ = (long long)(got), want_ = (long long)(want);                     \
    if (got_ != want_) {                                                              \
      printf("%s:%d: %s is %lld, expected %lld\n", __FILE__, __LINE__, #got, got_, want_); \
      test_failures++;                                                                \
    }                                                                                 \
  } while (0)

#define EXPECT_STR(got, want)                                                        \
  do {                                                                               \
    const char *got_ = (got), *want_ = (want);                                       \
    if (!got_ || strcmp(got_, want_) != 0) {                                         \
      printf("%s:%d: %s is \"%s\", expected \"%s\"\n", __FILE__, __LINE__, #got,     \
             got_ ? got_ : "(null)", want_);                                         \
      test_failures++;                                                               \
    }                                                                                \
  } while (0)

/* What must not happen ends the process by `must`: tried in a child. */
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

int main(void)
{
  setvbuf(stdout, NULL, _IOLBF, 0);
  const char *filter = getenv("TEST_FILTER");
  int passed = 0, failed = 0;
  for (struct test *t = tests; t; t = t->next) {
    if (filter && !strstr(t->name, filter)) continue;
    int before = test_failures;
    t->run();
    if (test_failures == before) passed++;
    else failed++, printf("FAIL %s\n", t->name);
  }
  printf("%d passed, %d failed\n", passed, failed);
  return failed > 0;
}

#endif
