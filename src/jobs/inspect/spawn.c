/* spawn.c - starting, hearing and ending the process that looks at a model.
 * Thread: job.
 * SPDX-License-Identifier: MIT */
#include "jobs/inspect/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/debug.h"
#include "base/mem.h"
#include "jobs/folder.h"
#include "jobs/inspect/child.h"
#include "jobs/inspect/rules.h"

enum { ENV_MAX = 12, ENV_WORD_MAX = 4096, NICE = 5, POLL_MS_MAX = 1000 };

static struct {
  int exe, null;
  char *env[ENV_MAX];
} self = {.exe = -1, .null = -1};

/* Beside these a child's environment is empty: no key, no proxy, no preloaded library. */
static void env_take(void)
{
  static const char *const names[] = {"SLIPWAY_ORT",  "LD_LIBRARY_PATH", "ORT_DISABLE_TELEMETRY",
                                      "ASAN_OPTIONS", "TSAN_OPTIONS",    "UBSAN_OPTIONS",
                                      "LSAN_OPTIONS", "SLIPWAY_DEBUG"};
  uint32_t n = 0;
  _Static_assert(sizeof names / sizeof *names < ENV_MAX, "and a NULL");
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    const char *value = getenv(names[i]);
    size_t len = value ? strlen(names[i]) + strlen(value) + 2 : ENV_WORD_MAX + 1;
    if (len > ENV_WORD_MAX) continue;
    self.env[n] = grab(len);
    snprintf(self.env[n++], len, "%s=%s", names[i], value);
  }
}

void spawn_ready(void)
{
  if (self.exe >= 0) return;
  const char *path = (const char *)getauxval(AT_EXECFN); /* where there is no /proc */
  self.exe = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  if (self.exe < 0 && path) self.exe = open(path, O_RDONLY | O_CLOEXEC);
  self.null = open("/dev/null", O_RDWR | O_CLOEXEC);
  env_take();
}

/* ---- starting ---- */

/* What the new process is to find, each by a number it knows. */
struct handed {
  int fds[FILES_FD + EVENT_FILES_MAX];
  uint32_t n, n_all;
  int exe;
  pid_t parent;
};

/* Above the numbers they are going to have, so that none is overwritten before its turn. */
static int above(const struct handed *handed, int fd)
{
  return fcntl(fd, F_DUPFD_CLOEXEC, (int)handed->n_all);
}

static bool hand(struct handed *handed, int fd)
{
  int high = above(handed, fd);
  if (high >= 0) handed->fds[handed->n++] = high;
  return high >= 0;
}

static void handed_close(struct handed *handed)
{
  while (handed->n) close(handed->fds[--handed->n]);
  if (handed->exe >= 0) close(handed->exe);
}

/* Between vfork and exec, on the parent's memory: system calls alone. */
static _Noreturn void child_begin(const struct handed *handed)
{
  static char word0[] = "slipway", word1[] = CHILD_WORD;
  char *const words[] = {word0, word1, NULL};
  struct sigaction usual = {.sa_handler = SIG_DFL};
  sigset_t none;
  for (int number = 1; number < SIGRTMIN; number++) sigaction(number, &usual, NULL);
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (getppid() != handed->parent) _exit(126);
  setsid(); /* a terminal's Ctrl-C is the daemon's business */
  setpriority(PRIO_PROCESS, 0, NICE);
  for (uint32_t i = 0; i < handed->n; i++)
    if (dup2(handed->fds[i], (int)i) < 0) _exit(126);
  close_range(handed->n, (unsigned)handed->exe - 1, 0);
  close_range((unsigned)handed->exe + 1, ~0U, 0);
  execveat(handed->exe, "", words, self.env, AT_EMPTY_PATH);
  _exit(127);
}

static int request_file(const struct spawn_wish *wish, struct spawn *spawn, uint64_t spare)
{
  struct request *request = grab_zero(1, sizeof *request);
  request->n_files = wish->n_files;
  request->probe = debug_probes();
  request->time_us = spawn->time_us;
  request->memory_spare = spare;
  must(slice_to_str(wish->engine, request->engine, sizeof request->engine));
  for (uint32_t i = 0; i < wish->n_files; i++) {
    struct request_file *file = &request->files[i];
    must(slice_to_str(wish->files[i].name, file->name, sizeof file->name));
    file->bytes = wish->files[i].bytes;
    file->digest = wish->files[i].digest;
  }
  int fd = memfd_create("request", MFD_CLOEXEC);
  if (fd >= 0 && (write(fd, request, sizeof *request) != (ssize_t)sizeof *request ||
                  lseek(fd, 0, SEEK_SET) != 0)) {
    close(fd);
    fd = -1;
  }
  ungrab(request);
  return fd;
}

/* The descriptors in the order of report.h. False with err: a file, or none to be had. */
static bool all_handed(const struct spawn_wish *wish, struct spawn *spawn, uint64_t spare,
                       int pipe_in, struct handed *handed, struct err *err)
{
  fail(err, E_UNAVAILABLE, "there is no descriptor left to look at the model with: try again");
  int request = request_file(wish, spawn, spare);
  handed->exe = above(handed, self.exe);
  bool good = request >= 0 && handed->exe >= 0 && hand(handed, request) &&
              hand(handed, self.null) && hand(handed, self.null) && hand(handed, pipe_in);
  if (request >= 0) close(request);
  for (uint32_t i = 0; good && i < wish->n_files; i++) {
    int fd;
    if (folder_file_open(wish->objects_fd, &wish->files[i], &fd, err) != OK) return false;
    fail(err, E_UNAVAILABLE, "there is no descriptor left to look at the model with: try again");
    good = hand(handed, fd);
    close(fd);
  }
  return good;
}

