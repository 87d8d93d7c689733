/* openat.c - linked into builds for ThreadSanitizer only: makes descriptors by calls it watches.
 *
 * libuv closes descriptors by a raw system call, and the sanitizer intercepts neither openat nor
 * memfd_create nor the duplicates of fcntl, so it
 * never learned that a number was closed by one thread and given anew to another, and reported a
 * race on that number. A descriptor made by open() is known to be new.
 * SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int openat(int dir, const char *path, int flags, ...)
{
  char full[4096];
  va_list args;
  va_start(args, flags);
  bool makes = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;
  mode_t mode = makes ? va_arg(args, mode_t) : 0;
  va_end(args);
  if (dir == AT_FDCWD || path[0] == '/') return open(path, flags, mode);
  snprintf(full, sizeof full, "/proc/self/fd/%d/%s", dir, path);
  return open(full, flags, mode);
}

int openat64(int dir, const char *path, int flags, ...) __attribute__((alias("openat")));

enum { HELD_MAX = 1024 };

/* What fd stands for, under a number from `least` on that open() gave: so it is known to be new. */
static int watched(int fd, int least, int flags)
{
  int held[HELD_MAX], n = 0, number = -1;
  if (fd < 0) return fd;
  while (n < HELD_MAX && (number = open("/dev/null", O_RDONLY | O_CLOEXEC)) < least && number >= 0)
    held[n++] = number;
  if (number >= 0) syscall(SYS_dup3, fd, number, flags);
  syscall(SYS_close, fd);
  while (n > 0) close(held[--n]);
  return number;
}

int memfd_create(const char *name, unsigned flags)
{
  int fd = (int)syscall(SYS_memfd_create, name, flags);
  return watched(fd, 0, flags & MFD_CLOEXEC ? O_CLOEXEC : 0);
}

int fcntl(int fd, int cmd, ...)
{
  va_list args;
  va_start(args, cmd);
  void *arg = va_arg(args, void *);
  va_end(args);
  int made = (int)syscall(SYS_fcntl, fd, cmd, arg);
  if (cmd != F_DUPFD && cmd != F_DUPFD_CLOEXEC) return made;
  return watched(made, (int)(long)arg, cmd == F_DUPFD_CLOEXEC ? O_CLOEXEC : 0);
}

int fcntl64(int fd, int cmd, ...) __attribute__((alias("fcntl")));
