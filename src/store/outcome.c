/* outcome.c - predictions and outcomes in SQLite.
 * Thread: scribe for the writer, desk for a reader: each handle has one owner.
 * SPDX-License-Identifier: MIT */
#include "store/outcome.h"

#include <math.h>

#include "base/mem.h"
#include "store/sql_int.h"

struct outcomes {
  sqlite3 *db;
  sqlite3_stmt *model_add, *model_find, *predict, *known, *told, *tell, *keep, *sweep, *orphans,
      *measure, *ages;
};

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS models (id INTEGER PRIMARY KEY, tenant TEXT NOT NULL,"
    " model TEXT NOT NULL, UNIQUE (tenant, model)) STRICT;"
    "CREATE TABLE IF NOT EXISTS predictions (model INTEGER NOT NULL, request TEXT NOT NULL,"
    " wall_ms INTEGER NOT NULL, release INTEGER NOT NULL, version INTEGER NOT NULL,"
    " arm INTEGER NOT NULL, weight INTEGER NOT NULL, unit INTEGER NOT NULL, label INTEGER,"
    " score REAL, PRIMARY KEY (model, request)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS predictions_age ON predictions (model, wall_ms);"
    "CREATE INDEX IF NOT EXISTS predictions_release ON predictions (model, release, wall_ms);"
    "CREATE TABLE IF NOT EXISTS outcomes (model INTEGER NOT NULL, request TEXT NOT NULL,"
    " told_ms INTEGER NOT NULL, at_ms INTEGER NOT NULL, outcome TEXT NOT NULL, value REAL,"
    " weight REAL NOT NULL, PRIMARY KEY (model, request)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS outcomes_before (model INTEGER NOT NULL, request TEXT NOT NULL,"
    " told_ms INTEGER NOT NULL, at_ms INTEGER NOT NULL, outcome TEXT NOT NULL) STRICT;";

/* One row per arm and unit, so that the caller forms the sums in one fixed order. An outcome counts
 * when it happened within the maturity. */
static const char measure_text[] =
    "SELECT p.arm, p.unit, count(*), count(o.request), sum(max(-?5, min(?5, o.value)) * o.weight),"
    " sum(o.weight), sum(p.label IS NOT NULL AND p.label = o.value),"
    " sum((p.score - o.value) * (p.score - o.value)), sum(p.score IS NOT NULL AND o.value NOTNULL),"
    " sum(o.value NOTNULL)"
    " FROM predictions p LEFT JOIN outcomes o ON o.model = p.model AND o.request = p.request"
    "  AND o.at_ms - p.wall_ms <= ?4"
    " WHERE p.model = ?1 AND p.release = ?2 AND p.wall_ms <= ?3"
    " GROUP BY p.arm, p.unit ORDER BY p.arm, p.unit";

static const char ages_text[] =
    "SELECT p.arm, o.at_ms - p.wall_ms FROM predictions p"
    " JOIN outcomes o ON o.model = p.model AND o.request = p.request"
    " WHERE p.model = ?1 AND p.release = ?2 AND p.wall_ms <= ?3 AND o.at_ms - p.wall_ms <= ?4";

/* --- opening ---------------------------------------------------------------------------------- */

static enum code writer_prepare(struct outcomes *outcomes, struct err *err)
{
  sqlite3 *db = outcomes->db;
  const struct {
    sqlite3_stmt **stmt;
    const char *text;
  } all[] = {
      {&outcomes->model_add, "INSERT OR IGNORE INTO models (tenant, model) VALUES (?1, ?2)"},
      {&outcomes->predict,
       "INSERT OR IGNORE INTO predictions VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)"},
      {&outcomes->known, "SELECT 1 FROM predictions WHERE model = ?1 AND request = ?2"},
      {&outcomes->told,
       "SELECT outcome, at_ms, weight FROM outcomes"
       " WHERE model = ?1 AND request = ?2"},
      {&outcomes->tell, "INSERT OR REPLACE INTO outcomes VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"},
      {&outcomes->keep,
       "INSERT INTO outcomes_before SELECT model, request, told_ms, at_ms, outcome"
       " FROM outcomes WHERE model = ?1 AND request = ?2"},
      {&outcomes->sweep,
       "DELETE FROM predictions WHERE (model, request) IN (SELECT model, request"
       " FROM predictions WHERE model = ?1 AND wall_ms < ?2 LIMIT ?3)"},
      {&outcomes->orphans,
       "DELETE FROM outcomes WHERE (model, request) IN (SELECT o.model, o.request FROM outcomes o"
       " WHERE o.model = ?1 AND o.told_ms < ?2 AND NOT EXISTS (SELECT 1 FROM predictions p"
       " WHERE p.model = o.model AND p.request = o.request) LIMIT ?3)"},
  };
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    if (sql_prepare(db, all[i].text, all[i].stmt, err)) return err->code;
  return OK;
}

static enum code handle_open(struct outcomes *outcomes, const struct datadir *dir, bool writer,
                             struct err *err)
{
  if (sql_open(&outcomes->db, dir, "outcomes", NULL, writer, err)) return err->code;
  if (writer &&
      (sql_run(outcomes->db, "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=1000;", err) ||
       sql_run(outcomes->db, schema, err) || writer_prepare(outcomes, err)))
    return err->code;
  if (sql_prepare(outcomes->db, "SELECT id FROM models WHERE tenant = ?1 AND model = ?2",
                  &outcomes->model_find, err) ||
      sql_prepare(outcomes->db, measure_text, &outcomes->measure, err) ||
      sql_prepare(outcomes->db, ages_text, &outcomes->ages, err))
    return err->code;
  return OK;
}

enum code outcomes_open(struct outcomes **out, const struct datadir *dir, bool writer,
                        struct err *err)
{
  struct outcomes *outcomes = grab_zero(1, sizeof *outcomes);
  *out = NULL;
  if (handle_open(outcomes, dir, writer, err)) {
    outcomes_close(outcomes);
    return err->code;
  }
  *out = outcomes;
  return OK;
}

void outcomes_close(struct outcomes *outcomes)
{
  if (!outcomes) return;
  sqlite3_stmt *all[] = {outcomes->model_add, outcomes->model_find, outcomes->predict,
                         outcomes->known,     outcomes->told,       outcomes->tell,
                         outcomes->keep,      outcomes->sweep,      outcomes->orphans,
                         outcomes->measure,   outcomes->ages};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) sqlite3_finalize(all[i]);
  must(sqlite3_close(outcomes->db) == SQLITE_OK);
  ungrab(outcomes);
}

