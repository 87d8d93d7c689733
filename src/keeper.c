/* keeper.c - signals, letters and the log file, in one poll.
 * Thread: main. keeper_wake runs on any: it only writes to an eventfd.
 * SPDX-License-Identifier: MIT */
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

enum { LOG_FILE_MAX = 16 << 20 };

static struct {
  struct mailbox box;
  int signals, bell, log_dir, log, terminal;
} keeper = {.signals = -1, .bell = -1, .log_dir = -1, .log = -1};

static void keeper_wake(void *arg)
{
  (void)arg;
  uint64_t one = 1;
  ssize_t n = write(keeper.bell, &one, sizeof one);
  (void)n; /* full: it is awake already */
}

static void log_woke(void) { keeper_wake(NULL); }

static int log_open(void)
{
  return openat(keeper.log_dir, "slipway.jsonl",
                O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
}

static void log_rotate(void)
{
  struct stat st;
  if (keeper.log < 0 || fstat(keeper.log, &st) != 0 || st.st_size < LOG_FILE_MAX) return;
  if (renameat(keeper.log_dir, "slipway.jsonl", keeper.log_dir, "slipway.1.jsonl") != 0) return;
  int fresh = log_open();
  if (fresh < 0) return; /* goes on in the renamed file */
  close(keeper.log);
  keeper.log = fresh;
}

static void log_write(void)
{
  int fds[] = {keeper.log, keeper.terminal ? -1 : STDERR_FILENO};
  log_pump(fds, 2);
  log_rotate();
}

enum code keeper_start(int dir_fd, struct err *err)
{
  if (mkdirat(dir_fd, "log", 0700) != 0 && errno != EEXIST)
    return fail(err, E_UNAVAILABLE, "cannot make the log folder: %s", strerror(errno));
  keeper.log_dir = openat(dir_fd, "log", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (keeper.log_dir >= 0) keeper.log = log_open();
  if (keeper.log < 0)
    return fail(err, E_UNAVAILABLE, "cannot open the log file: %s", strerror(errno));
  keeper.terminal = isatty(STDERR_FILENO);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &set, NULL);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN); /* a write past a file-size limit fails, and who wrote says so */
  keeper.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  keeper.bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  must(keeper.signals >= 0 && keeper.bell >= 0);
  mailbox_init(&keeper.box, keeper_wake, NULL);
  log_wake_set(log_woke);
  log_write();
  return OK;
}

struct mailbox *keeper_box(void) { return &keeper.box; }

static int poll_timeout_ms(int64_t deadline_us)
{
  if (deadline_us == INT64_MAX) return -1;
  int64_t left = deadline_us - clock_us();
  if (left <= 0) return 0;
  return left / 1000 >= 1000000 ? 1000000 : (int)(left / 1000) + 1;
}

int keeper_wait(int64_t deadline_us, struct mail **mail)
{
  for (;;) {
    struct pollfd fds[] = {{.fd = keeper.signals, .events = POLLIN},
                           {.fd = keeper.bell, .events = POLLIN}};
    int n = poll(fds, 2, poll_timeout_ms(deadline_us));
    must(n >= 0 || errno == EINTR);
    uint64_t rung;
    ssize_t got = read(keeper.bell, &rung, sizeof rung);
    (void)got;
    log_write();
    *mail = mailbox_take(&keeper.box);
    struct signalfd_siginfo info;
    if (read(keeper.signals, &info, sizeof info) == (ssize_t)sizeof info)
      return (int)info.ssi_signo;
    if (*mail || clock_us() >= deadline_us) return 0;
  }
}

void keeper_stop(void)
{
  log_write();
  log_wake_set(NULL);
  close(keeper.log);
  close(keeper.log_dir);
}
