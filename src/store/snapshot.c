/* snapshot.c - one file, whole or not at all, that names the row it stands on.
 * Thread: scribe writes; main reads before it starts.
 * SPDX-License-Identifier: MIT */
#include "store/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "store/codec.h"
#include "store/ledger_int.h"

struct snapshot_head {
  char magic[8];
  uint64_t form, seq;
  struct digest hash; /* of that row */
  uint64_t len;
};
_Static_assert(sizeof(struct snapshot_head) == 64, "no padding in what is written");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "heads are written as they lie");

static const char magic[8] = {'S', 'L', 'P', 'W', 'S', 'N', 'A', 'P'};

static struct digest sum_of(const struct snapshot_head *head, struct slice bytes)
{
  struct sha256 sha;
  sha256_init(&sha);
  sha256_add(&sha, slice_of((const char *)head, sizeof *head));
  if (bytes.len) sha256_add(&sha, bytes);
  return sha256_end(&sha);
}

/* --- writing ---------------------------------------------------------------------------------- */

static bool file_write(int fd, const struct snapshot_head *head, struct slice bytes)
{
  struct digest sum = sum_of(head, bytes);
  return fd_write(fd, slice_of((const char *)head, sizeof *head)) && fd_write(fd, bytes) &&
         fd_write(fd, slice_of((const char *)sum.at, SHA256_LEN)) && fsync(fd) == 0;
}

/* Unlike the ledger's, a sync that fails here costs nothing: the one before stays. */
enum code snapshot_keep(const struct datadir *dir, struct ledger *ledger, uint64_t form,
                        uint64_t seq, struct slice bytes, struct err *err)
{
  struct snapshot_head head = {.form = form, .seq = seq, .len = bytes.len};
  memcpy(head.magic, magic, sizeof magic);
  if (ledger_hash(ledger, seq, &head.hash, err)) return err->code;
  if (unlinkat(dir->fd, "snapshot.new", 0) != 0 && errno != ENOENT)
    return fail_errno(err, errno, "the snapshot");
  int fd = openat(dir->fd, "snapshot.new", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                  0600);
  if (fd < 0) return fail_errno(err, errno, "the snapshot");
  bool good = file_write(fd, &head, bytes);
  int error = errno;
  close(fd);
  if (good) {
    good = renameat(dir->fd, "snapshot.new", dir->fd, "snapshot") == 0 && fsync(dir->fd) == 0;
    error = errno;
  }
  if (good) return OK;
  unlinkat(dir->fd, "snapshot.new", 0);
  return fail_errno(err, error, "the snapshot");
}

/* --- reading ---------------------------------------------------------------------------------- */

static bool whole_read(int fd, void *to, size_t len)
{
  return fd_read(fd, to, len) == (ssize_t)len;
}

static enum code file_read(int fd, uint64_t form, struct snapshot_head *head, struct blob **bytes,
                           struct err *err)
{
  struct stat st;
  struct digest sum, want;
  if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
    return fail(err, E_UNAVAILABLE, "it is not a plain file");
  if (!whole_read(fd, head, sizeof *head) || memcmp(head->magic, magic, sizeof magic) != 0 ||
      head->len != (uint64_t)st.st_size - sizeof *head - SHA256_LEN)
    return fail(err, E_UNAVAILABLE, "it is cut or none");
  if (head->form != form) return fail(err, E_UNAVAILABLE, "another slipway wrote it");
  *bytes = blob_new(head->len);
  bool whole = whole_read(fd, (*bytes)->bytes, head->len) && whole_read(fd, &want, sizeof want);
  if (whole) sum = sum_of(head, blob_lend(*bytes));
  if (whole && digest_same(&sum, &want)) return OK;
  return fail(err, E_UNAVAILABLE, "its bytes are damaged");
}

