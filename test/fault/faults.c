/* faults.c - a library to preload into the daemon: its system calls come back short, interrupted,
 * refused or late, as a page of memory says that the test writes. test/lib/faults.py builds and
 * steers it.
 * Thread: any.
 *
 * Only files below $FAULTS_ROOT and stream sockets are meddled with: what goes to an event counter
 * or a log has no short form. A call that is refused or interrupted is not made.
 * SPDX-License-Identifier: MIT */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { KILL = 0xffff }; /* in place of an errno */
/* Kinds of calls, as bits. */
enum { OPEN = 1, READ = 2, WRITE = 4, SYNC = 8, PLACE = 16, CUT = 32, WAIT = 64 };

/* faults.py knows this layout. */
struct page {
  _Atomic uint32_t halve;     /* kinds whose transfers are short */
  _Atomic uint32_t interrupt; /* kinds of which every third call is interrupted */
  _Atomic uint32_t refuse;    /* kinds that fail with `error`: `many`, from the from-th on */
  _Atomic uint32_t error, from, many;
  _Atomic uint32_t delay_ms; /* how long a sync takes */
  _Atomic uint32_t seen;     /* calls of the kinds in `refuse` */
  _Atomic uint32_t done;     /* faults that were made */
  _Atomic uint32_t turn;
};
static struct page *page;
static char root[512];
static size_t root_len;

__attribute__((constructor)) static void attach(void)
{
  const char *path = getenv("FAULTS_PAGE"), *below = getenv("FAULTS_ROOT");
  int fd = path && below ? open(path, O_RDWR | O_CLOEXEC) : -1;
  if (fd < 0) return;
  snprintf(root, sizeof root, "%s", below);
  root_len = strlen(root);
  struct page *at = mmap(NULL, sizeof *at, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (at != MAP_FAILED) page = at;
}

static bool is_ours(const char *path)
{
  return strncmp(path, root, root_len) == 0 && (path[root_len] == '/' || !path[root_len]);
}

/* Whether calls on this descriptor are meddled with, and as what. */
enum what { ALONE, SOCKET, BELOW };
static enum what meddles(int fd)
{
  struct stat st;
  if (!page || fstat(fd, &st) != 0) return ALONE;
  if (S_ISSOCK(st.st_mode)) {
    int type = 0;
    socklen_t len = sizeof type;
    bool stream = getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM;
    return stream ? SOCKET : ALONE;
  }
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, path, sizeof path - 1);
  if (n <= 0) return ALONE;
  path[n] = '\0';
  return is_ours(path) ? BELOW : ALONE;
}

/* The errno that this call ends with instead of being made; 0: it is made. */
static int fault(uint32_t kind, enum what of)
{
  if (page->interrupt & kind && ++page->turn % 3 == 0) {
    page->done++;
    return EINTR;
  }
  if (!(page->refuse & kind) || of == SOCKET) return 0;
  uint32_t at = ++page->seen;
  if (at < page->from || at - page->from >= page->many) return 0;
  page->done++;
  if (page->error == KILL) kill(getpid(), SIGKILL);
  return (int)page->error;
}

static size_t shortened(uint32_t kind, size_t n)
{
  if (!(page->halve & kind) || n < 2) return n;
  page->done++;
  return ++page->turn % 5 == 0 ? 1 : n / 2;
}

#define REAL(name)                      \
  static __typeof__(name) *real_##name; \
  if (!real_##name) real_##name = dlsym(RTLD_NEXT, #name)
#define FAIL_OR(kind, fd)                         \
  enum what meddled = meddles(fd);                \
  int error = meddled ? fault(kind, meddled) : 0; \
  if (error) {                                    \
    errno = error;                                \
    return -1;                                    \
  }

/* A transfer of n bytes: name(fd, at, n, ...). */
#define TRANSFER(kind, name, at_type, more, args) \
  ssize_t name(int fd, at_type at, size_t n more) \
  {                                               \
    REAL(name);                                   \
    FAIL_OR(kind, fd)                             \
    if (meddled) n = shortened(kind, n);          \
    return real_##name(fd, at, n args);           \
  }
#define AND ,
ssize_t __read_chk(int fd, void *at, size_t n, size_t room);
ssize_t __pread_chk(int fd, void *at, size_t n, off_t from, size_t room);
ssize_t __pread64_chk(int fd, void *at, size_t n, off64_t from, size_t room);
ssize_t __recv_chk(int fd, void *at, size_t n, size_t room, int flags);
TRANSFER(READ, read, void *, , )
TRANSFER(READ, pread, void *, AND off_t from, AND from)
TRANSFER(READ, pread64, void *, AND off64_t from, AND from)
TRANSFER(READ, recv, void *, AND int flags, AND flags)
TRANSFER(READ, __read_chk, void *, AND size_t room, AND room)
TRANSFER(READ, __pread_chk, void *, AND off_t from AND size_t room, AND from AND room)
TRANSFER(READ, __pread64_chk, void *, AND off64_t from AND size_t room, AND from AND room)
TRANSFER(READ, __recv_chk, void *, AND size_t room AND int flags, AND room AND flags)
TRANSFER(WRITE, write, const void *, , )
TRANSFER(WRITE, pwrite, const void *, AND off_t from, AND from)
TRANSFER(WRITE, pwrite64, const void *, AND off64_t from, AND from)
TRANSFER(WRITE, send, const void *, AND int flags, AND flags)

/* Of several pieces the first alone, cut. */
#define GATHER(kind, name)                                                   \
  ssize_t name(int fd, const struct iovec *parts, int n)                     \
  {                                                                          \
    REAL(name);                                                              \
    FAIL_OR(kind, fd)                                                        \
    if (!meddled || !(page->halve & kind) || n < 1 || parts->iov_len < 2)    \
      return real_##name(fd, parts, n);                                      \
    struct iovec first = {parts->iov_base, shortened(kind, parts->iov_len)}; \
    return real_##name(fd, &first, 1);                                       \
  }
GATHER(READ, readv)
GATHER(WRITE, writev)

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
  REAL(sendmsg);
  FAIL_OR(WRITE, fd)
  if (!meddled || !(page->halve & WRITE) || message->msg_iovlen < 1)
    return real_sendmsg(fd, message, flags);
  struct iovec first = *message->msg_iov;
  first.iov_len = shortened(WRITE, first.iov_len);
  struct msghdr cut = *message;
  cut.msg_iov = &first;
  cut.msg_iovlen = 1;
  return real_sendmsg(fd, &cut, flags);
}

