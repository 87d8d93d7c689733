/* datadir.c - making, locking and sweeping the data directory.
 * Thread: main, before scribe and desks start.
 * SPDX-License-Identifier: MIT */
#include "store/datadir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io/fd.h"

enum code fail_errno(struct err *err, int error, const char *what)
{
  switch (error) {
    case ENOSPC:
    case EDQUOT: return fail(err, E_STORAGE_FULL, "no space is left for %s; free some", what);
    case EACCES:
    case EPERM:
    case EROFS: return fail(err, E_DENIED, "%s may not be written: %s", what, strerror(error));
    case ELOOP:
    case ENOTDIR:
      return fail(err, E_DENIED, "%s is a symbolic link or no folder; remove what is in its place",
                  what);
    case EMFILE:
    case ENFILE:
      return fail(err, E_UNAVAILABLE, "too many files are open to reach %s; raise the limit", what);
    default: return fail(err, E_UNAVAILABLE, "%s cannot be used: %s", what, strerror(error));
  }
}

static int fsync_at(int dir_fd, const char *name)
{
  int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return -1;
  int rc = fsync(fd), error = errno;
  close(fd);
  errno = error;
  return rc;
}

/* Makes path and its parents; each made folder's parent is synced so that the folder stays. */
static enum code parents_make(const char *path, struct err *err)
{
  char part[PATH_MAX];
  size_t len = strlen(path);
  if (len == 0 || len >= sizeof part)
    return fail(err, E_INVALID_ARGUMENT, "the data directory's name is empty or too long");
  for (size_t i = 1; i <= len; i++) {
    if (path[i] != '/' && path[i] != '\0') continue;
    memcpy(part, path, i);
    part[i] = '\0';
    if (mkdir(part, 0700) == 0) {
      char *slash = strrchr(part, '/');
      const char *parent = slash == part ? "/" : slash ? part : ".";
      if (slash && slash != part) *slash = '\0';
      if (fsync_at(AT_FDCWD, parent) != 0) return fail_errno(err, errno, "the data directory");
    } else if (errno != EEXIST && errno != EISDIR) {
      return fail_errno(err, errno, "the data directory");
    }
  }
  return OK;
}

static enum code folder_open(int dir_fd, const char *name, int *fd, struct err *err)
{
  bool made = mkdirat(dir_fd, name, 0700) == 0;
  if (!made && errno != EEXIST) return fail_errno(err, errno, "the data directory");
  *fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (*fd < 0) return fail_errno(err, errno, "a folder in the data directory");
  if (made && fsync(dir_fd) != 0) return fail_errno(err, errno, "the data directory");
  return OK;
}

static enum code lock_take(struct datadir *dir, struct err *err)
{
  char pid[24] = "";
  dir->lock_fd = openat(dir->fd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (dir->lock_fd < 0) return fail_errno(err, errno, "the data directory's lock");
  bool ours = fd_lock(dir->lock_fd, LOCK_EX | LOCK_NB);
  if (!ours && errno != EWOULDBLOCK) return fail_errno(err, errno, "the data directory's lock");
  if (!ours) {
    ssize_t n = fd_read_at(dir->lock_fd, pid, sizeof pid - 1, 0);
    if (n > 0) pid[strspn(pid, "0123456789")] = '\0';
    return fail(
        err, E_CONFLICT,
        "another slipway%s%s uses this data directory; stop it or choose another with --data",
        pid[0] ? ", process " : "", pid);
  }
  int len = snprintf(pid, sizeof pid, "%d\n", (int)getpid());
  if (ftruncate(dir->lock_fd, 0) != 0 || !fd_write_at(dir->lock_fd, slice_of(pid, (size_t)len), 0))
    pid[0] = '\0'; /* only for the other one's message */
  return OK;
}

static enum code staging_sweep(const struct datadir *dir, struct err *err)
{
  int fd = openat(dir->staging_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *list = fd < 0 ? NULL : fdopendir(fd);
  if (!list) {
    int error = errno;
    if (fd >= 0) close(fd);
    return fail_errno(err, error, "the staging folder");
  }
  struct dirent *entry;
  while ((entry = readdir(list)))
    if (entry->d_name[0] != '.') unlinkat(dir->staging_fd, entry->d_name, 0);
  closedir(list);
  return OK;
}

enum code datadir_open(struct datadir *dir, const char *path, struct err *err)
{
  *dir = (struct datadir){.fd = -1,
                          .lock_fd = -1,
                          .objects_fd = -1,
                          .staging_fd = -1,
                          .held_fd = -1,
                          .uploads_fd = -1};
  if (parents_make(path, err)) return err->code;
  if (!realpath(path, dir->path)) return fail_errno(err, errno, "the data directory");
  enum code code = OK;
  dir->fd = open(dir->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (dir->fd < 0) code = fail_errno(err, errno, "the data directory");
  if (!code) code = lock_take(dir, err);
  if (!code) code = folder_open(dir->fd, "objects", &dir->objects_fd, err);
  if (!code) code = folder_open(dir->fd, "staging", &dir->staging_fd, err);
  if (!code) code = folder_open(dir->fd, "held", &dir->held_fd, err);
  if (!code) code = folder_open(dir->fd, "uploads", &dir->uploads_fd, err);
  if (!code) code = staging_sweep(dir, err);
  if (code) datadir_close(dir);
  return code;
}

void datadir_close(struct datadir *dir)
{
  int *fds[] = {&dir->staging_fd, &dir->held_fd, &dir->uploads_fd,
                &dir->objects_fd, &dir->fd,      &dir->lock_fd};
  for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
    if (*fds[i] >= 0) close(*fds[i]);
    *fds[i] = -1;
  }
}