enum code snapshot_find(const struct datadir *dir, struct ledger *ledger, uint64_t form,
                        uint64_t *seq, struct blob **bytes, struct err *err)
{
  struct snapshot_head head = {.seq = 0};
  struct digest hash;
  *bytes = NULL;
  unlinkat(dir->fd, "snapshot.new", 0); /* a crash left it */
  int fd = openat(dir->fd, "snapshot", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT) return fail(err, E_NOT_FOUND, "there is no snapshot");
  if (fd < 0) return fail_errno(err, errno, "the snapshot");
  enum code code = file_read(fd, form, &head, bytes, err);
  close(fd);
  struct err ignored;
  if (!code && (ledger_hash(ledger, head.seq, &hash, &ignored) || !digest_same(&hash, &head.hash)))
    code = fail(err, E_UNAVAILABLE, "it is of another ledger");
  *seq = head.seq;
  if (!code) return OK;
  blob_drop(*bytes);
  *bytes = NULL;
  return code;
}

/* --- what it stands on ------------------------------------------------------------------------ */

/* The line that was hashed, of a row of SQL_ROW; the body is not looked into. */
static bool line_write(sqlite3_stmt *stmt, struct buf *line)
{
  const struct event event = {.seq = (uint64_t)sqlite3_column_int64(stmt, 0),
                              .wall_ms = sqlite3_column_int64(stmt, 1),
                              .kind = event_named(sql_text(stmt, 2)),
                              .tenant = sql_text(stmt, 4),
                              .model = sql_text(stmt, 5),
                              .actor = sql_text(stmt, 6),
                              .idempotency = sql_text(stmt, 7)};
  if (event.kind == EVENT_NONE) return false;
  buf_reset(line);
  event_line_write(line, &event, sqlite3_column_int(stmt, 3), sql_text(stmt, 8));
  return !line->full;
}

static bool row_holds(sqlite3_stmt *stmt, struct buf *line, uint64_t seq, struct digest *before)
{
  struct digest prev, hash;
  struct sha256 sha;
  if ((uint64_t)sqlite3_column_int64(stmt, 0) != seq || !sql_digest(stmt, 9, &prev) ||
      !sql_digest(stmt, 10, &hash) || !line_write(stmt, line) ||
      memcmp(&prev, before, sizeof prev) != 0)
    return false;
  sha256_init(&sha);
  sha256_add(&sha, slice_of((const char *)prev.at, SHA256_LEN));
  sha256_add(&sha, buf_lend(line));
  *before = sha256_end(&sha);
  return memcmp(before, &hash, sizeof hash) == 0;
}

enum code ledger_prove(struct ledger *ledger, uint64_t until, uint64_t *from, struct err *err)
{
  sqlite3 *db = ledger_db(ledger);
  sqlite3_stmt *stmt = NULL;
  struct digest before = {{0}};
  struct buf line;
  uint64_t seq = until > PROVE_ROWS ? until - PROVE_ROWS : 0;
  enum code code = OK;
  int rc = SQLITE_ROW;
  *from = seq + 1;
  if (seq && ledger_hash(ledger, seq, &before, err)) return err->code;
  if (sql_prepare(db, "SELECT " SQL_ROW " FROM events WHERE seq > ?1 AND seq <= ?2 ORDER BY seq",
                  &stmt, err))
    return err->code;
  sqlite3_bind_int64(stmt, 1, (int64_t)seq);
  sqlite3_bind_int64(stmt, 2, (int64_t)until);
  buf_init(&line, 2 * EVENT_LINE_MAX);
  while (!code && seq < until && (rc = sqlite3_step(stmt)) == SQLITE_ROW)
    if (!row_holds(stmt, &line, ++seq, &before))
      code = fail(err, E_UNAVAILABLE,
                  "event %llu of the ledger was changed, removed or added; restore it from a "
                  "backup",
                  (unsigned long long)seq);
  if (!code && seq < until)
    code = rc == SQLITE_DONE ? fail(err, E_UNAVAILABLE, "event %llu of the ledger is missing",
                                    (unsigned long long)seq + 1)
                             : sql_fail(db, rc, err);
  buf_deinit(&line);
  sqlite3_finalize(stmt);
  return code;
}
