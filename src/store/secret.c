/* secret.c - reading and writing small secrets.
 * Thread: main, before scribe and desks start.
 * SPDX-License-Identifier: MIT */
#include "store/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io/fd.h"

static enum code file_check(int fd, const char *name, struct err *err)
{
  struct stat info;
  if (fstat(fd, &info) != 0) return fail_errno(err, errno, "a secret");
  if (!S_ISREG(info.st_mode)) return fail(err, E_DENIED, "'%s' is not a plain file", name);
  if (info.st_mode & 077)
    return fail(err, E_DENIED, "'%s' may be read by others; say: chmod 600 %s", name, name);
  return OK;
}

enum code secret_read(const struct datadir *dir, const char *name, char *to, size_t cap,
                      size_t *len, struct err *err)
{
  int fd = openat(dir ? dir->fd : AT_FDCWD, name, O_RDONLY | O_CLOEXEC | (dir ? O_NOFOLLOW : 0));
  if (fd < 0 && errno == ENOENT) return fail(err, E_NOT_FOUND, "there is no file '%s'", name);
  if (fd < 0) return fail_errno(err, errno, "a secret");
  enum code code = file_check(fd, name, err);
  ssize_t got = code ? 0 : fd_read(fd, to, cap);
  if (got < 0) code = fail_errno(err, errno, "a secret");
  close(fd);
  size_t n = code ? 0 : (size_t)got;
  if (!code && n == cap) code = fail(err, E_BAD_CONFIG, "'%s' is too long for a secret", name);
  while (!code && n && (to[n - 1] == '\n' || to[n - 1] == '\r')) n--;
  if (!code && n == 0) code = fail(err, E_BAD_CONFIG, "'%s' is empty", name);
  if (code) explicit_bzero(to, cap);
  *len = code ? 0 : n;
  return code;
}

enum code secret_write(const struct datadir *dir, const char *name, struct slice text,
                       struct err *err)
{
  char fresh[64];
  must((size_t)snprintf(fresh, sizeof fresh, "%s.new", name) < sizeof fresh);
  if (unlinkat(dir->fd, fresh, 0) != 0 && errno != ENOENT)
    return fail_errno(err, errno, "a secret");
  int fd = openat(dir->fd, fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return fail_errno(err, errno, "a secret");
  bool good = fd_write(fd, text) && fd_write(fd, SLICE("\n")) && fsync(fd) == 0;
  int error = errno;
  close(fd);
  if (good) good = renameat(dir->fd, fresh, dir->fd, name) == 0 && fsync(dir->fd) == 0;
  if (good) return OK;
  if (!error) error = errno;
  unlinkat(dir->fd, fresh, 0);
  return fail_errno(err, error ? error : EIO, "a secret");
}
