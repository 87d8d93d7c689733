/* outcome.c - predictions and outcomes in SQLite: written by the scribe, measured by desks.
 * Thread: scribe, desk; each with its own handle.
 * SPDX-License-Identifier: MIT */
#include "store/outcome.h"

#include <math.h>
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "store/outcome_int.h"

enum { DAY_MS = 86400000, HOUR_MS = 3600000, SWEEP_US = 10000000, ORPHANS_US = 1000000 };
enum { MORE_US = 50000 }; /* between steps that find enough: 10,000 rows a second */
enum { PAGE_BYTES = 4096, TIDY_PAGES = 4096, TIDY_PAGES_BUSY = 32768 };

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS models (id INTEGER PRIMARY KEY, tenant TEXT NOT NULL,"
    " model TEXT NOT NULL, keep_ms INTEGER NOT NULL, UNIQUE (tenant, model)) STRICT;"
    "CREATE TABLE IF NOT EXISTS predictions (seq INTEGER PRIMARY KEY, model INTEGER NOT NULL,"
    " request TEXT NOT NULL, wall_ms INTEGER NOT NULL, release INTEGER NOT NULL,"
    " version INTEGER NOT NULL, arm INTEGER NOT NULL, weight INTEGER NOT NULL,"
    " unit INTEGER NOT NULL, label INTEGER, score REAL, covariate REAL,"
    " UNIQUE (model, request)) STRICT;"
    "CREATE TABLE IF NOT EXISTS inputs (model INTEGER NOT NULL, request TEXT NOT NULL,"
    " beginning TEXT NOT NULL, PRIMARY KEY (model, request)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS predictions_age ON predictions (model, wall_ms);"
    "CREATE TABLE IF NOT EXISTS outcomes (model INTEGER NOT NULL, request TEXT NOT NULL,"
    " told_ms INTEGER NOT NULL, at_ms INTEGER NOT NULL, outcome TEXT NOT NULL, value REAL,"
    " label INTEGER, weight REAL NOT NULL, PRIMARY KEY (model, request)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS outcomes_before (model INTEGER NOT NULL, request TEXT NOT NULL,"
    " told_ms INTEGER NOT NULL, at_ms INTEGER NOT NULL, outcome TEXT NOT NULL,"
    " weight REAL NOT NULL) STRICT;"
    "CREATE INDEX IF NOT EXISTS outcomes_before_of ON outcomes_before (model, request);";

#define DUE                                                                                  \
  "(SELECT request FROM predictions WHERE model = ?1 AND wall_ms < ?2 ORDER BY wall_ms, seq" \
  " LIMIT ?3)"

/* --- opening ---------------------------------------------------------------------------------- */

static enum code writer_prepare(struct outcomes *outcomes, struct err *err)
{
  const struct {
    sqlite3_stmt **stmt;
    const char *text;
  } all[] = {
      {&outcomes->model_add, "INSERT INTO models (tenant, model, keep_ms) VALUES (?1, ?2, ?3)"},
      {&outcomes->model_keep, "UPDATE models SET keep_ms = ?2 WHERE id = ?1"},
      {&outcomes->model_next,
       "SELECT id, keep_ms, tenant FROM models ORDER BY id <= ?1, id LIMIT 1"},
      {&outcomes->predict,
       "INSERT OR IGNORE INTO predictions (model, request, wall_ms, release, version, arm, weight,"
       " unit, label, score, covariate) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"},
      {&outcomes->sample, "INSERT OR IGNORE INTO inputs VALUES (?1, ?2, ?3)"},
      {&outcomes->known, "SELECT 1 FROM predictions WHERE model = ?1 AND request = ?2"},
      {&outcomes->told, "SELECT outcome, weight FROM outcomes WHERE model = ?1 AND request = ?2"},
      {&outcomes->tell, "INSERT OR REPLACE INTO outcomes VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"},
      {&outcomes->keep,
       "INSERT INTO outcomes_before SELECT model, request, told_ms, at_ms, outcome, weight"
       " FROM outcomes WHERE model = ?1 AND request = ?2"},
      {&outcomes->sweep[0], "DELETE FROM outcomes_before WHERE model = ?1 AND request IN " DUE},
      {&outcomes->sweep[1], "DELETE FROM outcomes WHERE model = ?1 AND request IN " DUE},
      {&outcomes->sweep[2], "DELETE FROM inputs WHERE model = ?1 AND request IN " DUE},
      {&outcomes->sweep[3], "DELETE FROM predictions WHERE model = ?1 AND request IN " DUE},
      {&outcomes->pages,
       "SELECT page_count - freelist_count FROM pragma_page_count, pragma_freelist_count"},
      {&outcomes->greedy,
       "SELECT model FROM (SELECT model FROM predictions ORDER BY seq DESC LIMIT 4096)"
       " GROUP BY model ORDER BY count(*) DESC LIMIT 1"},
      {&outcomes->page,
       "SELECT max(request), count(*) FROM (SELECT request FROM outcomes WHERE model = ?1"
       " AND request > ?2 ORDER BY request LIMIT ?3)"},
      {&outcomes->prune,
       "DELETE FROM outcomes WHERE model = ?1 AND request > ?2 AND request <= ?3 AND told_ms < ?4"
       " AND NOT EXISTS (SELECT 1 FROM predictions p WHERE p.model = outcomes.model"
       " AND p.request = outcomes.request)"},
  };
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    if (sql_prepare(outcomes->db, all[i].text, all[i].stmt, err)) return err->code;
  return OK;
}

static int pages_logged(void *arg, sqlite3 *db, const char *name, int pages)
{
  struct outcomes *outcomes = arg;
  (void)db, (void)name;
  outcomes->log_pages = pages;
  return SQLITE_OK;
}

enum code outcomes_limit(struct outcomes *outcomes, int64_t bytes, struct err *err)
{
  char size[64];
  outcomes->pages_max = bytes / PAGE_BYTES;
  snprintf(size, sizeof size, "PRAGMA max_page_count=%lld;", (long long)outcomes->pages_max);
  return sql_run(outcomes->db, size, err);
}

/* Files of before there were covariates lack the column. */
static enum code column_add(struct outcomes *outcomes, struct err *err)
{
  sqlite3_stmt *stmt;
  bool row = false;
  if (sql_prepare(outcomes->db,
                  "SELECT 1 FROM pragma_table_info('predictions') WHERE name = 'covariate'", &stmt,
                  err) ||
      outcomes_step(outcomes, stmt, &row, err))
    return err->code;
  sqlite3_reset(stmt);
  return row ? OK : sql_run(outcomes->db, "ALTER TABLE predictions ADD COLUMN covariate REAL", err);
}

static enum code handle_open(struct outcomes *outcomes, const struct datadir *dir, const char *vfs,
                             bool writer, struct err *err)
{
  if (sql_open(&outcomes->db, dir, "outcomes", vfs, writer, err)) return err->code;
  if (writer) {
    if (sql_run(outcomes->db, "PRAGMA page_size=4096; PRAGMA journal_mode=WAL;", err) ||
        outcomes_limit(outcomes, OUTCOME_BYTES_MAX, err) || sql_run(outcomes->db, schema, err) ||
        column_add(outcomes, err) ||        writer_prepare(outcomes, err))
      return err->code;
    sqlite3_wal_hook(outcomes->db, pages_logged, outcomes);
  }
  if (sql_prepare(outcomes->db, "SELECT id, keep_ms FROM models WHERE tenant = ?1 AND model = ?2",
                  &outcomes->model_find, err))
    return err->code;
  return measure_prepare(outcomes, err);
}

enum code outcomes_open(struct outcomes **out, const struct datadir *dir, const char *vfs,
                        bool writer, struct err *err)
{
  struct outcomes *outcomes = grab_zero(1, sizeof *outcomes);
  *out = NULL;
  if (handle_open(outcomes, dir, vfs, writer, err)) {
    outcomes_close(outcomes);
    return err->code;
  }
  *out = outcomes;
  return OK;
}

void outcomes_close(struct outcomes *outcomes)
{
  if (!outcomes) return;
  sqlite3_stmt *stmt;
  while (outcomes->db && (stmt = sqlite3_next_stmt(outcomes->db, NULL))) sqlite3_finalize(stmt);
  must(sqlite3_close(outcomes->db) == SQLITE_OK);
  ungrab(outcomes);
}

/* --- small steps ------------------------------------------------------------------------------ */

/* What went wrong, in words about outcomes; the store's own speak of the ledger. */
static enum code said(struct outcomes *outcomes, int rc, struct err *err)
{
  if (sql_fatal(outcomes->db, rc)) outcomes->broken = true;
  enum code code = sql_fail(outcomes->db, rc, err);
  if (code == E_STORAGE_FULL)
    return fail(err, code, "no space is left for outcomes; free some, then try again");
  return fail(err, code == E_INVALID_ARGUMENT ? E_UNAVAILABLE : code,
              "outcomes cannot be stored now: %s", sqlite3_errstr(rc));
}

enum code outcomes_step(struct outcomes *outcomes, sqlite3_stmt *stmt, bool *row, struct err *err)
{
  int rc = sqlite3_step(stmt);
  if (row) *row = rc == SQLITE_ROW;
  return rc == SQLITE_ROW || rc == SQLITE_DONE ? OK : said(outcomes, rc, err);
}

static enum code once(struct outcomes *outcomes, sqlite3_stmt *stmt, struct err *err)
{
  enum code code = outcomes_step(outcomes, stmt, NULL, err);
  sqlite3_reset(stmt);
  return code;
}

static enum code run(struct outcomes *outcomes, const char *text, struct err *err)
{
  int rc = sqlite3_exec(outcomes->db, text, NULL, NULL, NULL);
  return rc ? said(outcomes, rc, err) : OK;
}

static enum code begin(struct outcomes *outcomes, const char *text, struct err *err)
{
  if (outcomes->broken)
    return fail(err, E_UNAVAILABLE,
                "outcomes are not stored since the disk failed; check it, then start again");
  return run(outcomes, text, err);
}

/* Commits when code is OK; else, or when that fails, all is as if it had not been. */
static enum code end(struct outcomes *outcomes, enum code code, struct err *err)
{
  struct err ignored = {0};
  if (code == OK) code = run(outcomes, "COMMIT", err);
  if (code != OK && !sqlite3_get_autocommit(outcomes->db))
    outcomes->broken = run(outcomes, "ROLLBACK", &ignored) != OK || outcomes->broken;
  return code;
}

enum code outcomes_model(struct outcomes *outcomes, struct slice tenant, struct slice model,
                         int64_t *id, int64_t *keep_ms, struct err *err)
{
  bool row = false;
  sql_bind_text(outcomes->model_find, 1, tenant);
  sql_bind_text(outcomes->model_find, 2, model);
  enum code code = outcomes_step(outcomes, outcomes->model_find, &row, err);
  *id = row ? sqlite3_column_int64(outcomes->model_find, 0) : 0;
  *keep_ms = row ? sqlite3_column_int64(outcomes->model_find, 1) : OUTCOME_KEEP_MS;
  sqlite3_reset(outcomes->model_find);
  return code;
}

/* keep_wanted 0: whatever it is. */
static enum code model_make(struct outcomes *outcomes, struct slice tenant, struct slice model,
                            int64_t keep_wanted, int64_t *id, int64_t *keep_ms, struct err *err)
{
  if (outcomes_model(outcomes, tenant, model, id, keep_ms, err)) return err->code;
  if (*id && (!keep_wanted || keep_wanted == *keep_ms)) return OK;
  if (keep_wanted) *keep_ms = keep_wanted;
  if (*id) {
    sqlite3_bind_int64(outcomes->model_keep, 1, *id);
    sqlite3_bind_int64(outcomes->model_keep, 2, *keep_ms);
    return once(outcomes, outcomes->model_keep, err);
  }
  sql_bind_text(outcomes->model_add, 1, tenant);
  sql_bind_text(outcomes->model_add, 2, model);
  sqlite3_bind_int64(outcomes->model_add, 3, *keep_ms);
  if (once(outcomes, outcomes->model_add, err)) return err->code;
  *id = sqlite3_last_insert_rowid(outcomes->db);
  return OK;
}

static void key_bind(sqlite3_stmt *stmt, int64_t model, struct slice id)
{
  sqlite3_bind_int64(stmt, 1, model);
  sql_bind_text(stmt, 2, id);
}

static void number_bind(sqlite3_stmt *stmt, int at, double value)
{
  if (isfinite(value))
    sqlite3_bind_double(stmt, at, value);
  else
    sqlite3_bind_null(stmt, at);
}

static void label_bind(sqlite3_stmt *stmt, int at, int64_t label)
{
  if (label == LABEL_NONE)
    sqlite3_bind_null(stmt, at);
  else
    sqlite3_bind_int64(stmt, at, label);
}

/* --- predictions ------------------------------------------------------------------------------ */

static enum code prediction_add(struct outcomes *outcomes, int64_t model,
                                const struct prediction *row, struct err *err)
{
  sqlite3_stmt *stmt = outcomes->predict;
  key_bind(stmt, model, slice_of(row->id, row->id_len));
  sqlite3_bind_int64(stmt, 3, row->wall_ms);
  sqlite3_bind_int64(stmt, 4, row->release);
  sqlite3_bind_int64(stmt, 5, row->version);
  sqlite3_bind_int(stmt, 6, row->arm);
  sqlite3_bind_int64(stmt, 7, row->weight);
  sqlite3_bind_int64(stmt, 8, (int64_t)row->unit);
  label_bind(stmt, 9, row->label);
  number_bind(stmt, 10, (double)row->score);
  number_bind(stmt, 11, (double)row->covariate);
  return once(outcomes, stmt, err);
}

enum code outcomes_predicted(struct outcomes *outcomes, const struct prediction_owner *owner,
                             const struct prediction *rows, uint32_t n, uint32_t *dropped,
                             struct err *err)
{
  int64_t model, keep_ms, wanted = owner->keep_ms ? owner->keep_ms : OUTCOME_KEEP_MS;
  uint32_t ignored = 0;
  *dropped = n;
  /* No sync: the next one that feedback or the file's log needs makes these durable, too. */
  if (begin(outcomes, "PRAGMA synchronous=NORMAL; BEGIN IMMEDIATE", err)) return err->code;
  enum code code =
      model_make(outcomes, owner->tenant, owner->model, wanted, &model, &keep_ms, err);
  for (uint32_t i = 0; i < n && code == OK; i++) {
    code = prediction_add(outcomes, model, &rows[i], err);
    ignored += code == OK && sqlite3_changes(outcomes->db) == 0;
  }
  code = end(outcomes, code, err);
  if (code == OK) *dropped = ignored;
  return code;
}

enum code outcomes_sampled(struct outcomes *outcomes, const struct prediction_owner *owner,
                           const struct prediction *rows, const struct input_sample *samples,
                           uint32_t n, struct err *err)
{
  int64_t model, keep_ms;
  if (begin(outcomes, "PRAGMA synchronous=NORMAL; BEGIN IMMEDIATE", err)) return err->code;
  enum code code = model_make(outcomes, owner->tenant, owner->model, 0, &model, &keep_ms, err);
  for (uint32_t i = 0; i < n && code == OK; i++) {
    const struct prediction *row = &rows[samples[i].row];
    if (row->model != owner->slot) continue;
    key_bind(outcomes->sample, model, slice_of(row->id, row->id_len));
    sql_bind_text(outcomes->sample, 3, slice_of(samples[i].text, samples[i].len));
    code = once(outcomes, outcomes->sample, err);
  }
  return end(outcomes, code, err);
}

/* --- feedback --------------------------------------------------------------------------------- */

enum code outcomes_group_begin(struct outcomes *outcomes, struct err *err)
{
  must(!outcomes->grouped);
  if (begin(outcomes, "PRAGMA synchronous=FULL; BEGIN IMMEDIATE", err)) return err->code;
  outcomes->grouped = true;
  return OK;
}

enum code outcomes_group_end(struct outcomes *outcomes, struct err *err)
{
  must(outcomes->grouped);
  outcomes->grouped = false;
  if (sqlite3_get_autocommit(outcomes->db)) /* a failure inside has undone all of it */
    return fail(err, E_UNAVAILABLE, "outcomes cannot be stored now; try again");
  return end(outcomes, OK, err);
}

/* Whether it was told before, and whether with the same words. */
static enum code told_before(struct outcomes *outcomes, int64_t model, const struct feedback *item,
                             bool *told, bool *same, struct err *err)
{
  sqlite3_stmt *stmt = outcomes->told;
  key_bind(stmt, model, item->id);
  enum code code = outcomes_step(outcomes, stmt, told, err);
  *same = *told && slice_eq(sql_text(stmt, 0), item->outcome) &&
          sqlite3_column_double(stmt, 1) == item->weight;
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
  number_bind(stmt, 6, item->value);
  label_bind(stmt, 7, item->label);
  sqlite3_bind_double(stmt, 8, item->weight);
  return once(outcomes, stmt, err);
}

static enum code feedback_add(struct outcomes *outcomes, int64_t model, struct feedback *item,
                              int64_t now_ms, struct err *err)
{
  bool known = false, told, same;
  key_bind(outcomes->known, model, item->id);
  enum code code = outcomes_step(outcomes, outcomes->known, &known, err);
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

static enum code feedback_all(struct outcomes *outcomes, struct slice tenant,
                              struct feedback *items, uint32_t n, int64_t now_ms, uint32_t *bad,
                              struct err *err)
{
  struct slice of = SLICE_NONE;
  int64_t model = 0, keep_ms = 0;
  for (uint32_t i = 0; i < n; i++) {
    if ((i == 0 || !slice_eq(of, items[i].model)) &&
        model_make(outcomes, tenant, items[i].model, 0, &model, &keep_ms, err))
      return err->code;
    of = items[i].model;
    if (items[i].at_ms < now_ms - keep_ms) {
      bool days = keep_ms % DAY_MS == 0;
      *bad = i;
      return fail(err, E_VALUE_OUT_OF_RANGE,
                  "this happened before the %lld %s that predictions of '%.*s' are kept",
                  (long long)(keep_ms / (days ? DAY_MS : 1000)), days ? "days" : "seconds",
                  SLICE_ARG(of));
    }
    if (feedback_add(outcomes, model, &items[i], now_ms, err)) return err->code;
  }
  return OK;
}

enum code outcomes_told(struct outcomes *outcomes, struct slice tenant, struct feedback *items,
                        uint32_t n, int64_t now_ms, uint32_t *bad, struct err *err)
{
  struct err ignored = {0};
  must(n <= FEEDBACK_MAX);
  *bad = 0;
  if (begin(outcomes,
            outcomes->grouped ? "SAVEPOINT told" : "PRAGMA synchronous=FULL; BEGIN IMMEDIATE", err))
    return err->code;
  enum code code = feedback_all(outcomes, tenant, items, n, now_ms, bad, err);
  if (!outcomes->grouped) return end(outcomes, code, err);
  /* The disk being full may have ended the whole group: its end will say so. */
  if (code && sqlite3_get_autocommit(outcomes->db)) return code;
  if (code && run(outcomes, "ROLLBACK TO told", &ignored) != OK) outcomes->broken = true;
  if (run(outcomes, "RELEASE told", code ? &ignored : err) != OK && code == OK) return err->code;
  return code;
}

/* --- what goes -------------------------------------------------------------------------------- */

static enum code sweep_predictions(struct outcomes *outcomes, int64_t model, int64_t before_ms,
                                   uint32_t rows, uint32_t *gone, struct err *err)
{
  for (int i = 0; i < SWEEPS; i++) {
    sqlite3_bind_int64(outcomes->sweep[i], 1, model);
    sqlite3_bind_int64(outcomes->sweep[i], 2, before_ms);
    sqlite3_bind_int64(outcomes->sweep[i], 3, rows);
    if (once(outcomes, outcomes->sweep[i], err)) return err->code;
  }
  *gone = (uint32_t)sqlite3_changes(outcomes->db);
  return OK;
}

/* Looks at the next `rows` outcomes of the model; the cursor is empty once all were looked at. */
static enum code sweep_orphans(struct outcomes *outcomes, int64_t model, int64_t before_ms,
                               uint32_t rows, struct err *err)
{
  bool row;
  struct slice from = slice_of(outcomes->cursor, outcomes->cursor_len);
  char last[sizeof outcomes->cursor];
  key_bind(outcomes->page, model, from);
  sqlite3_bind_int64(outcomes->page, 3, rows);
  if (outcomes_step(outcomes, outcomes->page, &row, err)) return err->code;
  struct slice to = sql_text(outcomes->page, 0);
  bool more = row && sqlite3_column_int64(outcomes->page, 1) == rows;
  size_t len = to.len < sizeof last ? to.len : sizeof last;
  if (len) memcpy(last, to.at, len);
  sqlite3_reset(outcomes->page);
  if (len) {
    key_bind(outcomes->prune, model, from);
    sql_bind_text(outcomes->prune, 3, slice_of(last, len));
    sqlite3_bind_int64(outcomes->prune, 4, before_ms);
    if (once(outcomes, outcomes->prune, err)) return err->code;
  }
  outcomes->cursor_len = more ? len : 0;
  if (more) memcpy(outcomes->cursor, last, len);
  return OK;
}

/* The file is nearly full: whoever fills it loses the oldest, so that there is room for the new and
 * for the others. */
static enum code sweep_greedy(struct outcomes *outcomes, int64_t now_ms, uint32_t rows,
                              uint32_t *gone, struct err *err)
{
  bool row = false;
  enum code code = outcomes_step(outcomes, outcomes->pages, &row, err);
  int64_t pages = row ? sqlite3_column_int64(outcomes->pages, 0) : 0, model = 0;
  sqlite3_reset(outcomes->pages);
  if (code || pages <= outcomes->pages_max - outcomes->pages_max / 8) return code;
  code = outcomes_step(outcomes, outcomes->greedy, &row, err);
  if (row) model = sqlite3_column_int64(outcomes->greedy, 0);
  sqlite3_reset(outcomes->greedy);
  if (code == OK && row) code = sweep_predictions(outcomes, model, INT64_MAX, rows, gone, err);
  if (!*gone || now_ms - outcomes->crowded_ms < HOUR_MS) return code;
  outcomes->crowded_ms = now_ms;
  log_event(LOG_WARN, "outcomes_crowded", "reason",
            "the file is nearly full: predictions go before their time; see --outcomes-max", NULL);
  return code;
}

int64_t outcomes_sweep_rest_us(const struct outcomes *outcomes)
{
  return outcomes->more ? MORE_US : outcomes->cursor_len ? ORPHANS_US : SWEEP_US;
}

void outcomes_ask_gone(struct outcomes *outcomes, outcomes_gone_fn fn, void *arg)
{
  outcomes->gone = fn;
  outcomes->gone_arg = arg;
}

enum code outcomes_sweep(struct outcomes *outcomes, int64_t now_ms, uint32_t rows, uint32_t *gone,
                         struct err *err)
{
  bool row = false;
  uint32_t crowded = 0;
  *gone = 0;
  if (begin(outcomes, "PRAGMA synchronous=NORMAL; BEGIN IMMEDIATE", err)) return err->code;
  /* The one after the last, or that one again while it is not through. */
  bool again = outcomes->more || outcomes->cursor_len;
  sqlite3_bind_int64(outcomes->model_next, 1, outcomes->swept - again);
  outcomes->more = false;
  enum code code = outcomes_step(outcomes, outcomes->model_next, &row, err);
  int64_t model = row ? sqlite3_column_int64(outcomes->model_next, 0) : 0;
  int64_t keep_ms = row ? sqlite3_column_int64(outcomes->model_next, 1) : 0;
  bool gone_for_good = row && outcomes->gone &&
                       outcomes->gone(outcomes->gone_arg, sql_text(outcomes->model_next, 2));
  sqlite3_reset(outcomes->model_next);
  if (model != outcomes->swept) outcomes->cursor_len = 0;
  outcomes->swept = model;
  if (code == OK && row)
    code = sweep_predictions(outcomes, model, gone_for_good ? INT64_MAX : now_ms - keep_ms, rows,
                             gone, err);
  if (code == OK && row)
    code = sweep_orphans(outcomes, model, gone_for_good ? INT64_MAX : now_ms - PENDING_MS, rows,
                         err);
  if (code == OK && row) outcomes->more = *gone == rows;
  if (code == OK && !outcomes->more) code = sweep_greedy(outcomes, now_ms, rows, &crowded, err);
  *gone += crowded;
  outcomes->more = outcomes->more || crowded;
  return end(outcomes, code, err);
}

void outcomes_tidy(struct outcomes *outcomes, bool busy)
{
  struct err ignored;
  int least = busy ? TIDY_PAGES_BUSY : TIDY_PAGES;
  if (outcomes->log_pages < least || outcomes->broken) return;
  outcomes->log_pages = 0;
  int rc = sqlite3_wal_checkpoint_v2(outcomes->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
  if (rc != SQLITE_OK && rc != SQLITE_BUSY) (void)said(outcomes, rc, &ignored);
}
