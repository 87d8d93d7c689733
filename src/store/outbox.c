/* outbox.c - rows of messages in and out of the table beside the events.
 * Thread: scribe; main before it starts.
 * SPDX-License-Identifier: MIT */
#include "store/outbox.h"

#include "base/log.h"
#include "store/ledger_int.h"

static int row_insert(sqlite3_stmt *stmt, const struct outbox_row *row)
{
  sql_bind_text(stmt, 1, row->id);
  sqlite3_bind_int64(stmt, 2, row->wall_ms);
  sqlite3_bind_int(stmt, 3, row->ours);
  sql_bind_text(stmt, 4, row->url);
  sql_bind_text(stmt, 5, row->body);
  int rc = sqlite3_step(stmt);
  sqlite3_reset(stmt);
  return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int oldest_drop(sqlite3 *db)
{
  sqlite3_stmt *stmt = NULL;
  struct err ignored;
  if (sql_prepare(db, "DELETE FROM outbox WHERE seq <= (SELECT max(seq) FROM outbox) - ?1", &stmt,
                  &ignored))
    return SQLITE_ERROR;
  sqlite3_bind_int(stmt, 1, OUTBOX_ROWS_MAX);
  int rc = sqlite3_step(stmt);
  sqlite3_finalize(stmt);
  if (rc == SQLITE_DONE && sqlite3_changes(db))
    log_event(LOG_WARN, "webhook_given_up", "reason", "too many messages wait for receivers",
              "messages", log_num(sqlite3_changes(db)), NULL);
  return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

enum code outbox_add(struct ledger *ledger, const struct outbox_row *rows, uint32_t n,
                     struct err *err)
{
  sqlite3 *db = ledger_db(ledger);
  sqlite3_stmt *stmt = NULL;
  if (n == 0) return OK;
  /* a full disk ended the transaction under an earlier add */
  if (sqlite3_get_autocommit(db)) return sql_fail(db, SQLITE_FULL, err);
  if (sql_prepare(db, "INSERT OR REPLACE INTO outbox (id, wall_ms, ours, url, body)"
                      " VALUES (?1, ?2, ?3, ?4, ?5)",
                  &stmt, err))
    return err->code;
  int rc = sqlite3_exec(db, "SAVEPOINT notes", NULL, NULL, NULL);
  for (uint32_t i = 0; i < n && rc == SQLITE_OK; i++) rc = row_insert(stmt, &rows[i]);
  sqlite3_finalize(stmt);
  if (rc == SQLITE_OK) rc = oldest_drop(db);
  if (rc == SQLITE_OK) rc = sqlite3_exec(db, "RELEASE notes", NULL, NULL, NULL);
  if (rc == SQLITE_OK) return OK;
  enum code code = ledger_write_fail(ledger, rc, "writing messages", err);
  if (!sqlite3_get_autocommit(db)) {
    rc = sqlite3_exec(db, "ROLLBACK TO notes; RELEASE notes", NULL, NULL, NULL);
    if (rc) code = ledger_write_fail(ledger, rc, "taking back messages", err);
  }
  return code;
}

enum code outbox_drop(struct ledger *ledger, const struct slice *ids, uint32_t n, struct err *err)
{
  sqlite3_stmt *stmt = NULL;
  if (sql_prepare(ledger_db(ledger), "DELETE FROM outbox WHERE id = ?1", &stmt, err) ||
      ledger_group_begin(ledger, err)) {
    sqlite3_finalize(stmt);
    return err->code;
  }
  int rc = SQLITE_OK;
  for (uint32_t i = 0; i < n && rc == SQLITE_OK; i++) {
    sql_bind_text(stmt, 1, ids[i]);
    rc = sqlite3_step(stmt) == SQLITE_DONE ? SQLITE_OK : sqlite3_errcode(ledger_db(ledger));
    sqlite3_reset(stmt);
  }
  sqlite3_finalize(stmt);
  struct err late = {0};
  enum code code = rc ? ledger_write_fail(ledger, rc, "dropping messages", err) : OK;
  if (ledger_group_commit(ledger, &late) == OK || code) return code;
  *err = late;
  return err->code;
}

enum code outbox_read(struct ledger *ledger, outbox_fn fn, void *arg, struct err *err)
{
  sqlite3 *db = ledger_db(ledger);
  sqlite3_stmt *stmt = NULL;
  int rc;
  if (sql_prepare(db, "SELECT id, wall_ms, ours, url, body FROM outbox ORDER BY seq", &stmt, err))
    return err->code;
  while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
    struct outbox_row row = {.id = sql_text(stmt, 0),
                             .wall_ms = sqlite3_column_int64(stmt, 1),
                             .ours = sqlite3_column_int(stmt, 2) != 0,
                             .url = sql_text(stmt, 3),
                             .body = sql_text(stmt, 4)};
    fn(arg, &row);
  }
  enum code code = rc == SQLITE_DONE ? OK : sql_fail(db, rc, err);
  sqlite3_finalize(stmt);
  return code;
}