static void sleep_ms(uint32_t ms)
{
  if (!ms) return;
  page->done++;
  poll(NULL, 0, (int)ms);
}

#define SYNCS(name)                        \
  int name(int fd)                         \
  {                                        \
    REAL(name);                            \
    FAIL_OR(SYNC, fd)                      \
    if (meddled) sleep_ms(page->delay_ms); \
    return real_##name(fd);                \
  }
SYNCS(fsync)
SYNCS(fdatasync)

#define CUTS(name, length_type)        \
  int name(int fd, length_type length) \
  {                                    \
    REAL(name);                        \
    FAIL_OR(CUT, fd)                   \
    return real_##name(fd, length);    \
  }
CUTS(ftruncate, off_t)
CUTS(ftruncate64, off64_t)

/* Below root? The folder's own path and the name. */
static bool named_meddles(int folder, const char *name)
{
  return page && (*name == '/' ? is_ours(name) : folder == AT_FDCWD || meddles(folder) == BELOW);
}

#define FAIL_OR_NAMED(kind, folder, name)                           \
  int error = named_meddles(folder, name) ? fault(kind, BELOW) : 0; \
  if (error) {                                                      \
    errno = error;                                                  \
    return -1;                                                      \
  }

#define MODE_OF(flags)                     \
  mode_t mode = 0;                         \
  if ((flags) & (O_CREAT | __O_TMPFILE)) { \
    va_list list;                          \
    va_start(list, flags);                 \
    mode = va_arg(list, mode_t);           \
    va_end(list);                          \
  }
#define OPENS(name)                          \
  int name(const char *path, int flags, ...) \
  {                                          \
    REAL(name);                              \
    MODE_OF(flags)                           \
    FAIL_OR_NAMED(OPEN, AT_FDCWD, path)      \
    return real_##name(path, flags, mode);   \
  }
#define OPENS_AT(name)                                   \
  int name(int folder, const char *path, int flags, ...) \
  {                                                      \
    REAL(name);                                          \
    MODE_OF(flags)                                       \
    FAIL_OR_NAMED(OPEN, folder, path)                    \
    return real_##name(folder, path, flags, mode);       \
  }
OPENS(open)
OPENS(open64)
OPENS_AT(openat)
OPENS_AT(openat64)

int renameat(int from, const char *name, int to, const char *new_name)
{
  REAL(renameat);
  FAIL_OR_NAMED(PLACE, from, name)
  return real_renameat(from, name, to, new_name);
}

int mkdirat(int folder, const char *name, mode_t mode)
{
  REAL(mkdirat);
  FAIL_OR_NAMED(PLACE, folder, name)
  return real_mkdirat(folder, name, mode);
}

/* Waiting is interrupted whatever is waited for. */
#define WAIT_OR_FAIL                         \
  int error = page ? fault(WAIT, BELOW) : 0; \
  if (error) {                               \
    errno = error;                           \
    return -1;                               \
  }
int epoll_wait(int fd, struct epoll_event *events, int n, int ms)
{
  REAL(epoll_wait);
  WAIT_OR_FAIL
  return real_epoll_wait(fd, events, n, ms);
}

int epoll_pwait(int fd, struct epoll_event *events, int n, int ms, const sigset_t *mask)
{
  REAL(epoll_pwait);
  WAIT_OR_FAIL
  return real_epoll_pwait(fd, events, n, ms, mask);
}

int accept4(int fd, struct sockaddr *peer, socklen_t *len, int flags)
{
  REAL(accept4);
  FAIL_OR(WAIT, fd)
  return real_accept4(fd, peer, len, flags);
}

int flock(int fd, int how)
{
  REAL(flock);
  FAIL_OR(WAIT, fd)
  return real_flock(fd, how);
}
