/* history.c - a read-only connection of its own, for looking back.
 * Thread: desk; one history per reader.
 * SPDX-License-Identifier: MIT */
#include "store/history.h"

#include "base/clock.h"
#include "base/mem.h"
#include "store/codec.h"
#include "store/ledger_int.h"

struct history {
  sqlite3 *db;
  sqlite3_stmt *by_tenant, *by_model, *of_flags, *of_releases, *of_looks, *pruned;
  sqlite3_stmt *proofs, *own_proofs;
  struct buf line; /* scratch of one proof */
  int64_t deadline_us;
};

enum { OPS_BETWEEN_LOOKS = 1000 };

static int late(void *arg)
{
  const struct history *history = arg;
  return clock_us() > history->deadline_us;
}

enum code history_open(struct history **out, const struct datadir *dir, struct err *err)
{
  struct history *history = grab_zero(1, sizeof *history);
  *out = NULL;
  buf_init(&history->line, 2 * EVENT_LINE_MAX);
  if (sql_open(&history->db, dir, "ledger", NULL, false, err) ||
      sql_run(history->db, "PRAGMA query_only=ON", err) ||
      sql_prepare(history->db,
                  "SELECT " SQL_ROW " FROM events WHERE tenant = ?1 AND seq < ?2"
                  " ORDER BY seq DESC LIMIT ?3",
                  &history->by_tenant, err) ||
      sql_prepare(history->db,
                  "SELECT " SQL_ROW " FROM events WHERE tenant = ?1 AND seq < ?2 AND model = ?4"
                  " AND model <> '' ORDER BY seq DESC LIMIT ?3",
                  &history->by_model, err) ||
      sql_prepare(history->db,
                  "SELECT " SQL_ROW " FROM events WHERE tenant = ?1 AND seq < ?2"
                  " AND kind IN ('flags_set', 'flag_removed') ORDER BY seq DESC LIMIT ?3",
                  &history->of_flags, err) ||
      sql_prepare(history->db,
                  "SELECT " SQL_ROW " FROM events WHERE tenant = ?1 AND seq < ?2"
                  " AND kind IN ('release_started', 'release_moved', 'release_approved',"
                  " 'freeze_set', 'freeze_lifted') ORDER BY seq DESC LIMIT ?3",
                  &history->of_releases, err) ||
      sql_prepare(history->db,
                  "SELECT " SQL_ROW " FROM events WHERE seq >= ?2 ORDER BY seq LIMIT ?3",
                  &history->proofs, err) ||
      sql_prepare(history->db,
                  "SELECT " SQL_ROW " FROM events WHERE tenant = ?1 AND seq >= ?2"
                  " ORDER BY seq LIMIT ?3",
                  &history->own_proofs, err) ||
      sql_prepare(history->db, JOURNAL_SELECT, &history->of_looks, err) ||
      sql_prepare(history->db,
                  "SELECT wall_ms FROM looks_pruned WHERE tenant = ?1 AND model = ?2"
                  " AND release = ?3",
                  &history->pruned, err)) {
    history_close(history);
    return err->code;
  }
  sqlite3_progress_handler(history->db, OPS_BETWEEN_LOOKS, late, history);
  *out = history;
  return OK;
}

void history_close(struct history *history)
{
  if (!history) return;
  sqlite3_finalize(history->by_tenant);
  sqlite3_finalize(history->by_model);
  sqlite3_finalize(history->of_flags);
  sqlite3_finalize(history->of_releases);
  sqlite3_finalize(history->of_looks);
  sqlite3_finalize(history->proofs);
  sqlite3_finalize(history->own_proofs);
  buf_deinit(&history->line);
  sqlite3_finalize(history->pruned);
  must(sqlite3_close(history->db) == SQLITE_OK);
  ungrab(history);
}

static enum code limit_check(uint32_t limit, struct err *err)
{
  if (limit >= 1 && limit <= HISTORY_LIMIT_MAX) return OK;
  return fail(err, E_INVALID_ARGUMENT, "limit must be 1 to %d, got %u", HISTORY_LIMIT_MAX, limit);
}

