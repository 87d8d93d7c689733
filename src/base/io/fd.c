/* fd.c - reading and writing until nothing is left.
 * Thread: any.
 * SPDX-License-Identifier: MIT */
#include "base/io/fd.h"

#include <errno.h>
#include <sys/file.h>
#include <unistd.h>

enum { HERE = -1 }; /* not from a place of the caller's: where the descriptor stands */

static ssize_t read_all(int fd, char *to, size_t n, off_t from)
{
  size_t done = 0;
  while (done < n) {
    ssize_t got = from == HERE ? read(fd, to + done, n - done)
                               : pread(fd, to + done, n - done, from + (off_t)done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -1;
    if (got == 0) break;
    done += (size_t)got;
  }
  return (ssize_t)done;
}

static bool write_all(int fd, struct slice bytes, off_t to)
{
  while (bytes.len) {
    ssize_t n = to == HERE ? write(fd, bytes.at, bytes.len) : pwrite(fd, bytes.at, bytes.len, to);
    if (n < 0 && errno == EINTR) continue;
    if (n == 0) errno = ENOSPC;
    if (n <= 0) return false;
    bytes = slice_from(bytes, (size_t)n);
    if (to != HERE) to += n;
  }
  return true;
}

ssize_t fd_read(int fd, void *to, size_t n) { return read_all(fd, to, n, HERE); }
ssize_t fd_read_at(int fd, void *to, size_t n, off_t from) { return read_all(fd, to, n, from); }
bool fd_write(int fd, struct slice bytes) { return write_all(fd, bytes, HERE); }
bool fd_write_at(int fd, struct slice bytes, off_t to) { return write_all(fd, bytes, to); }

bool fd_lock(int fd, int how)
{
  int rc;
  do rc = flock(fd, how);
  while (rc != 0 && errno == EINTR);
  return rc == 0;
}
