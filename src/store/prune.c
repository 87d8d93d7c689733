/* prune.c - the next model, its first release that is kept no longer, the first looks of that.
 * Thread: scribe.
 * SPDX-License-Identifier: MIT */
#include "store/prune.h"

#include "base/log.h"
#include "store/ledger_int.h"

/* A statement that gives numbers and perhaps two texts; closed by its user. */
static enum code asked(sqlite3 *db, const char *query, const struct prune *prune, int64_t third,
                       int64_t fourth, sqlite3_stmt **stmt, bool *row, struct err *err)
{
  if (sql_prepare(db, query, stmt, err)) return err->code;
  sql_bind_text(*stmt, 1, slice_str(prune->tenant));
  sql_bind_text(*stmt, 2, slice_str(prune->model));
  if (sqlite3_bind_parameter_count(*stmt) > 2) sqlite3_bind_int64(*stmt, 3, third);
  if (sqlite3_bind_parameter_count(*stmt) > 3) sqlite3_bind_int64(*stmt, 4, fourth);
  int rc = sqlite3_step(*stmt);
  *row = rc == SQLITE_ROW;
  return rc == SQLITE_ROW || rc == SQLITE_DONE ? OK : sql_fail(db, rc, err);
}

/* A number, or `absent`. */
static enum code number(sqlite3 *db, const char *query, const struct prune *prune, int64_t third,
                        int64_t absent, int64_t *value, struct err *err)
{
  sqlite3_stmt *stmt = NULL;
  bool row = false;
  enum code code = asked(db, query, prune, third, 0, &stmt, &row, err);
  bool there = row && sqlite3_column_type(stmt, 0) != SQLITE_NULL;
  *value = there ? sqlite3_column_int64(stmt, 0) : absent;
  sqlite3_finalize(stmt);
  return code;
}

enum code ledger_tenant_gone(struct ledger *ledger, struct slice tenant, bool *gone,
                             struct err *err)
{
  sqlite3 *db = ledger_db(ledger);
  sqlite3_stmt *stmt = NULL;
  *gone = false;
  if (sql_prepare(db, "SELECT kind FROM events WHERE tenant = ?1 ORDER BY seq DESC LIMIT 1", &stmt,
                  err))
    return err->code;
  sql_bind_text(stmt, 1, tenant);
  int rc = sqlite3_step(stmt);
  if (rc == SQLITE_ROW)
    *gone = event_named(sql_text(stmt, 0)) == EVENT_TENANT_REMOVED;
  enum code code = rc == SQLITE_ROW || rc == SQLITE_DONE ? OK : sql_fail(db, rc, err);
  sqlite3_finalize(stmt);
  return code;
}

static enum code model_next(struct prune *prune, sqlite3 *db, struct err *err)
{
  sqlite3_stmt *stmt = NULL;
  bool row = false;
  enum code code = asked(db,
                         "SELECT tenant, model FROM looks WHERE (tenant, model) > (?1, ?2)"
                         " ORDER BY tenant, model LIMIT 1",
                         prune, 0, 0, &stmt, &row, err);
  if (!row || !slice_to_str(sql_text(stmt, 0), prune->tenant, sizeof prune->tenant) ||
      !slice_to_str(sql_text(stmt, 1), prune->model, sizeof prune->model))
    prune->tenant[0] = prune->model[0] = '\0'; /* from the first on */
  sqlite3_finalize(stmt);
  return code;
}

/* The oldest release that has looks, where it is not kept; 0: it is. Releases are numbered from 1
 * without a gap, and the next one begins when one is over. */
static enum code release_find(const struct prune *prune, struct ledger *ledger, int64_t now_ms,
                              int64_t *release, struct err *err)
{
  sqlite3 *db = ledger_db(ledger);
  bool gone;
  static const char count[] =
      "WITH RECURSIVE r (n) AS (SELECT min(release) FROM looks WHERE tenant = ?1 AND model = ?2"
      " UNION ALL SELECT (SELECT min(release) FROM looks WHERE tenant = ?1 AND model = ?2"
      " AND release > n) FROM r WHERE n IS NOT NULL) SELECT count(n) FROM r";
  static const char begun[] =
      "SELECT wall_ms FROM events WHERE tenant = ?1 AND model = ?2 AND kind = 'release_started'"
      " ORDER BY seq LIMIT 1 OFFSET ?3";
  int64_t n, oldest, over_ms;
  *release = 0;
  if (number(db, count, prune, 0, 0, &n, err) ||
      number(db, "SELECT min(release) FROM looks WHERE tenant = ?1 AND model = ?2", prune, 0, 0,
             &oldest, err))
    return err->code;
  if (ledger_tenant_gone(ledger, slice_str(prune->tenant), &gone, err)) return err->code;
  if (gone) *release = oldest;
  if (gone || n < 2) return OK;
  if (number(db, begun, prune, oldest, now_ms, &over_ms, err)) return err->code;
  if (n > (int64_t)prune->releases || over_ms < now_ms - prune->keep_ms) *release = oldest;
  return OK;
}

static enum code looks_drop(const struct prune *prune, struct ledger *ledger, int64_t release,
                            int64_t now_ms, uint32_t rows, struct err *err)
{
  static const char *const texts[] = {
      "INSERT OR IGNORE INTO looks_pruned VALUES (?1, ?2, ?3, ?4)",
      "DELETE FROM looks WHERE tenant = ?1 AND model = ?2 AND release = ?3 AND look <="
      " (SELECT max(look) FROM (SELECT look FROM looks WHERE tenant = ?1 AND model = ?2"
      "  AND release = ?3 ORDER BY look LIMIT ?4))"};
  const int64_t fourth[] = {now_ms, rows};
  struct err late = {.code = OK};
  if (ledger_group_begin(ledger, err)) return err->code;
  enum code code = OK;
  for (int i = 0; i < 2 && code == OK; i++) {
    sqlite3_stmt *stmt = NULL;
    bool row;
    code = asked(ledger_db(ledger), texts[i], prune, release, fourth[i], &stmt, &row, err);
    sqlite3_finalize(stmt);
  }
  if (ledger_group_commit(ledger, &late) == OK || code) return code;
  *err = late;
  return err->code;
}

enum code prune_step(struct prune *prune, struct ledger *ledger, int64_t now_ms, uint32_t rows,
                     bool *more, struct err *err)
{
  sqlite3 *db = ledger_db(ledger);
  int64_t release = 0;
  *more = false;
  if (!prune->releases) return OK;
  if (prune->model[0] && release_find(prune, ledger, now_ms, &release, err)) return err->code;
  if (!release && (model_next(prune, db, err) || !prune->model[0] ||
                   release_find(prune, ledger, now_ms, &release, err)))
    return prune->model[0] ? err->code : OK;
  if (!release) return OK;
  if (looks_drop(prune, ledger, release, now_ms, rows, err)) return err->code;
  log_event(LOG_DEBUG, "looks_pruned", "model", prune->model, "release", log_num(release), NULL);
  *more = true;
  return OK;
}
