/* backup.c - tar out, tar in, both by hand: five names and one shape of header.
 * Thread: what the scribe would do, done by main in a process of its own.
 * Source: POSIX ustar (pax, "ustar Interchange Format").
 * SPDX-License-Identifier: MIT */
#include "store/backup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/io/fd.h"
#include "base/mem.h"
#include "store/artifact.h"
#include "store/ledger.h"
#include "store/sql_int.h"

enum { BLOCK = 512, CHUNK = 1 << 20, MANIFEST_MAX = 512 << 20, NAME_MAX_LEN = 100 };
#define MEMBER_BYTES_MAX ((UINT64_C(1) << 33) - 1) /* what eleven octal digits hold */

struct tar_head {
  char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, link[100];
  char magic[6], version[2], user[32], group[32], major[8], minor[8], prefix[155], rest[12];
};
_Static_assert(sizeof(struct tar_head) == BLOCK, "a header is one block");

static const char *const secrets[] = {"pepper", "audit.key", "admin.key"};
enum { SECRETS = sizeof secrets / sizeof *secrets };

static unsigned tar_sum(const struct tar_head *head)
{
  const unsigned char *bytes = (const unsigned char *)head;
  unsigned sum = 0;
  for (size_t i = 0; i < sizeof *head; i++)
    sum += i >= offsetof(struct tar_head, sum) && i < offsetof(struct tar_head, type) ? ' '
                                                                                     : bytes[i];
  return sum;
}

/* --- out -------------------------------------------------------------------------------------- */

struct out {
  int fd;
  struct buf manifest;
  struct backup *sum;
  char *chunk;
};

static enum code out_bytes(struct out *out, const void *bytes, size_t n, struct err *err)
{
  return fd_write(out->fd, slice_of(bytes, n)) ? OK : fail_errno(err, errno, "the backup");
}

static enum code out_head(struct out *out, const char *name, uint64_t bytes, struct err *err)
{
  struct tar_head head;
  if (bytes > MEMBER_BYTES_MAX)
    return fail(err, E_LIMIT_EXCEEDED, "a file of the data directory is too large for a backup");
  memset(&head, 0, sizeof head);
  snprintf(head.name, sizeof head.name, "%s", name);
  memcpy(head.mode, "0000600", 7);
  memcpy(head.uid, "0000000", 7);
  memcpy(head.gid, "0000000", 7);
  snprintf(head.size, sizeof head.size, "%011llo", (unsigned long long)bytes);
  memcpy(head.mtime, "00000000000", 11);
  head.type = '0';
  memcpy(head.magic, "ustar", 6);
  memcpy(head.version, "00", 2);
  snprintf(head.sum, sizeof head.sum, "%06o", tar_sum(&head));
  head.sum[7] = ' ';
  return out_bytes(out, &head, sizeof head, err);
}

static enum code out_pad(struct out *out, uint64_t bytes, struct err *err)
{
  static const char zeros[BLOCK];
  return out_bytes(out, zeros, (size_t)(-bytes & (BLOCK - 1)), err);
}

/* A whole file, as long as it is now. */
static enum code out_file(struct out *out, const char *name, int fd, struct err *err)
{
  struct stat st;
  struct sha256 sha;
  char hex[SHA256_HEX_LEN + 1];
  if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
    return fail_errno(err, ELOOP, "a file of the data directory");
  uint64_t left = (uint64_t)st.st_size;
  if (out_head(out, name, left, err)) return err->code;
  sha256_init(&sha);
  while (left) {
    ssize_t n = fd_read(fd, out->chunk, left < CHUNK ? (size_t)left : CHUNK);
    if (n <= 0 || out_bytes(out, out->chunk, (size_t)n, err)) {
      sha256_deinit(&sha);
      return n <= 0 ? fail(err, E_UNAVAILABLE, "a file became shorter while it was read")
                    : err->code;
    }
    sha256_add(&sha, slice_of(out->chunk, (size_t)n));
    left -= (uint64_t)n;
  }
  struct digest digest = sha256_end(&sha);
  digest_hex(&digest, hex);
  buf_print(&out->manifest, "%s  %s\n", hex, name);
  out->sum->members++;
  out->sum->bytes += (uint64_t)st.st_size;
  return out_pad(out, (uint64_t)st.st_size, err);
}

