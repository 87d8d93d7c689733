/* crash.c - the handler, and the word it finds.
 * Thread: any; the handler runs on the thread that crashed. It calls nothing but write, sigaction
 * and the clock, which signal handlers may.
 * SPDX-License-Identifier: MIT */
#include "infer/crash.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

static const int numbers[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
enum { NUMBERS = sizeof numbers / sizeof *numbers, WHO_MAX = 256 };

static struct sigaction before[NUMBERS];
static int crash_fd = -1;
static _Thread_local const char *volatile entered;

/* One write, so that two threads' lines do not mix. */
static void crash_write(const char *who)
{
  char line[TEXT_NUMBER_MAX + WHO_MAX + 2];
  size_t len = text_print_u64(line, (uint64_t)clock_wall_ms());
  line[len++] = ' ';
  for (size_t i = 0; i < WHO_MAX && who[i]; i++) line[len++] = who[i];
  line[len++] = '\n';
  ssize_t n = write(crash_fd, line, len);
  (void)n; /* then nobody knows */
}

static void crashed(int number)
{
  if (entered) crash_write(entered);
  entered = NULL;
  for (int i = 0; i < NUMBERS; i++)
    if (numbers[i] == number) sigaction(number, &before[i], NULL);
  raise(number); /* taken when this returns, should the cause not come again by itself */
}

void crash_watch(int fd)
{
  struct sigaction action = {.sa_handler = crashed, .sa_flags = SA_ONSTACK};
  sigemptyset(&action.sa_mask);
  crash_fd = fd;
  for (int i = 0; i < NUMBERS; i++) sigaction(numbers[i], &action, &before[i]);
}

void crash_enter(const char *who) { entered = who && who[0] ? who : NULL; }