enum code spawn_begin(struct spawn *spawn, const struct spawn_wish *wish, struct err *err)
{
  struct handed handed = {.n_all = FILES_FD + wish->n_files, .parent = getpid()};
  int ends[2];
  uint64_t bytes = 0, spare = wish->memory_spare ? wish->memory_spare : RULES_MEMORY_SPARE;
  for (uint32_t i = 0; i < wish->n_files; i++) bytes += wish->files[i].bytes;
  *spawn = (struct spawn){.pid = -1,
                          .fd = -1,
                          .began_us = clock_us(),
                          .time_us = wish->time_us ? wish->time_us : RULES_TIME_US,
                          .memory_bytes = rules_memory(bytes, spare)};
  spawn->deadline_us = spawn->began_us + spawn->time_us;
  report_in_init(&spawn->in);
  if (pipe2(ends, O_CLOEXEC) != 0)
    return fail(err, E_UNAVAILABLE, "there is no descriptor left to look at the model with");
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  bool good = all_handed(wish, spawn, spare, ends[1], &handed, err);
  if (good) {
    spawn->pid = vfork();
    if (spawn->pid == 0) child_begin(&handed);
    if (spawn->pid < 0) fail(err, E_UNAVAILABLE, "there is no process to look at the model with");
  }
  handed_close(&handed);
  close(ends[1]);
  spawn->fd = ends[0];
  if (spawn->pid > 0) return OK;
  close(ends[0]);
  return err->code;
}

/* ---- hearing ---- */

bool spawn_step(struct spawn *spawn, int64_t now_us)
{
  char bytes[4096];
  while (!spawn->over) {
    ssize_t n = read(spawn->fd, bytes, sizeof bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) break;
    if (n > 0) report_in_add(&spawn->in, slice_of(bytes, (size_t)n));
    spawn->over = n <= 0 || spawn->in.astray;
  }
  if (!spawn->over && now_us >= spawn->deadline_us) spawn->late = spawn->over = true;
  return spawn->over;
}

/* ---- ending ---- */

static void signal_explain(const struct spawn *spawn, int number, struct err *err)
{
  const char *when = stage_text(spawn->in.stage), *name = sigabbrev_np(number);
  unsigned long long mib = (unsigned long long)(spawn->memory_bytes >> 20);
  if (spawn->in.no_memory)
    fail(err, E_MODEL_LOAD_FAILED,
         "the model needs more than %llu MiB of memory, %s: make it smaller, or say what it needs "
         "in slipway.yaml, limits: memory",
         mib, when);
  else if (number == SIGKILL)
    fail(err, E_MODEL_LOAD_FAILED,
         "the model's process was killed %s, as happens when the machine runs out of memory", when);
  else if (number == SIGSYS)
    fail(err, E_MODEL_LOAD_FAILED, "the model tried %s what no model may: a system call", when);
  else if (number == SIGXCPU)
    fail(err, E_MODEL_LOAD_FAILED, "the model took more than %lld s of processor time, %s",
         (long long)(spawn->time_us / 1000000), when);
  else
    fail(err, E_MODEL_LOAD_FAILED, "the model crashed with SIG%s %s: it is not taken",
         name ? name : "?", when);
}

void spawn_end(struct spawn *spawn, struct inspected *found, uint32_t *walls,
               uint32_t *landlock_abi, int64_t *spent_us, struct err *err)
{
  struct rusage used = {0};
  int status = 0;
  *found = (struct inspected){0};
  *walls = *landlock_abi = 0;
  err->code = OK;
  /* One that has ended by itself keeps its status. */
  kill(spawn->pid, SIGKILL);
  while (wait4(spawn->pid, &status, 0, &used) < 0 && errno == EINTR) {
  }
  close(spawn->fd);
  *spent_us = (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * INT64_C(1000000) +
              used.ru_utime.tv_usec + used.ru_stime.tv_usec;
  if (spawn->late)
    fail(err, E_MODEL_LOAD_FAILED, "the model took more than %lld s and was stopped %s",
         (long long)(spawn->time_us / 1000000), stage_text(spawn->in.stage));
  else if (spawn->in.astray)
    fail(err, E_MODEL_LOAD_FAILED, "the model's process said what it should not, %s",
         stage_text(spawn->in.stage));
  else if (WIFSIGNALED(status))
    signal_explain(spawn, WTERMSIG(status), err);
  else if (WEXITSTATUS(status) == 126 || WEXITSTATUS(status) == 127)
    fail(err, E_UNAVAILABLE, "no process to look at the model with could be started");
  else if (WEXITSTATUS(status) != 0 || !report_read(&spawn->in, found, walls, landlock_abi, err))
    fail(err, E_MODEL_LOAD_FAILED, "the model ended its process with status %d %s",
         WEXITSTATUS(status), stage_text(spawn->in.stage));
}

void spawn_wait(const struct spawn_wish *wish, struct inspected *found, uint32_t *walls,
                uint32_t *landlock_abi, struct err *err)
{
  struct spawn spawn;
  int64_t spent_us;
  *found = (struct inspected){0};
  if (spawn_begin(&spawn, wish, err) != OK) return;
  while (!spawn_step(&spawn, clock_us())) {
    struct pollfd fd = {.fd = spawn.fd, .events = POLLIN};
    int64_t left_ms = (spawn.deadline_us - clock_us()) / 1000 + 1;
    poll(&fd, 1, left_ms < 1 ? 1 : left_ms < POLL_MS_MAX ? (int)left_ms : POLL_MS_MAX);
  }
  spawn_end(&spawn, found, walls, landlock_abi, &spent_us, err);
}