/* --- small steps ------------------------------------------------------------------------------ */

/* Runs a statement to its first row (*row true) or its end. */
static enum code step(struct outcomes *outcomes, sqlite3_stmt *stmt, bool *row, struct err *err)
{
  int rc = sqlite3_step(stmt);
  if (row) *row = rc == SQLITE_ROW;
  return rc == SQLITE_ROW || rc == SQLITE_DONE ? OK : sql_fail(outcomes->db, rc, err);
}

static enum code once(struct outcomes *outcomes, sqlite3_stmt *stmt, struct err *err)
{
  enum code code = step(outcomes, stmt, NULL, err);
  sqlite3_reset(stmt);
  return code;
}

/* 0: there is none of that name yet. */
static enum code model_id(struct outcomes *outcomes, const struct outcome_of *of, int64_t *id,
                          struct err *err)
{
  bool row = false;
  sql_bind_text(outcomes->model_find, 1, of->tenant);
  sql_bind_text(outcomes->model_find, 2, of->model);
  enum code code = step(outcomes, outcomes->model_find, &row, err);
  *id = row ? sqlite3_column_int64(outcomes->model_find, 0) : 0;
  sqlite3_reset(outcomes->model_find);
  return code;
}

static enum code model_make(struct outcomes *outcomes, const struct outcome_of *of, int64_t *id,
                            struct err *err)
{
  if (model_id(outcomes, of, id, err) || *id) return err->code;
  sql_bind_text(outcomes->model_add, 1, of->tenant);
  sql_bind_text(outcomes->model_add, 2, of->model);
  if (once(outcomes, outcomes->model_add, err)) return err->code;
  return model_id(outcomes, of, id, err);
}

static void key_bind(sqlite3_stmt *stmt, int64_t model, struct slice id)
{
  sqlite3_bind_int64(stmt, 1, model);
  sql_bind_text(stmt, 2, id);
}

/* Ends a transaction: committed when code is OK, else as if it had not been. */
static enum code end(struct outcomes *outcomes, enum code code, struct err *err)
{
  struct err ignored = {0};
  if (code == OK) code = sql_run(outcomes->db, "COMMIT", err);
  if (code != OK && sql_run(outcomes->db, "ROLLBACK", &ignored) != OK) return code;
  return code;
}

