/* openat.c - linked into builds for ThreadSanitizer only: opens through open(2), which it watches.
 *
 * libuv closes descriptors by a raw system call and the sanitizer does not intercept openat, so it
 * never learned that a number was closed by one thread and given anew to another, and reported a
 * race on that number. A descriptor made by open() is known to be new.
 * SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>

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