static enum code out_named(struct out *out, int dir_fd, const char *from, const char *name,
                           bool may_miss, struct err *err)
{
  int fd = openat(dir_fd, from, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT && may_miss) return OK;
  if (fd < 0) return fail_errno(err, errno, "a file of the data directory");
  enum code code = out_file(out, name, fd, err);
  close(fd);
  return code;
}

static bool is_hex(const char *text, size_t n)
{
  return strlen(text) == n && strspn(text, "0123456789abcdef") == n;
}

static enum code out_folder(struct out *out, int objects_fd, const char *folder, struct err *err)
{
  int fd = openat(objects_fd, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR *list = fd < 0 ? NULL : fdopendir(fd);
  struct dirent *entry;
  enum code code = list ? OK : fail_errno(err, errno, "a folder of objects");
  while (!code && (entry = readdir(list))) {
    char name[NAME_MAX_LEN];
    if (!is_hex(entry->d_name, SHA256_HEX_LEN)) continue;
    snprintf(name, sizeof name, "objects/%.2s/%.64s", folder, entry->d_name);
    code = out_named(out, fd, entry->d_name, name, true, err); /* collected meanwhile: not named */
    if (!code) out->sum->objects++;
  }
  if (list) closedir(list);
  return code;
}

static enum code out_objects(struct out *out, int dir_fd, struct err *err)
{
  int fd = openat(dir_fd, "objects", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return fail_errno(err, errno, "the objects");
  enum code code = OK;
  for (int i = 0; i < 256 && !code; i++) {
    char folder[3];
    snprintf(folder, sizeof folder, "%02x", i);
    if (faccessat(fd, folder, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
      code = out_folder(out, fd, folder, err);
  }
  close(fd);
  return code;
}

/* A database as it is at one moment, while its daemon goes on writing. */
static enum code db_copy(const struct datadir *dir, const char *name, const char *to,
                         struct backup *sum, struct err *err)
{
  sqlite3 *from = NULL, *copy = NULL;
  sqlite3_stmt *stmt = NULL;
  bool events = strcmp(name, "ledger") == 0;
  if (sql_open(&from, dir, name, NULL, false, err)) return err->code;
  int rc = sqlite3_open_v2(to, &copy,
                           SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW, NULL);
  sqlite3_backup *backup = rc ? NULL : sqlite3_backup_init(copy, "main", from, "main");
  if (backup) {
    sqlite3_backup_step(backup, -1);
    rc = sqlite3_backup_finish(backup);
  }
  enum code code = OK;
  if (rc || !backup) code = sql_fail(copy, rc ? rc : SQLITE_ERROR, err);
  /* one file, without a log beside it */
  if (!code) code = sql_run(copy, "PRAGMA journal_mode=DELETE; PRAGMA synchronous=FULL", err);
  if (!code && events &&
      sql_prepare(copy, "SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1", &stmt, err) ==
          OK &&
      sqlite3_step(stmt) == SQLITE_ROW) {
    sum->last_seq = (uint64_t)sqlite3_column_int64(stmt, 0);
    sql_digest(stmt, 1, &sum->head);
  }
  sqlite3_finalize(stmt);
  sqlite3_close(copy);
  sqlite3_close(from);
  return code;
}

static enum code out_all(struct out *out, const struct datadir *dir, const char *copy,
                         struct err *err)
{
  static const char end[2 * BLOCK];
  if (db_copy(dir, "ledger", copy, out->sum, err) ||
      out_named(out, AT_FDCWD, copy, "ledger.db", false, err))
    return err->code;
  unlink(copy);
  if (faccessat(dir->fd, "outcomes.db", F_OK, AT_SYMLINK_NOFOLLOW) == 0 &&
      (db_copy(dir, "outcomes", copy, out->sum, err) ||
       out_named(out, AT_FDCWD, copy, "outcomes.db", false, err)))
    return err->code;
  for (int i = 0; i < SECRETS; i++)
    if (out_named(out, dir->fd, secrets[i], secrets[i], true, err)) return err->code;
  if (out_objects(out, dir->fd, err)) return err->code;
  struct slice manifest = buf_lend(&out->manifest);
  if (out->manifest.full) return fail(err, E_LIMIT_EXCEEDED, "there are too many objects");
  if (out_head(out, "MANIFEST", manifest.len, err) ||
      out_bytes(out, manifest.at, manifest.len, err) || out_pad(out, manifest.len, err) ||
      out_bytes(out, end, sizeof end, err))
    return err->code;
  return fsync(out->fd) == 0 ? OK : fail_errno(err, errno, "the backup");
}

enum code backup_write(const char *data, const char *file, struct backup *sum, struct err *err)
{
  struct datadir dir = {.fd = -1};
  char fresh[4096], copy[4096];
  *sum = (struct backup){.members = 0};
  if (snprintf(fresh, sizeof fresh, "%s.new", file) >= (int)sizeof fresh ||
      snprintf(copy, sizeof copy, "%s.ledger", file) >= (int)sizeof copy)
    return fail(err, E_INVALID_ARGUMENT, "the name of the backup is too long");
  if (!realpath(data, dir.path) ||
      (dir.fd = open(dir.path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) < 0)
    return fail(err, E_NOT_FOUND, "there is no data directory '%s'", data);
  if (faccessat(dir.fd, "ledger.db", F_OK, AT_SYMLINK_NOFOLLOW) != 0) {
    close(dir.fd);
    return fail(err, E_NOT_FOUND, "there is no ledger in '%s'", data);
  }
  unlink(fresh), unlink(copy);
  struct out out = {.sum = sum, .chunk = grab(CHUNK)};
  buf_init(&out.manifest, MANIFEST_MAX);
  mode_t mask = umask(077);
  out.fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  enum code code = out.fd < 0 ? fail_errno(err, errno, "the backup")
                              : out_all(&out, &dir, copy, err);
  umask(mask);
  if (out.fd >= 0) close(out.fd);
  if (!code && rename(fresh, file) != 0) code = fail_errno(err, errno, "the backup");
  unlink(copy), unlink(fresh);
  buf_deinit(&out.manifest);
  ungrab(out.chunk);
  close(dir.fd);
  return code;
}

/* --- in --------------------------------------------------------------------------------------- */

struct in {
  int fd;
  const struct datadir *dir;
  struct buf seen, manifest; /* what was read, and what was written */
  struct backup *sum;
  char *chunk;
};

static enum code broken(struct err *err, const char *why)
{
  return fail(err, E_CHAIN_BROKEN, "the backup is not what was written: %s", why);
}

static enum code in_bytes(struct in *in, void *to, size_t n, struct err *err)
{
  ssize_t done = fd_read(in->fd, to, n);
  if (done < 0) return fail_errno(err, errno, "the backup");
  return (size_t)done == n ? OK : broken(err, "it was cut");
}

static bool is_object(const char *name) { return strncmp(name, "objects/", 8) == 0; }

/* Names that a backup has, and no others: nothing in it leads out of the folder. */
static bool name_is_ours(const char *name)
{
  if (strcmp(name, "ledger.db") == 0 || strcmp(name, "outcomes.db") == 0 ||
      strcmp(name, "MANIFEST") == 0)
    return true;
  for (int i = 0; i < SECRETS; i++)
    if (strcmp(name, secrets[i]) == 0) return true;
  return strncmp(name, "objects/", 8) == 0 && strlen(name) == 8 + 3 + SHA256_HEX_LEN &&
         name[10] == '/' && strncmp(name + 8, name + 11, 2) == 0 &&
         is_hex(name + 11, SHA256_HEX_LEN);
}

/* False: the blocks of zeros that end it. */
static enum code in_head(struct in *in, struct tar_head *head, uint64_t *bytes, bool *more,
                         struct err *err)
{
  static const struct tar_head zeros;
  if (in_bytes(in, head, sizeof *head, err)) return err->code;
  *more = memcmp(head, &zeros, sizeof zeros) != 0;
  if (!*more) return OK;
  char size[13] = "", sum[9] = "", *end;
  memcpy(size, head->size, sizeof head->size);
  memcpy(sum, head->sum, 6);
  if (memcmp(head->magic, "ustar", 6) != 0 || head->type != '0' ||
      strtoul(sum, NULL, 8) != tar_sum(head) || !memchr(head->name, 0, sizeof head->name) ||
      !name_is_ours(head->name))
    return broken(err, "a member has a name or a head that no backup has");
  *bytes = strtoull(size, &end, 8);
  return end == size ? broken(err, "a member has no size") : OK;
}

static int member_open(struct in *in, const char *name)
{
  char folder[] = "objects/xx";
  if (is_object(name)) {
    memcpy(folder + 8, name + 8, 2);
    if (mkdirat(in->dir->fd, folder, 0700) != 0 && errno != EEXIST) return -1;
  }
  return openat(in->dir->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

static enum code member_copy(struct in *in, int fd, uint64_t left, struct digest *digest,
                             struct err *err)
{
  struct sha256 sha;
  sha256_init(&sha);
  while (left) {
    size_t n = left < CHUNK ? (size_t)left : CHUNK;
    if (in_bytes(in, in->chunk, n, err)) break;
    sha256_add(&sha, slice_of(in->chunk, n));
    if (fd < 0 && buf_add(&in->manifest, slice_of(in->chunk, n))) {
      broken(err, "its manifest is too long");
      break;
    }
    if (fd >= 0 && !fd_write(fd, slice_of(in->chunk, n))) {
      fail_errno(err, errno, "the data directory");
      break;
    }
    left -= n;
  }
  *digest = sha256_end(&sha);
  if (left) return err->code;
  return fd < 0 || fsync(fd) == 0 ? OK : fail_errno(err, errno, "the data directory");
}

static enum code member_take(struct in *in, const char *name, uint64_t bytes, struct err *err)
{
  char hex[SHA256_HEX_LEN + 1], pad[BLOCK];
  struct digest digest;
  bool manifest = strcmp(name, "MANIFEST") == 0;
  int fd = manifest ? -1 : member_open(in, name);
  if (fd < 0 && !manifest)
    return errno == EEXIST ? broken(err, "a member comes twice, or the folder is not empty")
                           : fail_errno(err, errno, "the data directory");
  enum code code = member_copy(in, fd, bytes, &digest, err);
  if (fd >= 0) close(fd);
  if (code || in_bytes(in, pad, (size_t)(-bytes & (BLOCK - 1)), err)) return err->code;
  if (manifest) return OK;
  digest_hex(&digest, hex);
  if (is_object(name) && strcmp(hex, name + 11) != 0)
    return broken(err, "an object is not what it is called");
  in->sum->objects += is_object(name);
  in->sum->members++;
  in->sum->bytes += bytes;
  buf_print(&in->seen, "%s  %s\n", hex, name);
  return OK;
}

static enum code in_all(struct in *in, struct err *err)
{
  struct tar_head head;
  uint64_t bytes = 0;
  bool more = true;
  while (true) {
    if (in_head(in, &head, &bytes, &more, err)) return err->code;
    if (!more) break;
    if (member_take(in, head.name, bytes, err)) return err->code;
  }
  if (!in->manifest.len || !slice_eq(buf_lend(&in->seen), buf_lend(&in->manifest)))
    return broken(err, "its members are not those of its manifest");
  return fsync(in->dir->fd) == 0 ? OK : fail_errno(err, errno, "the data directory");
}

static enum code ledger_check(struct in *in, struct err *err)
{
  struct ledger *ledger;
  uint64_t bad;
  if (ledger_open(&ledger, in->dir, NULL, err)) return err->code;
  enum code code = ledger_verify(ledger, &bad, err);
  in->sum->last_seq = ledger_last_seq(ledger);
  in->sum->head = ledger_head(ledger);
  ledger_close(ledger);
  return code ? fail(err, E_CHAIN_BROKEN, "the chain of the ledger breaks at event %llu",
                     (unsigned long long)bad)
              : OK;
}

/* The hash says that it is what was written; this, that it was sound then. */
static enum code outcomes_check(const struct in *in, struct err *err)
{
  sqlite3 *db = NULL;
  sqlite3_stmt *stmt = NULL;
  if (faccessat(in->dir->fd, "outcomes.db", F_OK, AT_SYMLINK_NOFOLLOW) != 0) return OK;
  enum code code = sql_open(&db, in->dir, "outcomes", NULL, false, err);
  if (!code) code = sql_prepare(db, "PRAGMA quick_check(1)", &stmt, err);
  if (!code && (sqlite3_step(stmt) != SQLITE_ROW ||
                strcmp((const char *)sqlite3_column_text(stmt, 0), "ok") != 0))
    code = broken(err, "its outcomes are damaged");
  sqlite3_finalize(stmt);
  sqlite3_close(db);
  return code;
}

/* --- a restore that was cut off --------------------------------------------------------------- */

static const char half_way[] = "restoring";

bool backup_is_half_way(const struct datadir *dir)
{
  return faccessat(dir->fd, half_way, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* How many there are; `drop`: were. */
static uint32_t objects_left(int objects_fd, bool drop)
{
  uint32_t n = 0;
  for (int i = 0; i < 256; i++) {
    char folder[3];
    struct dirent *entry;
    snprintf(folder, sizeof folder, "%02x", i);
    int fd = openat(objects_fd, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);
    if (!list && fd >= 0) close(fd);
    while (list && (entry = readdir(list)))
      if (is_hex(entry->d_name, SHA256_HEX_LEN)) {
        n++;
        if (drop) unlinkat(dirfd(list), entry->d_name, 0);
      }
    if (list) closedir(list);
  }
  return n;
}

static enum code left_look(const struct datadir *dir, const char *name, struct err *err)
{
  if (faccessat(dir->fd, name, F_OK, AT_SYMLINK_NOFOLLOW) != 0) return OK;
  return fail(err, E_CONFLICT, "'%s' is in '%s'; restore into an empty folder", name, dir->path);
}

/* The mark stands before the first member and goes after the last check. Under it lies what an
 * earlier restore left, and nothing else: where it began there was none of that. So the next one
 * may take it away. */
static enum code restore_begin(const struct datadir *dir, struct err *err)
{
  static const char *const left[] = {"ledger.db",       "ledger.db-wal",   "ledger.db-shm",
                                     "outcomes.db",     "outcomes.db-wal", "outcomes.db-shm",
                                     "head",            "reserve",         "snapshot"};
  if (backup_is_half_way(dir)) {
    for (size_t i = 0; i < sizeof left / sizeof *left; i++) unlinkat(dir->fd, left[i], 0);
    for (int i = 0; i < SECRETS; i++) unlinkat(dir->fd, secrets[i], 0);
    objects_left(dir->objects_fd, true);
    return OK;
  }
  for (size_t i = 0; i < sizeof left / sizeof *left; i++)
    if (left_look(dir, left[i], err)) return err->code;
  for (int i = 0; i < SECRETS; i++)
    if (left_look(dir, secrets[i], err)) return err->code;
  if (objects_left(dir->objects_fd, false))
    return fail(err, E_CONFLICT, "there are objects in '%s'; restore into an empty folder",
                dir->path);
  int fd = openat(dir->fd, half_way, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return fail_errno(err, errno, "the data directory");
  close(fd);
  return fsync(dir->fd) == 0 ? OK : fail_errno(err, errno, "the data directory");
}

static enum code restore_end(const struct datadir *dir, struct err *err)
{
  if (unlinkat(dir->fd, half_way, 0) == 0 && fsync(dir->fd) == 0) return OK;
  return fail_errno(err, errno, "the data directory");
}

enum code backup_restore(const char *file, const char *data, struct backup *sum, struct err *err)
{
  struct datadir dir;
  *sum = (struct backup){.members = 0};
  int fd = open(file, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail(err, E_NOT_FOUND, "there is no backup '%s'", file);
  if (datadir_open(&dir, data, err)) {
    close(fd);
    return err->code;
  }
  enum code code = restore_begin(&dir, err);
  if (!code) {
    struct in in = {.fd = fd, .dir = &dir, .sum = sum, .chunk = grab(CHUNK)};
    buf_init(&in.seen, MANIFEST_MAX);
    buf_init(&in.manifest, MANIFEST_MAX);
    code = in_all(&in, err);
    if (!code) code = ledger_check(&in, err);
    if (!code) code = outcomes_check(&in, err);
    if (!code) code = restore_end(&dir, err);
    if (code) unlinkat(dir.fd, "ledger.db", 0);
    buf_deinit(&in.seen);
    buf_deinit(&in.manifest);
    ungrab(in.chunk);
  }
  datadir_close(&dir);
  close(fd);
  return code;
}
