/* sql.c - careful connections to the ledger's file, rows as events.
 * Thread: the connection's owner, scribe or desk.
 * SPDX-License-Identifier: MIT */
#include "store/sql_int.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/codec.h"

enum { BUSY_MS = 5000 };

/* --- outcomes --------------------------------------------------------------------------------- */

bool sql_full(sqlite3 *db, int rc)
{
  if ((rc & 0xff) == SQLITE_FULL) return true;
  int error = db ? sqlite3_system_errno(db) : 0;
  return (rc & 0xff) == SQLITE_IOERR && (error == ENOSPC || error == EDQUOT);
}

bool sql_fatal(sqlite3 *db, int rc)
{
  if (sql_full(db, rc)) return false;
  switch (rc & 0xff) {
    case SQLITE_IOERR:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_CANTOPEN:
    case SQLITE_NOMEM: return true;
    default: return false;
  }
}

enum code sql_fail(sqlite3 *db, int rc, struct err *err)
{
  if (sql_full(db, rc))
    return fail(err, E_STORAGE_FULL, "no space is left for the ledger; free some, then try again");
  switch (rc & 0xff) {
    case SQLITE_CANTOPEN:
      if (db && sqlite3_system_errno(db))
        return fail_errno(err, sqlite3_system_errno(db), "the ledger");
      return fail(err, E_UNAVAILABLE, "the ledger cannot be opened");
    case SQLITE_PERM:
    case SQLITE_READONLY: return fail(err, E_DENIED, "the ledger may not be written");
    case SQLITE_INTERRUPT:
      return fail(err, E_DEADLINE_EXCEEDED, "reading the ledger took too long; ask for less");
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      return fail(err, E_UNAVAILABLE, "the ledger is damaged; restore it from a backup");
    case SQLITE_CONSTRAINT:
    case SQLITE_TOOBIG: return fail(err, E_INVALID_ARGUMENT, "the ledger cannot hold this event");
    default: return fail(err, E_UNAVAILABLE, "the ledger cannot be used: %s", sqlite3_errstr(rc));
  }
}

void sql_die(sqlite3 *db, int rc, const char *doing)
{
  dprintf(
      STDERR_FILENO,
      "slipway: the ledger failed while %s (%s, errno %d). Nobody knows what is on disk now, so "
      "the process ends and acknowledges nothing more; check the disk, then start again\n",
      doing, sqlite3_errstr(rc), db ? sqlite3_system_errno(db) : 0);
  _exit(code_exit(E_INTERNAL));
}

/* --- connections ------------------------------------------------------------------------------ */

/* A used-up quota is a full disk. SQLite takes it for a broken one, and forgets which error a
 * COMMIT met: so it is told in the one word that it knows. */
static ssize_t pwrite_or_full(int fd, const void *bytes, size_t n, off_t to)
{
  ssize_t done = pwrite(fd, bytes, n, to);
  if (done < 0 && errno == EDQUOT) errno = ENOSPC;
  return done;
}

static void quota_is_full(void)
{
  sqlite3_vfs *vfs = sqlite3_vfs_find("unix");
  if (!vfs || vfs->iVersion < 3 || !vfs->xSetSystemCall) return;
  vfs->xSetSystemCall(vfs, "pwrite", (sqlite3_syscall_ptr)pwrite_or_full);
  vfs->xSetSystemCall(vfs, "pwrite64", (sqlite3_syscall_ptr)pwrite_or_full);
}

/* The file is ours before SQLite opens it by name: no link, no stranger's mode. */
static enum code file_check(const struct datadir *dir, const char *name, bool writer,
                            struct err *err)
{
  static const char *const tails[] = {".db", ".db-wal", ".db-shm"};
  char names[sizeof tails / sizeof *tails][32];
  for (size_t i = 0; i < sizeof tails / sizeof *tails; i++)
    snprintf(names[i], sizeof names[i], "%s%s", name, tails[i]);
  if (writer) {
    int fd = openat(dir->fd, names[0], O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) return fail_errno(err, errno, "the ledger");
    close(fd);
    if (fsync(dir->fd) != 0) return fail_errno(err, errno, "the data directory");
  }
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    struct stat st;
    if (fstatat(dir->fd, names[i], &st, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT && i > 0) continue;
      return fail_errno(err, errno, "the ledger");
    }
    if (!S_ISREG(st.st_mode)) return fail_errno(err, ELOOP, "the ledger");
  }
  return OK;
}

