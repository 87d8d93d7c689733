/* object.c - files put in place under their digest, said to be needed, taken away.
 * Thread: any that writes files.
 * SPDX-License-Identifier: MIT */
#include "store/object_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io/fd.h"

_Noreturn static void sync_die(const char *what, int error)
{
  dprintf(
      STDERR_FILENO,
      "slipway: syncing %s failed (%s). Nobody knows what is on disk now, so the process ends and "
      "acknowledges nothing more; check the disk, then start again\n",
      what, strerror(error));
  _exit(code_exit(E_INTERNAL));
}

enum code file_sync(int fd, const char *what, struct err *err)
{
  int rc;
  do rc = fsync(fd);
  while (rc != 0 && errno == EINTR);
  if (rc == 0) return OK;
  if (errno == ENOSPC || errno == EDQUOT) return fail_errno(err, errno, what);
  sync_die(what, errno);
}

void object_path(const struct digest *digest, char path[OBJECT_PATH_MAX])
{
  char hex[SHA256_HEX_LEN + 1];
  digest_hex(digest, hex);
  snprintf(path, OBJECT_PATH_MAX, "%.2s/%s", hex, hex);
}

int object_folder(const struct datadir *dir, const char *path, int flags)
{
  char folder[3] = {path[0], path[1], '\0'};
  return openat(dir->objects_fd, folder, flags | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Held for a rename, an unlink, a change of times: never for long. */
static void folder_lock(int fd)
{
  must(fd_lock(fd, LOCK_EX));
}

enum code object_place(const struct datadir *dir, int from_fd, const char *name, const char *path,
                       struct err *err)
{
  char folder[3] = {path[0], path[1], '\0'};
  if (mkdirat(dir->objects_fd, folder, 0700) != 0 && errno != EEXIST)
    return fail_errno(err, errno, "the object");
  int fd = object_folder(dir, path, O_RDONLY);
  if (fd < 0) return fail_errno(err, errno, "the object's folder");
  enum code code = OK;
  folder_lock(fd);
  if (renameat(from_fd, name, fd, path + 3) != 0) code = fail_errno(err, errno, "the object");
  flock(fd, LOCK_UN);
  if (!code) code = file_sync(fd, "a folder of objects", err);
  /* Always: another thread may have made the folder and not have synced it yet. */
  if (!code) code = file_sync(dir->objects_fd, "the folder of objects", err);
  close(fd);
  return code;
}

enum code object_touch(const struct datadir *dir, const struct digest *digest, uint64_t *bytes,
                       struct err *err)
{
  char path[OBJECT_PATH_MAX];
  struct stat st;
  object_path(digest, path);
  int fd = object_folder(dir, path, O_RDONLY), rc = -1, error = errno;
  if (fd >= 0) {
    folder_lock(fd);
    rc = fstatat(fd, path + 3, &st, AT_SYMLINK_NOFOLLOW);
    if (rc == 0) rc = utimensat(fd, path + 3, NULL, AT_SYMLINK_NOFOLLOW);
    error = errno;
    close(fd);
  }
  if (rc != 0 && error == ENOENT)
    return fail(err, E_NOT_FOUND, "there is no object %.12s...", path + 3);
  if (rc != 0) return fail_errno(err, error, "an object");
  if (!S_ISREG(st.st_mode)) return fail(err, E_UNAVAILABLE, "an object is not a file");
  *bytes = (uint64_t)st.st_size;
  return OK;
}

bool object_drop(const struct datadir *dir, const char *path, int64_t since_ms)
{
  struct stat st;
  bool gone = false;
  int fd = object_folder(dir, path, O_RDONLY);
  if (fd < 0) return false;
  folder_lock(fd);
  if (fstatat(fd, path + 3, &st, AT_SYMLINK_NOFOLLOW) == 0 && file_ms(&st) < since_ms)
    gone = unlinkat(fd, path + 3, 0) == 0;
  close(fd);
  return gone;
}