static enum code rows_read(struct history *history, sqlite3_stmt *stmt,
                           const struct history_range *range, history_fn fn, void *arg,
                           struct err *err)
{
  struct arena arena;
  struct sql_row row;
  enum code code = OK;
  int rc;
  if (limit_check(range->limit, err)) return err->code;
  history->deadline_us = range->deadline_us;
  arena_init(&arena, 2 * EVENT_LINE_MAX, NULL);
  sql_bind_text(stmt, 1, range->tenant);
  sqlite3_bind_int64(stmt, 2, range->before && range->before < INT64_MAX ? (int64_t)range->before
                                                                        : INT64_MAX);
  sqlite3_bind_int64(stmt, 3, range->limit);
  if (stmt == history->by_model) sql_bind_text(stmt, 4, range->model);
  while (!code && (rc = sqlite3_step(stmt)) != SQLITE_DONE) {
    arena_reset(&arena);
    if (rc != SQLITE_ROW)
      code = sql_fail(history->db, rc, err);
    else if ((code = sql_row(stmt, &arena, &row, err)) == OK)
      code = fn(arg, &row.event, &row.hash, err);
  }
  sqlite3_reset(stmt);
  sqlite3_clear_bindings(stmt);
  arena_deinit(&arena);
  return code;
}

enum code history_read(struct history *history, const struct history_range *range, history_fn fn,
                       void *arg, struct err *err)
{
  sqlite3_stmt *stmt = range->model.len ? history->by_model : history->by_tenant;
  return rows_read(history, stmt, range, fn, arg, err);
}

enum code history_flags(struct history *history, const struct history_range *range, history_fn fn,
                        void *arg, struct err *err)
{
  return rows_read(history, history->of_flags, range, fn, arg, err);
}

enum code history_releases(struct history *history, const struct history_range *range,
                           history_fn fn, void *arg, struct err *err)
{
  return rows_read(history, history->of_releases, range, fn, arg, err);
}

static enum code proof_give(struct history *history, sqlite3_stmt *stmt, bool own,
                            struct arena *arena, history_proof_fn fn, void *arg, struct err *err)
{
  struct sql_row row;
  if (sql_row(stmt, arena, &row, err)) return err->code;
  buf_reset(&history->line);
  event_line_write(&history->line, &row.event, row.encoding, row.body);
  if (history->line.full) return fail(err, E_UNAVAILABLE, "an event of the ledger is too large");
  struct history_proof proof = {.seq = row.event.seq,
                                .line = buf_lend(&history->line),
                                .prev = own ? row.tenant_prev : row.prev_hash,
                                .hash = own ? row.tenant_hash : row.hash};
  return fn(arg, &proof, err);
}

enum code history_proofs(struct history *history, struct slice tenant, uint64_t from_seq,
                         uint32_t limit, int64_t deadline_us, history_proof_fn fn, void *arg,
                         struct err *err)
{
  sqlite3_stmt *stmt = tenant.at ? history->own_proofs : history->proofs;
  struct arena arena;
  enum code code = OK;
  int rc;
  history->deadline_us = deadline_us;
  arena_init(&arena, 2 * EVENT_LINE_MAX, NULL);
  if (tenant.at) sql_bind_text(stmt, 1, tenant);
  sqlite3_bind_int64(stmt, 2, from_seq > INT64_MAX ? INT64_MAX : (int64_t)from_seq);
  sqlite3_bind_int64(stmt, 3, limit);
  while (!code && (rc = sqlite3_step(stmt)) != SQLITE_DONE) {
    arena_reset(&arena);
    if (rc != SQLITE_ROW)
      code = sql_fail(history->db, rc, err);
    else
      code = proof_give(history, stmt, tenant.at != NULL, &arena, fn, arg, err);
  }
  sqlite3_reset(stmt);
  sqlite3_clear_bindings(stmt);
  arena_deinit(&arena);
  return code;
}

enum code history_looks(struct history *history, const struct journal_row *of, uint32_t limit,
                        int64_t deadline_us, journal_fn fn, void *arg, struct err *err)
{
  if (limit_check(limit, err)) return err->code;
  history->deadline_us = deadline_us;
  return journal_walk(history->db, history->of_looks, of, limit, fn, arg, err);
}

enum code history_pruned(struct history *history, const struct journal_row *of, int64_t *wall_ms,
                         struct err *err)
{
  sqlite3_stmt *stmt = history->pruned;
  history->deadline_us = INT64_MAX;
  sql_bind_text(stmt, 1, of->tenant);
  sql_bind_text(stmt, 2, of->model);
  sqlite3_bind_int64(stmt, 3, of->release);
  int rc = sqlite3_step(stmt);
  *wall_ms = rc == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;
  enum code code = rc == SQLITE_ROW || rc == SQLITE_DONE ? OK : sql_fail(history->db, rc, err);
  sqlite3_reset(stmt);
  sqlite3_clear_bindings(stmt);
  return code;
}
