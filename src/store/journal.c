/* journal.c - rows of looks in and out of the table beside the events.
 * Thread: the connection's owner, scribe or desk.
 * SPDX-License-Identifier: MIT */
#include "store/journal.h"

#include "store/ledger_int.h"

static int row_insert(sqlite3_stmt *stmt, const struct journal_row *row)
{
  sql_bind_text(stmt, 1, row->tenant);
  sql_bind_text(stmt, 2, row->model);
  sqlite3_bind_int64(stmt, 3, row->release);
  sqlite3_bind_int64(stmt, 4, (int64_t)row->look);
  sqlite3_bind_blob64(stmt, 5, row->bytes.at, row->bytes.len, SQLITE_STATIC);
  int rc = sqlite3_step(stmt);
  sqlite3_reset(stmt);
  return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

enum code journal_add(struct ledger *ledger, const struct journal_row *rows, uint32_t n,
                      struct err *err)
{
  sqlite3 *db = ledger_db(ledger);
  sqlite3_stmt *stmt = NULL;
  /* a full disk ended the transaction under an earlier add */
  if (sqlite3_get_autocommit(db)) return sql_fail(db, SQLITE_FULL, err);
  for (uint32_t i = 0; i < n; i++)
    if (!rows[i].bytes.len || rows[i].look > INT64_MAX)
      return fail(err, E_INVALID_ARGUMENT, "a look without a number or without bytes");
  if (sql_prepare(db, "INSERT OR REPLACE INTO looks VALUES (?,?,?,?,?)", &stmt, err))
    return err->code;
  int rc = sqlite3_exec(db, "SAVEPOINT looks", NULL, NULL, NULL);
  for (uint32_t i = 0; i < n && rc == SQLITE_OK; i++) rc = row_insert(stmt, &rows[i]);
  sqlite3_finalize(stmt);
  if (rc == SQLITE_OK) rc = sqlite3_exec(db, "RELEASE looks", NULL, NULL, NULL);
  if (rc == SQLITE_OK) return OK;
  enum code code = ledger_write_fail(ledger, rc, "writing looks", err);
  if (!sqlite3_get_autocommit(db)) {
    rc = sqlite3_exec(db, "ROLLBACK TO looks; RELEASE looks", NULL, NULL, NULL);
    if (rc) code = ledger_write_fail(ledger, rc, "taking back looks", err);
  }
  return code;
}

enum code journal_walk(sqlite3 *db, sqlite3_stmt *stmt, const struct journal_row *of,
                       uint32_t limit, journal_fn fn, void *arg, struct err *err)
{
  enum code code = OK;
  int rc;
  sql_bind_text(stmt, 1, of->tenant);
  sql_bind_text(stmt, 2, of->model);
  sqlite3_bind_int64(stmt, 3, of->release);
  sqlite3_bind_int64(stmt, 4, of->look > INT64_MAX ? INT64_MAX : (int64_t)of->look);
  sqlite3_bind_int64(stmt, 5, limit ? (int64_t)limit : -1);
  while (!code && (rc = sqlite3_step(stmt)) != SQLITE_DONE) {
    struct journal_row row = *of;
    if (rc != SQLITE_ROW) {
      code = sql_fail(db, rc, err);
      break;
    }
    row.look = (uint64_t)sqlite3_column_int64(stmt, 0);
    row.bytes = slice_of(sqlite3_column_blob(stmt, 1), (size_t)sqlite3_column_bytes(stmt, 1));
    code = fn(arg, &row, err);
  }
  sqlite3_reset(stmt);
  sqlite3_clear_bindings(stmt);
  return code;
}

enum code journal_read(struct ledger *ledger, const struct journal_row *of, journal_fn fn,
                       void *arg, struct err *err)
{
  sqlite3 *db = ledger_db(ledger);
  sqlite3_stmt *stmt = NULL;
  if (sql_prepare(db, JOURNAL_SELECT, &stmt, err)) return err->code;
  enum code code = journal_walk(db, stmt, of, 0, fn, arg, err);
  sqlite3_finalize(stmt);
  return code;
}
