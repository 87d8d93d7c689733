/* probe.c - the deeds.
 * Thread: job; main of an inspection's own process.
 * SPDX-License-Identifier: MIT */
#include "jobs/inspect/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"

static void done_if(bool good)
{
  if (good) _exit(PROBE_DONE);
}

static void deed_segv(void)
{
  volatile char *volatile nowhere = NULL;
  *nowhere = 1;
}

static void deed_abort(void) { must(!"a model that gives up"); }

static void deed_loop(void)
{
  for (volatile uint64_t i = 0;; i++) {
  }
}

static void deed_sleep(void)
{
  for (;;) pause();
}

static void deed_hog(void)
{
  for (;;) {
    char *bytes = grab(16 << 20);
    for (size_t i = 0; i < 16 << 20; i += 4096) bytes[i] = 1;
  }
}

static void deed_fork(void) { done_if(fork() >= 0); }
static void deed_clone(void) { done_if(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) >= 0); }
static void deed_exec(void)
{
  char *const words[] = {(char *)(uintptr_t) "sh", NULL};
  execve("/bin/sh", words, words + 1);
}
static void deed_read(void) { done_if(open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0); }
static void deed_self(void) { done_if(open("/proc/self/maps", O_RDONLY | O_CLOEXEC) >= 0); }
static void deed_write(void)
{
  done_if(open("/tmp/slipway-probe", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) >= 0);
  done_if(mkdir("/tmp/slipway-probe-dir", 0700) == 0);
}
static void deed_stat(void)
{
  struct stat stat_of;
  done_if(stat("/etc/passwd", &stat_of) == 0);
}
static void deed_connect(void)
{
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  done_if(fd >= 0 && (connect(fd, (struct sockaddr *)&to, sizeof to) == 0 || errno != EACCES));
}
static void deed_unix(void) { done_if(socket(AF_UNIX, SOCK_STREAM, 0) >= 0); }
static void deed_ptrace(void) { done_if(ptrace(PTRACE_ATTACH, getppid(), 0, 0) == 0); }
static void deed_kill(void) { done_if(kill(getppid(), SIGTERM) == 0); }
static void deed_kill_all(void) { done_if(kill(-1, 0) == 0); }
static void deed_code(void)
{
  done_if(mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
               0) != MAP_FAILED);
}
static void deed_limit(void)
{
  struct rlimit now, more = {RLIM_INFINITY, RLIM_INFINITY};
  done_if(setrlimit(RLIMIT_NOFILE, &more) == 0);
  bool limited = getrlimit(RLIMIT_AS, &now) == 0 && now.rlim_max != RLIM_INFINITY;
  done_if(limited && setrlimit(RLIMIT_AS, &more) == 0);
}
/* Descriptors that nobody handed in. */
static void deed_fds(void)
{
  char byte;
  for (int fd = 16; fd < 1024; fd++)
    done_if(read(fd, &byte, 1) >= 0 || errno != EBADF || write(fd, "", 0) >= 0);
}
/* A parent that believes what it is told. */
static void deed_lie(void)
{
  char bytes[4096];
  for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = 'R';
  for (int i = 0; i < 64; i++) done_if(write(3, bytes, sizeof bytes) < 0);
  _exit(0);
}
static void deed_quit(void) { _exit(0); }

void probe_run(struct slice text, enum load_stage stage)
{
  static const char *const stages[LOAD_STAGES] = {"reads", "walks", "opens", "examples", "warms"};
  static const struct {
    const char *name;
    void (*deed)(void);
  } deeds[] = {
      {"segv", deed_segv},       {"abort", deed_abort},       {"loop", deed_loop},
      {"sleep", deed_sleep},     {"hog", deed_hog},           {"fork", deed_fork},
      {"clone", deed_clone},     {"exec", deed_exec},         {"read", deed_read},
      {"self", deed_self},       {"write", deed_write},       {"stat", deed_stat},
      {"connect", deed_connect}, {"unix", deed_unix},         {"ptrace", deed_ptrace},
      {"kill", deed_kill},       {"kill-all", deed_kill_all}, {"code", deed_code},
      {"limit", deed_limit},     {"fds", deed_fds},           {"lie", deed_lie},
      {"quit", deed_quit},
  };
  const char *space = text.len ? memchr(text.at, ' ', text.len) : NULL;
  struct slice when = SLICE("reads");
  if (space) {
    when = slice_from(text, (size_t)(space + 1 - text.at));
    text.len = (size_t)(space - text.at);
  }
  if (!slice_eq(when, slice_str(stages[stage]))) return;
  for (size_t i = 0; i < sizeof deeds / sizeof *deeds; i++)
    if (slice_eq(text, slice_str(deeds[i].name))) deeds[i].deed();
}