/* --- predictions ------------------------------------------------------------------------------ */

static enum code prediction_add(struct outcomes *outcomes, int64_t model, uint32_t release,
                                const struct prediction *row, struct err *err)
{
  sqlite3_stmt *stmt = outcomes->predict;
  key_bind(stmt, model, slice_of(row->id, row->id_len));
  sqlite3_bind_int64(stmt, 3, row->wall_ms);
  sqlite3_bind_int64(stmt, 4, release);
  sqlite3_bind_int64(stmt, 5, row->version);
  sqlite3_bind_int(stmt, 6, row->arm);
  sqlite3_bind_int64(stmt, 7, row->weight);
  sqlite3_bind_int64(stmt, 8, (int64_t)row->unit);
  if (row->label == INT64_MIN)
    sqlite3_bind_null(stmt, 9);
  else
    sqlite3_bind_int64(stmt, 9, row->label);
  if (isfinite(row->score))
    sqlite3_bind_double(stmt, 10, (double)row->score);
  else
    sqlite3_bind_null(stmt, 10);
  return once(outcomes, stmt, err);
}

enum code outcomes_predicted(struct outcomes *outcomes, const struct outcome_of *of,
                             const struct prediction *rows, uint32_t n, uint32_t *dropped,
                             struct err *err)
{
  int64_t model;
  *dropped = 0;
  if (!n) return OK;
  if (sql_run(outcomes->db, "BEGIN IMMEDIATE", err)) return err->code;
  enum code code = model_make(outcomes, of, &model, err);
  for (uint32_t i = 0; i < n && code == OK; i++) {
    code = prediction_add(outcomes, model, of->release, &rows[i], err);
    *dropped += code == OK && sqlite3_changes(outcomes->db) == 0;
  }
  return end(outcomes, code, err);
}

/* --- feedback --------------------------------------------------------------------------------- */

/* Whether it was told before, and whether with the same words. */
static enum code told_before(struct outcomes *outcomes, int64_t model, const struct feedback *item,
                             bool *told, bool *same, struct err *err)
{
  sqlite3_stmt *stmt = outcomes->told;
  key_bind(stmt, model, item->id);
  enum code code = step(outcomes, stmt, told, err);
  *same = *told && slice_eq(sql_text(stmt, 0), item->outcome) &&
          sqlite3_column_double(stmt, 2) == item->weight;
  sqlite3_reset(stmt);
  return code;
}

static enum code feedback_write(struct outcomes *outcomes, int64_t model,
                                const struct feedback *item, int64_t now_ms, struct err *err)
{
  sqlite3_stmt *stmt = outcomes->tell;
  key_bind(stmt, model, item->id);
  sqlite3_bind_int64(stmt, 3, now_ms);
  sqlite3_bind_int64(stmt, 4, item->at_ms);
  sql_bind_text(stmt, 5, item->outcome);
  if (isfinite(item->value))
    sqlite3_bind_double(stmt, 6, item->value);
  else
    sqlite3_bind_null(stmt, 6);
  sqlite3_bind_double(stmt, 7, item->weight);
  return once(outcomes, stmt, err);
}

static enum code feedback_add(struct outcomes *outcomes, int64_t model, struct feedback *item,
                              int64_t now_ms, struct err *err)
{
  bool known = false, told, same;
  key_bind(outcomes->known, model, item->id);
  enum code code = step(outcomes, outcomes->known, &known, err);
  sqlite3_reset(outcomes->known);
  if (code || told_before(outcomes, model, item, &told, &same, err)) return err->code;
  item->state = same    ? FEEDBACK_SAME
                : told  ? FEEDBACK_REPLACED
                : known ? FEEDBACK_JOINED
                        : FEEDBACK_PENDING;
  if (item->state == FEEDBACK_PENDING && item->at_ms < now_ms - PENDING_MS)
    item->state = FEEDBACK_UNKNOWN;
  if (item->state == FEEDBACK_SAME || item->state == FEEDBACK_UNKNOWN) return OK;
  if (item->state == FEEDBACK_REPLACED) {
    key_bind(outcomes->keep, model, item->id);
    if (once(outcomes, outcomes->keep, err)) return err->code;
  }
  return feedback_write(outcomes, model, item, now_ms, err);
}

