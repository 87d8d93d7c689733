/* held.c - marks of possession.
 * Thread: desks.
 * SPDX-License-Identifier: MIT */
#include "store/held.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/object_int.h"

enum { KEY_HEX = 32, MARK_MAX = 2 + KEY_HEX + 1 + SHA256_HEX_LEN + 1 };

static void half_hex(struct slice text, char to[KEY_HEX + 1])
{
  char hex[SHA256_HEX_LEN + 1];
  struct digest digest = sha256_of(text);
  digest_hex(&digest, hex);
  snprintf(to, KEY_HEX + 1, "%.32s", hex);
}

int tenant_folder_open(int dir_fd, struct slice tenant, bool make)
{
  char name[KEY_HEX + 1];
  half_hex(tenant, name);
  if (make && mkdirat(dir_fd, name, 0700) != 0 && errno != EEXIST) return -1;
  return openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static enum code mark(int fd, const char *name, struct err *err)
{
  int file = openat(fd, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (file < 0) return fail_errno(err, errno, "the upload's mark");
  int rc = futimens(file, NULL), error = errno;
  close(file);
  return rc == 0 ? OK : fail_errno(err, error, "the upload's mark");
}

/* The bytes that came with the key before; false: it is new. */
static bool key_met(int fd, const char *begin, char hex[SHA256_HEX_LEN + 1])
{
  size_t len = strlen(begin);
  bool met = false;
  int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *list = copy < 0 ? NULL : fdopendir(copy);
  if (!list) {
    if (copy >= 0) close(copy);
    return false;
  }
  for (const struct dirent *entry; !met && (entry = readdir(list));) {
    met = strncmp(entry->d_name, begin, len) == 0;
    if (met) snprintf(hex, SHA256_HEX_LEN + 1, "%.64s", entry->d_name + len);
  }
  closedir(list);
  return met;
}

static enum code key_mark(int fd, struct slice key, const char *hex, struct err *err)
{
  char begin[MARK_MAX], name[MARK_MAX], half[KEY_HEX + 1], before[SHA256_HEX_LEN + 1];
  half_hex(key, half);
  snprintf(begin, sizeof begin, "k-%s-", half);
  snprintf(name, sizeof name, "k-%s-%.64s", half, hex);
  if (key_met(fd, begin, before) && strcmp(before, hex) != 0)
    return fail(err, E_IDEMPOTENCY_MISMATCH,
                "the Idempotency-Key was used for other bytes; use a fresh one");
  return mark(fd, name, err);
}

enum code held_add(const struct datadir *dir, struct slice tenant, const struct digest *digest,
                   struct slice key, struct err *err)
{
  char hex[SHA256_HEX_LEN + 1];
  digest_hex(digest, hex);
  int fd = tenant_folder_open(dir->held_fd, tenant, true);
  if (fd < 0) return fail_errno(err, errno, "the upload's mark");
  enum code code = key.len ? key_mark(fd, key, hex, err) : OK;
  if (!code) code = mark(fd, hex, err);
  if (!code) code = file_sync(fd, "a folder of marks", err);
  if (!code) code = file_sync(dir->held_fd, "the folder of marks", err);
  close(fd);
  return code;
}

enum code held_key(const struct datadir *dir, struct slice tenant, struct slice key,
                   const struct digest *digest, struct err *err)
{
  char hex[SHA256_HEX_LEN + 1];
  digest_hex(digest, hex);
  int fd = tenant_folder_open(dir->held_fd, tenant, true);
  if (fd < 0) return fail_errno(err, errno, "the upload's mark");
  enum code code = key_mark(fd, key, hex, err);
  close(fd);
  return code;
}

enum code held_find(const struct datadir *dir, struct slice tenant, const struct digest *digest,
                    uint64_t *bytes, struct err *err)
{
  char hex[SHA256_HEX_LEN + 1];
  digest_hex(digest, hex);
  int fd = tenant_folder_open(dir->held_fd, tenant, false), rc = -1, error = errno;
  if (fd >= 0) {
    rc = utimensat(fd, hex, NULL, AT_SYMLINK_NOFOLLOW);
    error = errno;
    close(fd);
  }
  if (rc == 0) return object_touch(dir, digest, bytes, err);
  if (error == ENOENT) return fail(err, E_NOT_FOUND, "there is no object %.12s...", hex);
  return fail_errno(err, error, "the upload's mark");
}
