/* measure.c - what outcomes come to: sums by arm, and one request's.
 * Thread: desk, each with its own handle.
 * SPDX-License-Identifier: MIT */
#include <math.h>

#include "store/outcome_int.h"

/* By arm and unit, so that a unit's mean is formed in one walk and always in the same order. */
static const char measure_text[] =
    "SELECT p.arm, p.unit, p.label, p.score, o.at_ms - p.wall_ms, o.value, o.label, o.weight,"
    "  p.wall_ms, p.version, p.covariate"
    " FROM predictions p LEFT JOIN outcomes o ON o.model = p.model AND o.request = p.request"
    " WHERE p.model = ?1 AND p.wall_ms BETWEEN ?3 AND ?4 + ?5 AND p.release = ?2"
    " ORDER BY CASE ?2 WHEN 0 THEN p.version ELSE p.arm END, p.unit, p.wall_ms, p.seq";

static const char find_text[] =
    "SELECT p.wall_ms, p.release, p.version, p.arm, p.weight, p.label, p.score, i.beginning,"
    "  o.outcome, o.weight, o.at_ms, o.told_ms"
    " FROM (SELECT ?1 AS model, ?2 AS request) k"
    " LEFT JOIN predictions p ON p.model = k.model AND p.request = k.request"
    " LEFT JOIN inputs i ON i.model = k.model AND i.request = k.request"
    " LEFT JOIN outcomes o ON o.model = k.model AND o.request = k.request";

enum code measure_prepare(struct outcomes *outcomes, struct err *err)
{
  if (sql_prepare(outcomes->db,
                  "SELECT release FROM predictions WHERE model = ?1 ORDER BY wall_ms DESC LIMIT 1",
                  &outcomes->newest, err) ||
      sql_prepare(outcomes->db, find_text, &outcomes->find, err))
    return err->code;
  return sql_prepare(outcomes->db, measure_text, &outcomes->measure, err);
}

/* --- measuring -------------------------------------------------------------------------------- */

/* One unit of one arm on its way; its rows follow each other, the first first. */
struct unit {
  int64_t key, first_ms;
  int group, arm; /* arm: its place among the sums */
  bool begun, first; /* first: no row of it has been added */
  double sum, weight;
  int64_t covariate; /* in parts of its cap */
};

static void unit_end(struct unit *unit, struct outcome_sums *arms, double cap)
{
  int64_t parts;
  if (unit->weight > 0 && mean_parts(unit->sum / unit->weight, cap, &parts))
    mean_add(&arms[unit->arm].metric, parts, unit->covariate);
  unit->sum = unit->weight = 0;
}

static void reliability_add(struct outcome_sums *sums, double p, double y)
{
  if (!(p >= 0 && p <= 1 && y >= 0 && y <= 1)) return;
  struct calibration_bin *to = &sums->bins[calibration_bin(p)];
  to->n++;
  to->p += p;
  to->y += y;
  sums->brier += (p - y) * (p - y);
}

/* Whether what was told is a label. A whole number stands for one, but not where the metric's cap
 * says that it is an amount: 10 clicks are no class. */
static bool is_label(sqlite3_stmt *row, double cap)
{
  if (sqlite3_column_type(row, 6) == SQLITE_NULL) return false;
  bool amount = cap > 0 && cap != 1 && sqlite3_column_type(row, 5) != SQLITE_NULL;
  return !amount || sqlite3_column_double(row, 5) != (double)sqlite3_column_int64(row, 6);
}

/* The score of the answer, and what came of it: whether its label was right, or without labels the
 * outcome. False: one of the two is not there. */
static bool scored(sqlite3_stmt *row, double cap, double *p, double *y)
{
  bool label = sqlite3_column_type(row, 2) != SQLITE_NULL, told = is_label(row, cap);
  bool value = sqlite3_column_type(row, 5) != SQLITE_NULL;
  if (sqlite3_column_type(row, 3) == SQLITE_NULL) return false;
  *p = sqlite3_column_double(row, 3);
  if (label && told)
    *y = sqlite3_column_int64(row, 2) == sqlite3_column_int64(row, 6);
  else
    *y = sqlite3_column_double(row, 5);
  return (label && told) || (!label && value && cap <= 1);
}

/* An outcome is there; columns as measure_text has them. */
static void outcome_add(struct outcome_sums *sums, sqlite3_stmt *row, double cap)
{
  int64_t age_ms = sqlite3_column_int64(row, 4);
  bool label = sqlite3_column_type(row, 2) != SQLITE_NULL;
  bool told = is_label(row, cap);
  double p, y;
  sums->labelled++;
  for (int i = 0; i < AGES; i++) sums->ages[i] += age_ms <= (int64_t)1000 << i;
  bool right = label && told && sqlite3_column_int64(row, 2) == sqlite3_column_int64(row, 6);
  sums->judged += label && told;
  sums->right += right;
  if (scored(row, cap, &p, &y)) reliability_add(sums, p, y);
}

static void unit_add(struct unit *unit, sqlite3_stmt *row, const struct outcome_question *of,
                     int64_t wall_ms, struct calibration *calibration)
{
  int64_t age_ms = wall_ms + sqlite3_column_int64(row, 4) - unit->first_ms;
  double weight = sqlite3_column_double(row, 7);
  double p, y;
  if (unit->first_ms <= of->since_ms || unit->first_ms > of->mature_ms) return;
  if (unit->first && scored(row, of->cap, &p, &y)) calibration_add(calibration, p, y);
  if (sqlite3_column_type(row, 5) == SQLITE_NULL || age_ms > of->maturity_ms) return;
  unit->sum += weight * fmin(of->cap, fmax(-of->cap, sqlite3_column_double(row, 5)));
  unit->weight += weight;
}