enum code outcomes_told(struct outcomes *outcomes, const struct outcome_of *of,
                        struct feedback *items, uint32_t n, int64_t now_ms, struct err *err)
{
  int64_t model;
  must(n <= FEEDBACK_MAX);
  if (sql_run(outcomes->db, "BEGIN IMMEDIATE", err)) return err->code;
  enum code code = model_make(outcomes, of, &model, err);
  for (uint32_t i = 0; i < n && code == OK; i++)
    code = feedback_add(outcomes, model, &items[i], now_ms, err);
  return end(outcomes, code, err);
}

enum code outcomes_sweep(struct outcomes *outcomes, const struct outcome_of *of, int64_t before_ms,
                         uint32_t rows, uint32_t *gone, struct err *err)
{
  int64_t model;
  *gone = 0;
  if (model_id(outcomes, of, &model, err) || !model) return err->code;
  sqlite3_stmt *steps[] = {outcomes->sweep, outcomes->orphans};
  for (int i = 0; i < 2; i++) {
    sqlite3_bind_int64(steps[i], 1, model);
    sqlite3_bind_int64(steps[i], 2, before_ms);
    sqlite3_bind_int64(steps[i], 3, rows);
    if (once(outcomes, steps[i], err)) return err->code;
    if (i == 0) *gone = (uint32_t)sqlite3_changes(outcomes->db);
  }
  return OK;
}

/* --- measuring -------------------------------------------------------------------------------- */

static void measure_bind(sqlite3_stmt *stmt, int64_t model, const struct outcome_of *of,
                         int64_t mature_ms, int64_t maturity_ms)
{
  sqlite3_bind_int64(stmt, 1, model);
  sqlite3_bind_int64(stmt, 2, of->release);
  sqlite3_bind_int64(stmt, 3, mature_ms);
  sqlite3_bind_int64(stmt, 4, maturity_ms);
}

static void unit_add(struct outcome_sums *sums, sqlite3_stmt *row)
{
  double weight = sqlite3_column_double(row, 5);
  sums->requests += (uint64_t)sqlite3_column_int64(row, 2);
  sums->labelled += (uint64_t)sqlite3_column_int64(row, 3);
  sums->right += (uint64_t)sqlite3_column_int64(row, 6);
  sums->brier += sqlite3_column_double(row, 7);
  sums->scored += (uint64_t)sqlite3_column_int64(row, 8);
  if (!sqlite3_column_int64(row, 9) || weight <= 0) return; /* no outcome with a number */
  double value = sqlite3_column_double(row, 4) / weight;
  sums->units++;
  sums->sum += value;
  sums->squares += value * value;
}

static enum code sums_walk(struct outcomes *outcomes, struct outcome_sums *arms, struct err *err)
{
  bool row = true;
  enum code code;
  while ((code = step(outcomes, outcomes->measure, &row, err)) == OK && row) {
    int arm = sqlite3_column_int(outcomes->measure, 0);
    if (arm >= 0 && arm < ARMS_MAX) unit_add(&arms[arm], outcomes->measure);
  }
  sqlite3_reset(outcomes->measure);
  return code;
}

static enum code ages_walk(struct outcomes *outcomes, struct outcome_sums *arms, struct err *err)
{
  bool row = true;
  enum code code;
  while ((code = step(outcomes, outcomes->ages, &row, err)) == OK && row) {
    int arm = sqlite3_column_int(outcomes->ages, 0);
    int64_t age_ms = sqlite3_column_int64(outcomes->ages, 1);
    for (int i = 0; i < AGES && arm >= 0 && arm < ARMS_MAX; i++)
      arms[arm].ages[i] += age_ms <= (int64_t)1000 << i;
  }
  sqlite3_reset(outcomes->ages);
  return code;
}

enum code outcomes_measured(struct outcomes *outcomes, const struct outcome_of *of,
                            int64_t mature_ms, int64_t maturity_ms, double cap,
                            struct outcome_sums arms[ARMS_MAX], struct err *err)
{
  int64_t model;
  memset(arms, 0, ARMS_MAX * sizeof *arms);
  if (model_id(outcomes, of, &model, err) || !model) return err->code;
  measure_bind(outcomes->measure, model, of, mature_ms, maturity_ms);
  sqlite3_bind_double(outcomes->measure, 5, cap > 0 ? cap : HUGE_VAL);
  measure_bind(outcomes->ages, model, of, mature_ms, maturity_ms);
  if (sums_walk(outcomes, arms, err)) return err->code;
  return ages_walk(outcomes, arms, err);
}
