/* held.c - marks of possession.
 * Thread: desks; the janitor sweeps; main counts before they start.
 * SPDX-License-Identifier: MIT */
#include "store/held.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "store/artifact.h"
#include "store/object_int.h"

enum { HALF = TENANT_FOLDER_LEN, MARK_MAX = 2 + SHA256_HEX_LEN + 1 + 20 + 1 };

static enum code mark_fail(struct err *err, int error)
{
  return fail_errno(err, error, "the upload's mark");
}

static void half_hex(struct slice text, char to[HALF + 1])
{
  char hex[SHA256_HEX_LEN + 1];
  struct digest digest = sha256_of(text);
  digest_hex(&digest, hex);
  snprintf(to, HALF + 1, "%.32s", hex);
}

void tenant_folder_name(struct slice tenant, char name[TENANT_FOLDER_LEN + 1])
{
  half_hex(tenant, name);
}

int tenant_folder_open(int dir_fd, struct slice tenant, bool make)
{
  char name[TENANT_FOLDER_LEN + 1];
  tenant_folder_name(tenant, name);
  if (make && mkdirat(dir_fd, name, 0700) != 0 && errno != EEXIST) return -1;
  return openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Made, or found and young again. */
static enum code mark_make(int fd, const char *name, bool *made, struct err *err)
{
  int file = openat(fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  *made = file >= 0;
  if (file >= 0) {
    close(file);
    return OK;
  }
  if (errno != EEXIST) return mark_fail(err, errno);
  if (utimensat(fd, name, NULL, AT_SYMLINK_NOFOLLOW) == 0) return OK;
  return mark_fail(err, errno);
}

/* --- bytes that wait -------------------------------------------------------------------------- */

static void wait_name(const struct digest *digest, uint64_t bytes, char name[MARK_MAX])
{
  char hex[SHA256_HEX_LEN + 1];
  digest_hex(digest, hex);
  snprintf(name, MARK_MAX, "p-%.64s-%" PRIu64, hex, bytes);
}

static bool wait_read(const char *name, uint64_t *bytes)
{
  struct slice text = slice_str(name);
  return slice_starts(text, SLICE("p-")) && text.len > 3 + SHA256_HEX_LEN &&
         text_read_u64(slice_from(text, 3 + SHA256_HEX_LEN), UINT64_MAX, bytes);
}

enum code held_wait(const struct datadir *dir, struct slice tenant, const struct digest *digest,
                    uint64_t bytes, struct meter *meter, struct err *err)
{
  char name[MARK_MAX];
  bool made = false;
  int fd = tenant_folder_open(dir->held_fd, tenant, true);
  if (fd < 0) return mark_fail(err, errno);
  wait_name(digest, bytes, name);
  enum code code = mark_make(fd, name, &made, err);
  close(fd);
  if (!code && !made && meter) meter_pending_give(meter, bytes);
  return code;
}

bool held_waits(const struct datadir *dir, struct slice tenant, const struct digest *digest,
                uint64_t bytes)
{
  struct stat st;
  char name[MARK_MAX];
  int fd = tenant_folder_open(dir->held_fd, tenant, false);
  if (fd < 0) return false;
  wait_name(digest, bytes, name);
  bool waits = fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
  close(fd);
  return waits;
}

void held_named(const struct datadir *dir, struct slice tenant, const struct digest *digest,
                uint64_t bytes, struct meter *meter)
{
  char name[MARK_MAX];
  int fd = tenant_folder_open(dir->held_fd, tenant, false);
  if (fd < 0) return;
  wait_name(digest, bytes, name);
  if (unlinkat(fd, name, 0) == 0 && meter) meter_pending_give(meter, bytes);
  close(fd);
}

/* --- keys ------------------------------------------------------------------------------------- */

static enum code key_new(int fd, const char *name, const char *half, struct meter *meter,
                         struct err *err)
{
  if (meter && !meter_key_add(meter, HELD_KEYS_MAX))
    return fail(err, E_LIMIT_EXCEEDED,
                "%d Idempotency-Keys of uploads are remembered, the most there may be; upload "
                "without one, or wait until old ones are forgotten",
                HELD_KEYS_MAX);
  if (symlinkat(half, fd, name) == 0) return OK;
  int error = errno;
  if (meter) meter_key_give(meter);
  if (error == EEXIST) return fail(err, E_CONFLICT, "this Idempotency-Key is in use; try again");
  return mark_fail(err, error);
}

static enum code key_mark(int fd, struct slice key, const char *hex, struct meter *meter,
                          struct err *err)
{
  char name[MARK_MAX], half[HALF + 1], now[HALF + 1], met[HALF + 1];
  half_hex(key, half);
  snprintf(name, sizeof name, "k-%s", half);
  snprintf(now, sizeof now, "%.32s", hex);
  ssize_t n = readlinkat(fd, name, met, HALF);
  if (n < 0 && errno == ENOENT) return key_new(fd, name, now, meter, err);
  if (n < 0) return mark_fail(err, errno);
  if (n != HALF || memcmp(met, now, HALF) != 0)
    return fail(err, E_IDEMPOTENCY_MISMATCH,
                "the Idempotency-Key was used for other bytes; use a fresh one");
  if (utimensat(fd, name, NULL, AT_SYMLINK_NOFOLLOW) == 0) return OK;
  return mark_fail(err, errno);
}

/* --- who had what ----------------------------------------------------------------------------- */

enum code held_add(const struct datadir *dir, struct slice tenant, const struct digest *digest,
                   struct slice key, struct meter *meter, struct err *err)
{
  char hex[SHA256_HEX_LEN + 1];
  bool made;
  digest_hex(digest, hex);
  int fd = tenant_folder_open(dir->held_fd, tenant, true);
  if (fd < 0) return mark_fail(err, errno);
  enum code code = key.len ? key_mark(fd, key, hex, meter, err) : OK;
  if (!code) code = mark_make(fd, hex, &made, err);
  if (!code) code = file_sync(fd, "a folder of marks", err);
  if (!code) code = file_sync(dir->held_fd, "the folder of marks", err);
  close(fd);
  return code;
}

enum code held_key(const struct datadir *dir, struct slice tenant, struct slice key,
                   const struct digest *digest, struct meter *meter, struct err *err)
{
  char hex[SHA256_HEX_LEN + 1];
  digest_hex(digest, hex);
  int fd = tenant_folder_open(dir->held_fd, tenant, true);
  if (fd < 0) return mark_fail(err, errno);
  enum code code = key_mark(fd, key, hex, meter, err);
  close(fd);
  return code;
}

/* The mark of possession: is it there? `touch`: and young again. */
static enum code mark_find(const struct datadir *dir, struct slice tenant,
                           const struct digest *digest, bool touch, struct err *err)
{
  struct stat st;
  char hex[SHA256_HEX_LEN + 1];
  digest_hex(digest, hex);
  int fd = tenant_folder_open(dir->held_fd, tenant, false), rc = -1, error = errno;
  if (fd >= 0) {
    rc = touch ? utimensat(fd, hex, NULL, AT_SYMLINK_NOFOLLOW)
               : fstatat(fd, hex, &st, AT_SYMLINK_NOFOLLOW);
    error = errno;
    close(fd);
  }
  if (rc == 0) return OK;
  if (error == ENOENT) return fail(err, E_NOT_FOUND, "there is no object %.12s...", hex);
  return mark_fail(err, error);
}

enum code held_find(const struct datadir *dir, struct slice tenant, const struct digest *digest,
                    uint64_t *bytes, struct err *err)
{
  if (mark_find(dir, tenant, digest, true, err)) return err->code;
  return object_touch(dir, digest, bytes, err);
}

enum code held_look(const struct datadir *dir, struct slice tenant, const struct digest *digest,
                    uint64_t *bytes, struct err *err)
{
  if (mark_find(dir, tenant, digest, false, err)) return err->code;
  return artifact_size(dir, digest, bytes, err);
}

/* --- all marks of a tenant -------------------------------------------------------------------- */

static DIR *folder_list(int fd)
{
  DIR *list = fd < 0 ? NULL : fdopendir(fd);
  if (!list && fd >= 0) close(fd);
  return list;
}

/* As old as that, so that a collection which began before does not take it. */
static bool wait_made_old(int fd, const char *name, int64_t since_ms)
{
  const struct timespec at = {since_ms / 1000, since_ms % 1000 * 1000000};
  int file = openat(fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (file < 0) return false;
  (void)futimens(file, (const struct timespec[2]){at, at}); /* else it stays a while longer */
  close(file);
  return true;
}

void held_freed(const struct datadir *dir, struct slice tenant, const struct digest *digest,
                uint64_t bytes, int64_t since_ms, struct meter *meter)
{
  char name[MARK_MAX];
  int fd = tenant_folder_open(dir->held_fd, tenant, true);
  wait_name(digest, bytes, name);
  bool made = fd >= 0 && wait_made_old(fd, name, since_ms);
  if (!made && meter) meter_pending_give(meter, bytes); /* counted already, or not to be counted */
  if (fd >= 0) close(fd);
}

/* A mark of possession without one that says that its bytes wait, though no version names them. */
static void possessed_count(const struct datadir *dir, int fd, const struct digest *digest,
                            struct meter *meter)
{
  struct err err;
  struct stat st;
  uint64_t bytes;
  char name[MARK_MAX];
  if (artifact_size(dir, digest, &bytes, &err)) return;
  wait_name(digest, bytes, name);
  if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0) return; /* it is counted by that */
  if (wait_made_old(fd, name, 0)) meter_pending_add(meter, bytes);
}

static bool digest_of(struct slice hex, struct digest *digest)
{
  return hex.len >= SHA256_HEX_LEN && digest_from_hex(slice_of(hex.at, SHA256_HEX_LEN), digest);
}

void held_count(const struct datadir *dir, struct slice tenant, struct meter *meter,
                bool (*is_named)(void *of, const struct digest *digest), void *of)
{
  struct stat st;
  struct digest digest;
  uint64_t bytes;
  DIR *list = folder_list(tenant_folder_open(dir->held_fd, tenant, false));
  for (const struct dirent *entry; list && (entry = readdir(list));) {
    struct slice name = slice_str(entry->d_name);
    if (slice_starts(name, SLICE("k-"))) {
      (void)meter_key_add(meter, UINT32_MAX);
    } else if (wait_read(entry->d_name, &bytes)) {
      bool named = digest_of(slice_from(name, 2), &digest) && is_named(of, &digest);
      if (!named || unlinkat(dirfd(list), entry->d_name, 0) != 0) meter_pending_add(meter, bytes);
    } else if (name.len == SHA256_HEX_LEN && digest_of(name, &digest) && !is_named(of, &digest)) {
      possessed_count(dir, dirfd(list), &digest, meter);
    }
  }
  if (list) closedir(list);
  list = folder_list(tenant_folder_open(dir->uploads_fd, tenant, false));
  for (const struct dirent *entry; list && (entry = readdir(list));)
    if (entry->d_name[0] != '.' &&
        fstatat(dirfd(list), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
      meter_pending_add(meter, (uint64_t)st.st_size);
  if (list) closedir(list);
}

static bool is_old(int fd, const char *name, int64_t since_ms)
{
  struct stat st;
  return fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && file_ms(&st) < since_ms;
}

/* Whether the tenant had the object in its hands since: it is there then, and its bytes count. */
static bool is_possessed(int fd, const char *wait, int64_t since_ms)
{
  struct stat st;
  char hex[SHA256_HEX_LEN + 1];
  snprintf(hex, sizeof hex, "%.64s", wait + 2);
  return fstatat(fd, hex, &st, AT_SYMLINK_NOFOLLOW) == 0 && file_ms(&st) >= since_ms;
}

uint64_t held_sweep(const struct datadir *dir, const char *folder, int64_t since_ms,
                    struct meter *meter)
{
  uint64_t n = 0, bytes = 0;
  DIR *list = folder_list(
      openat(dir->held_fd, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  for (const struct dirent *entry; list && (entry = readdir(list));) {
    const char *name = entry->d_name;
    bool waits = wait_read(name, &bytes);
    if (name[0] == '.' || !is_old(dirfd(list), name, since_ms) ||
        (waits && is_possessed(dirfd(list), name, since_ms)) ||
        unlinkat(dirfd(list), name, 0) != 0)
      continue;
    n++;
    if (meter && waits) meter_pending_give(meter, bytes);
    if (meter && strncmp(name, "k-", 2) == 0) meter_key_give(meter);
  }
  if (list) closedir(list);
  return n;
}
