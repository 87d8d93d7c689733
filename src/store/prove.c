/* prove.c - lines made of columns as they lie, hashed one after the other.
 * Thread: main, before the scribe starts.
 * SPDX-License-Identifier: MIT */
#include "store/prove.h"

#include "store/codec.h"
#include "store/ledger_int.h"

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
                  "event %llu of the ledger was changed, removed or added; restore it from a backup",
                  (unsigned long long)seq);
  if (!code && seq < until)
    code = rc == SQLITE_DONE ? fail(err, E_UNAVAILABLE, "event %llu of the ledger is missing",
                                    (unsigned long long)seq + 1)
                             : sql_fail(db, rc, err);
  buf_deinit(&line);
  sqlite3_finalize(stmt);
  return code;
}