static enum code hardened(sqlite3 *db, bool writer, struct err *err)
{
  sqlite3_busy_timeout(db, BUSY_MS);
  sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
  sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
  sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
  sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
  if (!writer) sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
  /* Checkpoints are ours to call: SQLite's own one hides a failed fsync. */
  return sql_run(db,
                 "PRAGMA mmap_size=0; PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;"
                 "PRAGMA foreign_keys=ON; PRAGMA temp_store=MEMORY; PRAGMA wal_autocheckpoint=0;"
                 "PRAGMA synchronous=FULL;",
                 err);
}

enum code sql_open(sqlite3 **db, const struct datadir *dir, const char *name, const char *vfs,
                   bool writer, struct err *err)
{
  char path[PATH_MAX + 32];
  *db = NULL;
  if (file_check(dir, name, writer, err)) return err->code;
  if (writer) quota_is_full();
  snprintf(path, sizeof path, "%s/%s.db", dir->path, name);
  int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE |
              (writer ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY);
  int rc = sqlite3_open_v2(path, db, flags, vfs);
  enum code code = rc ? sql_fail(*db, rc, err) : hardened(*db, writer, err);
  if (code) {
    sqlite3_close(*db);
    *db = NULL;
  }
  return code;
}

enum code sql_run(sqlite3 *db, const char *statements, struct err *err)
{
  int rc = sqlite3_exec(db, statements, NULL, NULL, NULL);
  return rc ? sql_fail(db, rc, err) : OK;
}

enum code sql_prepare(sqlite3 *db, const char *text, sqlite3_stmt **stmt, struct err *err)
{
  int rc = sqlite3_prepare_v3(db, text, -1, SQLITE_PREPARE_PERSISTENT, stmt, NULL);
  return rc ? sql_fail(db, rc, err) : OK;
}

/* --- rows ------------------------------------------------------------------------------------- */

void sql_bind_text(sqlite3_stmt *stmt, int at, struct slice text)
{
  sqlite3_bind_text64(stmt, at, text.len ? text.at : "", text.len, SQLITE_STATIC, SQLITE_UTF8);
}

struct slice sql_text(sqlite3_stmt *stmt, int at)
{
  const char *text = (const char *)sqlite3_column_text(stmt, at);
  return slice_of(text, text ? (size_t)sqlite3_column_bytes(stmt, at) : 0);
}

bool sql_digest(sqlite3_stmt *stmt, int at, struct digest *digest)
{
  *digest = (struct digest){0};
  const void *bytes = sqlite3_column_blob(stmt, at);
  if (!bytes || sqlite3_column_bytes(stmt, at) != SHA256_LEN) return false;
  memcpy(digest->at, bytes, SHA256_LEN);
  return true;
}

static bool text_keep(struct arena *arena, sqlite3_stmt *stmt, int at, struct slice *to)
{
  struct slice text = sql_text(stmt, at);
  *to = SLICE_NONE;
  if (!text.len) return true;
  *to = arena_copy(arena, text);
  return to->at != NULL;
}

enum code sql_row(sqlite3_stmt *stmt, struct arena *arena, struct sql_row *row, struct err *err)
{
  *row = (struct sql_row){0};
  struct event *event = &row->event;
  event->seq = (uint64_t)sqlite3_column_int64(stmt, 0);
  event->wall_ms = sqlite3_column_int64(stmt, 1);
  event->kind = event_named(sql_text(stmt, 2));
  row->encoding = sqlite3_column_int(stmt, 3);
  unsigned long long seq = event->seq;
  if (event->kind == EVENT_NONE)
    return fail(err, E_UNAVAILABLE,
                "event %llu of the ledger is of a kind this slipway does not know", seq);
  if (!text_keep(arena, stmt, 4, &event->tenant) || !text_keep(arena, stmt, 5, &event->model) ||
      !text_keep(arena, stmt, 6, &event->actor) || !text_keep(arena, stmt, 7, &event->idempotency))
    return fail(err, E_UNAVAILABLE, "event %llu of the ledger is too large", seq);
  row->body = sql_text(stmt, 8);
  struct err why;
  if (event_body_read(arena, row->encoding, row->body, event, &why))
    return fail(err, E_UNAVAILABLE, "event %llu of the ledger cannot be read: %s", seq, why.text);
  if (!sql_digest(stmt, 9, &row->prev_hash) || !sql_digest(stmt, 10, &row->hash) ||
      !sql_digest(stmt, 11, &row->tenant_prev) || !sql_digest(stmt, 12, &row->tenant_hash))
    return fail(err, E_UNAVAILABLE, "event %llu of the ledger has no hash", seq);
  return OK;
}