/* Where no release ran there are versions in the place of arms, the oldest first. Rows come in
 * their order. */
static int version_place(struct outcome_sums *arms, uint32_t version)
{
  int i = 0;
  while (i < ARMS_MAX && arms[i].version && arms[i].version != version) i++;
  if (i < ARMS_MAX) return i;
  memmove(arms, arms + 1, (ARMS_MAX - 1) * sizeof *arms);
  arms[ARMS_MAX - 1] = (struct outcome_sums){0};
  return ARMS_MAX - 1;
}

static void row_add(struct outcome_sums *arms, struct unit *unit, sqlite3_stmt *row,
                    const struct outcome_question *of)
{
  uint32_t version = (uint32_t)sqlite3_column_int64(row, 9);
  int group = of->release ? sqlite3_column_int(row, 0) : (int)version;
  int64_t key = sqlite3_column_int64(row, 1), wall_ms = sqlite3_column_int64(row, 8);
  bool told = sqlite3_column_type(row, 4) != SQLITE_NULL;
  if (of->release && (group < 0 || group >= ARMS_MAX)) return;
  if (!unit->begun || group != unit->group || key != unit->key) {
    unit_end(unit, arms, of->cap);
    int arm = of->release ? group : version_place(arms, version);
    *unit = (struct unit){.key = key, .first_ms = wall_ms, .group = group, .arm = arm,
                          .begun = true, .first = true};
    if (!mean_parts(sqlite3_column_double(row, 10), of->covariate_cap, &unit->covariate))
      unit->covariate = 0;
  }
  bool late = told && sqlite3_column_int64(row, 4) > of->maturity_ms;
  struct outcome_sums *sums = &arms[unit->arm];
  if (told && !late) unit_add(unit, row, of, wall_ms, &sums->calibration);
  unit->first = false;
  sums->version = version;
  if (wall_ms > of->mature_ms) return;
  sums->requests++;
  sums->late += late;
  if (told && !late) outcome_add(sums, row, of->cap);
}

enum code outcomes_newest(struct outcomes *outcomes, struct slice tenant, struct slice model,
                          uint32_t *release, struct err *err)
{
  int64_t id, keep_ms;
  bool row = false;
  *release = 0;
  if (outcomes_model(outcomes, tenant, model, &id, &keep_ms, err)) return err->code;
  sqlite3_bind_int64(outcomes->newest, 1, id);
  enum code code = outcomes_step(outcomes, outcomes->newest, &row, err);
  if (row) *release = (uint32_t)sqlite3_column_int64(outcomes->newest, 0);
  sqlite3_reset(outcomes->newest);
  return code;
}

enum code outcomes_measured(struct outcomes *outcomes, const struct outcome_question *of,
                            struct outcome_sums arms[ARMS_MAX], struct err *err)
{
  int64_t model, keep_ms;
  bool row = true;
  struct unit unit = {.begun = false};
  sqlite3_stmt *stmt = outcomes->measure;
  memset(arms, 0, ARMS_MAX * sizeof *arms);
  if (outcomes_model(outcomes, of->tenant, of->model, &model, &keep_ms, err)) return err->code;
  if (!model) return OK;
  const int64_t numbers[] = {model, of->release, of->from_ms, of->mature_ms, of->maturity_ms};
  for (int i = 0; i < 5; i++) sqlite3_bind_int64(stmt, i + 1, numbers[i]);
  enum code code;
  while ((code = outcomes_step(outcomes, stmt, &row, err)) == OK && row)
    row_add(arms, &unit, stmt, of);
  unit_end(&unit, arms, of->cap);
  sqlite3_reset(stmt);
  return code;
}

/* --- one of them ------------------------------------------------------------------------------ */

static void found_read(sqlite3_stmt *row, struct arena *arena, struct outcome_found *found)
{
  struct slice inputs = sql_text(row, 7), outcome = sql_text(row, 8);
  bool label = sqlite3_column_type(row, 5) != SQLITE_NULL;
  bool score = sqlite3_column_type(row, 6) != SQLITE_NULL;
  found->predicted = sqlite3_column_type(row, 0) != SQLITE_NULL;
  found->told = outcome.at != NULL;
  found->row = (struct prediction){.wall_ms = sqlite3_column_int64(row, 0),
                                   .release = (uint32_t)sqlite3_column_int64(row, 1),
                                   .version = (uint32_t)sqlite3_column_int64(row, 2),
                                   .arm = (uint8_t)sqlite3_column_int(row, 3),
                                   .weight = (uint32_t)sqlite3_column_int64(row, 4),
                                   .label = label ? sqlite3_column_int64(row, 5) : LABEL_NONE,
                                   .score = score ? (float)sqlite3_column_double(row, 6) : NAN};
  if (inputs.at) found->inputs = arena_copy(arena, inputs);
  if (outcome.at) found->outcome = arena_copy(arena, outcome);
  found->weight = sqlite3_column_double(row, 9);
  found->at_ms = sqlite3_column_int64(row, 10);
  found->told_ms = sqlite3_column_int64(row, 11);
}

enum code outcomes_find(struct outcomes *outcomes, struct slice tenant, struct slice model,
                        struct slice id, struct arena *arena, struct outcome_found *found,
                        struct err *err)
{
  int64_t number, keep_ms;
  bool row = false;
  *found = (struct outcome_found){.predicted = false};
  if (outcomes_model(outcomes, tenant, model, &number, &keep_ms, err)) return err->code;
  sqlite3_bind_int64(outcomes->find, 1, number);
  sql_bind_text(outcomes->find, 2, id);
  enum code code = outcomes_step(outcomes, outcomes->find, &row, err);
  if (row) found_read(outcomes->find, arena, found);
  sqlite3_reset(outcomes->find);
  return code;
}
