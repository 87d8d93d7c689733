/* measure_test.c - what of outcomes enters a look: one answer of a unit, and its covariate.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "outcome_rig.h"

#include <sqlite3.h>

/* What later answers of a unit come to hangs on the first: one enters a bin, once, at one age. */
TEST(the_first_answer_of_a_unit_is_what_calibration_is_judged_by)
{
  struct datadir dir;
  struct err err = {0};
  struct outcome_sums arms[ARMS_MAX];
  struct calibration sum = {0};
  struct outcomes *outcomes = opened(&dir, NULL);
  for (int i = 0; i < 60; i++) { /* 20 units ask three times; the first of each fourth untold */
    struct prediction row = predicted(i, 0, now_ms - 60000 + i * 100);
    char id[16];
    row.unit = (uint64_t)i % 20;
    row.label = 1;
    row.score = i < 20 ? 0.75f : 0.25f;
    snprintf(id, sizeof id, "r-%d", i);
    predict(outcomes, &row, 1);
    if (i >= 20 || i % 4) tell(outcomes, told(id, i % 2, row.wall_ms + 1000));
  }
  struct outcome_question of = {.tenant = owner.tenant,
                                .model = owner.model,
                                .release = 3,
                                .maturity_ms = 10000,
                                .since_ms = INT64_MIN,
                                .cap = 1};
  for (int64_t at_ms = now_ms - 60500; at_ms <= now_ms; at_ms += 700) {
    of.mature_ms = at_ms - of.maturity_ms;
    EXPECT_INT(outcomes_measured(outcomes, &of, arms, &err), OK);
    calibration_merge(&sum, &arms[0].calibration);
    of.since_ms = of.mature_ms;
  }
  EXPECT_INT(calibration_count(&sum), 15);
  EXPECT_INT(sum.at[7].n, 15);
  EXPECT(fabs(calibration_gap(&sum.at[7]) - (10 / 15.0 - 0.75)) < 1e-9);
  closed(outcomes, &dir);
}

static void covariates(struct outcomes *outcomes, double cap, struct mean_arm *metric)
{
  struct err err = {0};
  struct outcome_sums arms[ARMS_MAX];
  struct outcome_question of = {.tenant = owner.tenant,
                                .model = owner.model,
                                .release = 3,
                                .since_ms = INT64_MIN,
                                .mature_ms = now_ms,
                                .maturity_ms = 60000,
                                .cap = 8,
                                .covariate_cap = cap};
  EXPECT_INT(outcomes_measured(outcomes, &of, arms, &err), OK);
  *metric = arms[0].metric;
}

/* Of a unit's first prediction; a file of before there were any gets them. */
TEST(covariates_stand_beside_the_metric)
{
  struct datadir dir;
  struct err err = {0};
  struct mean_arm metric;
  sqlite3 *db;
  char path[512];
  struct outcomes *outcomes = opened(&dir, NULL);
  outcomes_close(outcomes);
  snprintf(path, sizeof path, "%s/outcomes.db", temp);
  EXPECT_INT(sqlite3_open(path, &db), SQLITE_OK);
  EXPECT_INT(sqlite3_exec(db, "ALTER TABLE predictions DROP COLUMN covariate", NULL, NULL, NULL),
             SQLITE_OK);
  sqlite3_close(db);
  EXPECT_INT(outcomes_open(&outcomes, &dir, NULL, true, &err), OK);
  for (int i = 0; i < 4; i++) {
    struct prediction row = predicted(i, 0, now_ms - 5000 + i);
    const float says[] = {30, 70, NAN, 900};
    char id[16];
    row.unit = i < 2 ? 0 : (uint64_t)i; /* the first two are one unit's */
    row.covariate = says[i];
    snprintf(id, sizeof id, "r-%d", i);
    predict(outcomes, &row, 1);
    tell(outcomes, told(id, 4, now_ms - 4000));
  }
  covariates(outcomes, 100, &metric);
  int64_t y = parts(4, 8), x = parts(30, 100), most = parts(100, 100);
  EXPECT_INT(metric.n, 3);
  EXPECT_INT(metric.x, x + most);
  EXPECT(metric.xx == (mean_wide)x * x + (mean_wide)most * most);
  EXPECT(metric.xy == (mean_wide)x * y + (mean_wide)most * y);
  covariates(outcomes, 0, &metric);
  EXPECT_INT(metric.n, 3);
  EXPECT_INT(metric.x, 0);
  closed(outcomes, &dir);
}
