/* outcome_test.c - predictions and what became of them: joined by id, judged at one age.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "outcome_rig.h"

#include "faultfs.h"

TEST(each_outcome_is_told_what_becomes_of_it)
{
  struct datadir dir;
  struct outcomes *outcomes = opened(&dir, NULL);
  struct prediction row = predicted(1, 0, now_ms - 5000);
  EXPECT_INT(predict(outcomes, &row, 1), 0);
  EXPECT_INT(predict(outcomes, &row, 1), 1);
  EXPECT_INT(tell(outcomes, told("r-1", 1, now_ms)), FEEDBACK_JOINED);
  EXPECT_INT(tell(outcomes, told("r-1", 1, now_ms)), FEEDBACK_SAME);
  EXPECT_INT(tell(outcomes, told("r-1", 0, now_ms)), FEEDBACK_REPLACED);
  EXPECT_INT(tell(outcomes, told("r-2", 1, now_ms)), FEEDBACK_PENDING);
  EXPECT_INT(tell(outcomes, told("r-9", 1, now_ms - PENDING_MS - 1)), FEEDBACK_UNKNOWN);
  EXPECT_STR(feedback_state_name(FEEDBACK_REPLACED), "replaced");
  closed(outcomes, &dir);
}

TEST(an_outcome_that_came_first_joins_its_prediction)
{
  struct datadir dir;
  struct outcome_sums arms[ARMS_MAX];
  struct outcomes *outcomes = opened(&dir, NULL);
  EXPECT_INT(tell(outcomes, told("r-7", 1, now_ms - 100)), FEEDBACK_PENDING);
  struct prediction row = predicted(7, 0, now_ms - 200);
  predict(outcomes, &row, 1);
  measure(outcomes, now_ms, 1000, 1, arms);
  EXPECT_INT(arms[0].labelled, 1);
  EXPECT_INT(arms[0].judged, 1);
  EXPECT_INT(arms[0].right, 1);
  closed(outcomes, &dir);
}

TEST(amounts_are_no_labels_and_what_comes_late_is_counted)
{
  struct datadir dir;
  struct outcome_sums arms[ARMS_MAX];
  struct outcomes *outcomes = opened(&dir, NULL);
  for (int n = 1; n <= 2; n++) {
    struct prediction row = predicted(n, 0, now_ms - 5000);
    predict(outcomes, &row, 1);
  }
  EXPECT_INT(tell(outcomes, told("r-1", 1, now_ms - 4500)), FEEDBACK_JOINED);
  EXPECT_INT(tell(outcomes, told("r-2", 1, now_ms - 3000)), FEEDBACK_JOINED);
  measure(outcomes, now_ms, 1000, 1, arms);
  EXPECT_INT(arms[0].requests, 2);
  EXPECT_INT(arms[0].labelled, 1);
  EXPECT_INT(arms[0].judged, 1);
  EXPECT_INT(arms[0].late, 1);
  EXPECT_INT(arms[0].metric.n, 1);
  measure(outcomes, now_ms, 4000, 50, arms);
  EXPECT_INT(arms[0].labelled, 2);
  EXPECT_INT(arms[0].judged, 0);
  EXPECT_INT(arms[0].late, 0);
  EXPECT_INT(arms[0].metric.n, 2);
  EXPECT(isnan(outcome_ece(&arms[0])));
  closed(outcomes, &dir);
}

TEST(arms_are_measured_at_one_age)
{
  struct datadir dir;
  struct outcome_sums arms[ARMS_MAX];
  struct outcomes *outcomes = opened(&dir, NULL);
  struct prediction rows[40];
  /* Arm 0 and 1 in turn, one a second; number n is n seconds old. */
  for (int i = 0; i < 40; i++) rows[i] = predicted(i, i % 2, now_ms - i * 1000);
  EXPECT_INT(predict(outcomes, rows, 40), 0);
  for (int i = 0; i < 40; i++) { /* after one second; every fourth after twenty: too late */
    char id[16];
    snprintf(id, sizeof id, "r-%d", i);
    tell(outcomes, told(id, 100, rows[i].wall_ms + (i % 4 == 0 ? 20000 : 1000)));
  }
  measure(outcomes, now_ms - 10000, 10000, 10, arms);
  EXPECT_INT(arms[0].requests, 15);
  EXPECT_INT(arms[1].requests, 15);
  EXPECT_INT(arms[0].labelled, 8); /* 10, 14, ... 38 */
  EXPECT_INT(arms[1].labelled, 15);
  EXPECT_INT(arms[1].metric.n, 15);
  EXPECT_INT(arms[1].metric.y, 15 * parts(10, 10)); /* cut to 10 each */
  EXPECT_INT(arms[1].ages[0], 15);
  EXPECT_INT(arms[0].ages[0], 8);
  measure(outcomes, now_ms - 10000, 10000, 0, arms); /* no cap, no metric; the rest is there */
  EXPECT_INT(arms[1].metric.n, 0);
  EXPECT_INT(arms[1].labelled, 15);
  closed(outcomes, &dir);
}

TEST(a_units_requests_count_as_one)
{
  struct datadir dir;
  struct outcome_sums arms[ARMS_MAX];
  struct outcomes *outcomes = opened(&dir, NULL);
  for (int i = 0; i < 6; i++) {
    struct prediction row = predicted(i, 0, now_ms - 5000);
    struct feedback item;
    char id[16];
    row.unit = (uint64_t)i / 3;
    snprintf(id, sizeof id, "r-%d", i);
    predict(outcomes, &row, 1);
    item = told(id, i < 3 ? 3 : i, now_ms - 4000);
    if (i == 5) item.weight = 4;
    tell(outcomes, item);
  }
  measure(outcomes, now_ms, 60000, 8, arms);
  int64_t a = parts(3, 8), b = parts((3 + 4 + 4 * 5) / 6.0, 8);
  EXPECT_INT(arms[0].metric.n, 2);
  EXPECT_INT(arms[0].metric.y, a + b);
  EXPECT(arms[0].metric.yy == (mean_wide)a * a + (mean_wide)b * b);
  EXPECT_INT(arms[0].labelled, 6);
  closed(outcomes, &dir);
}

TEST(scores_are_held_against_what_happened)
{
  struct datadir dir;
  struct outcome_sums arms[ARMS_MAX];
  struct outcomes *outcomes = opened(&dir, NULL);
  /* Ten answers sure to 0.95 of which seven are right: off by a quarter. */
  for (int i = 0; i < 10; i++) {
    struct prediction row = predicted(i, 0, now_ms - 5000);
    char id[16];
    row.label = 1;
    row.score = 0.95f;
    snprintf(id, sizeof id, "r-%d", i);
    predict(outcomes, &row, 1);
    tell(outcomes, told(id, i < 7 ? 1 : 0, now_ms - 4000));
  }
  /* Without labels the outcome itself is what the score speaks of. */
  for (int i = 10; i < 14; i++) {
    struct prediction row = predicted(i, 1, now_ms - 5000);
    char id[16];
    row.label = LABEL_NONE;
    row.score = i == 13 ? 1.5f : 0.5f; /* no probability: left out */
    snprintf(id, sizeof id, "r-%d", i);
    predict(outcomes, &row, 1);
    tell(outcomes, told(id, i == 10, now_ms - 4000));
  }
  measure(outcomes, now_ms, 60000, 1, arms);
  EXPECT_INT(arms[0].bins[9].n, 10);
  EXPECT(fabs(outcome_ece(&arms[0]) - 0.25) < 1e-6);
  EXPECT(fabs(arms[0].brier - (7 * 0.05 * 0.05 + 3 * 0.95 * 0.95)) < 1e-6);
  EXPECT_INT(arms[1].judged, 0);
  EXPECT_INT(arms[1].bins[5].n, 3);
  EXPECT(fabs(outcome_ece(&arms[1]) - 0.5 / 3) < 1e-6);
  EXPECT(isnan(outcome_ece(&arms[2])));
  closed(outcomes, &dir);
}

TEST(a_batch_is_told_whole_or_not_at_all)
{
  struct datadir dir;
  struct err err = {0};
  struct outcome_sums arms[ARMS_MAX];
  struct outcomes *outcomes = opened(&dir, NULL);
  struct prediction rows[3];
  uint32_t bad;
  for (int i = 0; i < 3; i++) rows[i] = predicted(i, 0, now_ms - 5000);
  predict(outcomes, rows, 3);
  struct feedback items[] = {told("r-0", 1, now_ms), told("r-1", 1, now_ms),
                             told("r-2", 1, now_ms - OUTCOME_KEEP_MS - 1)};
  EXPECT_INT(outcomes_told(outcomes, owner.tenant, items, 3, now_ms, &bad, &err),
             E_VALUE_OUT_OF_RANGE);
  EXPECT_INT(bad, 2);
  measure(outcomes, now_ms, 60000, 1, arms);
  EXPECT_INT(arms[0].labelled, 0);
  /* In a group only the bad one is left out. */
  EXPECT_INT(outcomes_group_begin(outcomes, &err), OK);
  EXPECT_INT(outcomes_told(outcomes, owner.tenant, items, 1, now_ms, &bad, &err), OK);
  EXPECT_INT(outcomes_told(outcomes, owner.tenant, items + 1, 2, now_ms, &bad, &err),
             E_VALUE_OUT_OF_RANGE);
  EXPECT_INT(outcomes_group_end(outcomes, &err), OK);
  measure(outcomes, now_ms, 60000, 1, arms);
  EXPECT_INT(arms[0].labelled, 1);
  closed(outcomes, &dir);
}

TEST(what_is_too_old_goes)
{
  struct datadir dir;
  struct err err = {0};
  struct outcome_sums arms[ARMS_MAX];
  struct outcomes *outcomes = opened(&dir, NULL);
  uint32_t gone;
  for (int i = 0; i < 30; i++) {
    struct prediction row = predicted(i, 0, now_ms - (int64_t)i * DAY_MS);
    char id[16];
    snprintf(id, sizeof id, "r-%d", i);
    predict(outcomes, &row, 1);
    tell(outcomes, told(id, 1, row.wall_ms));
  }
  int64_t later_ms = now_ms + 20 * (int64_t)DAY_MS; /* the newest are 20 days old */
  EXPECT_INT(outcomes_sweep(outcomes, later_ms, 5, &gone, &err), OK);
  EXPECT_INT(gone, 5);
  for (uint32_t all = gone; all < 19; all += gone) {
    EXPECT_INT(outcomes_sweep(outcomes, later_ms, 5, &gone, &err), OK);
    if (!gone) break;
  }
  EXPECT_INT(gone, 4);
  measure(outcomes, later_ms, 1000, 1, arms);
  EXPECT_INT(arms[0].requests, 11);
  EXPECT_INT(arms[0].labelled, 11);
  /* What is gone is unknown, and what was told of it is gone, too. */
  EXPECT_INT(tell(outcomes, told("r-29", 1, now_ms)), FEEDBACK_PENDING);
  /* An outcome that no prediction came for goes; one that has its prediction stays. */
  for (int i = 0; i < 10; i++)
    EXPECT_INT(outcomes_sweep(outcomes, now_ms + PENDING_MS + 1, 5, &gone, &err), OK);
  EXPECT_INT(tell(outcomes, told("r-29", 1, now_ms)), FEEDBACK_PENDING);
  EXPECT_INT(tell(outcomes, told("r-0", 1, now_ms)), FEEDBACK_SAME);
  closed(outcomes, &dir);
}

TEST(where_no_release_ran_versions_are_apart_and_the_newest_are_shown)
{
  struct datadir dir;
  struct err err = {0};
  struct outcome_sums arms[ARMS_MAX];
  struct outcomes *outcomes = opened(&dir, NULL);
  for (int i = 0; i < 24; i++) { /* two of each of versions 1 to 12, out of order */
    struct prediction row = predicted(i, 0, now_ms - 1000 - i);
    char id[16];
    row.release = 0;
    row.version = (uint32_t)(i * 7 % 12 + 1);
    snprintf(id, sizeof id, "r-%d", i);
    predict(outcomes, &row, 1);
    tell(outcomes, told(id, row.version, now_ms));
  }
  struct outcome_question of = {.tenant = owner.tenant,
                                .model = owner.model,
                                .mature_ms = now_ms,
                                .maturity_ms = 60000,
                                .cap = 100};
  EXPECT_INT(outcomes_measured(outcomes, &of, arms, &err), OK);
  for (uint32_t i = 0; i < ARMS_MAX; i++) {
    EXPECT_INT(arms[i].version, 12 - ARMS_MAX + 1 + i);
    EXPECT_INT(arms[i].requests, 2);
    EXPECT_INT(arms[i].metric.n, 2);
    EXPECT_INT(arms[i].metric.y, 2 * parts(arms[i].version, 100));
  }
  measure(outcomes, now_ms, 1000, 1, arms); /* none is a release's */
  EXPECT_INT(arms[0].requests + arms[1].requests, 0);
  closed(outcomes, &dir);
}

TEST(a_full_file_loses_the_oldest_of_who_writes_the_most)
{
  enum { N = 500, ROUNDS = 200 };
  static struct prediction rows[N];
  static const struct prediction_owner quiet = {
      .slot = 1, .tenant = SLICE("default"), .model = SLICE("quiet")};
  struct datadir dir;
  struct err err = {0};
  struct outcomes *outcomes = opened(&dir, NULL);
  struct prediction row = predicted(1, 0, now_ms - 900000);
  uint32_t dropped, gone, all_gone = 0, written = 0;
  struct feedback item = told("r-1", 1, now_ms);
  EXPECT_INT(outcomes_limit(outcomes, INT64_C(4) << 20, &err), OK);
  EXPECT_INT(outcomes_predicted(outcomes, &quiet, &row, 1, &dropped, &err), OK);
  for (int round = 0; round < ROUNDS; round++) {
    for (int i = 0; i < N; i++) rows[i] = predicted(round * N + i, 0, now_ms + round);
    EXPECT_INT(outcomes_predicted(outcomes, &owner, rows, N, &dropped, &err), OK);
    written += N - dropped;
    do {
      EXPECT_INT(outcomes_sweep(outcomes, now_ms + round, N, &gone, &err), OK);
      all_gone += gone;
    } while (outcomes_sweep_rest_us(outcomes) < 1000000);
  }
  EXPECT_INT(written, N * ROUNDS); /* some 10 MB went through 4 */
  EXPECT(all_gone > N * ROUNDS / 2 && all_gone < N * ROUNDS);
  char newest[16];
  snprintf(newest, sizeof newest, "r-%d", N * ROUNDS - 1);
  EXPECT_INT(tell(outcomes, told(newest, 1, now_ms)), FEEDBACK_JOINED);
  EXPECT_INT(tell(outcomes, told("r-2", 1, now_ms)), FEEDBACK_PENDING);
  item.model = quiet.model;
  uint32_t bad;
  EXPECT_INT(outcomes_told(outcomes, quiet.tenant, &item, 1, now_ms, &bad, &err), OK);
  EXPECT_INT(item.state, FEEDBACK_JOINED);
  closed(outcomes, &dir);
}

TEST(a_reader_sees_what_the_writer_wrote_and_tenants_are_apart)
{
  struct datadir dir;
  struct err err = {0};
  struct outcome_sums arms[ARMS_MAX];
  struct outcomes *reader, *outcomes = opened(&dir, NULL);
  struct prediction row = predicted(1, 0, now_ms - 5000);
  EXPECT_INT(outcomes_open(&reader, &dir, NULL, false, &err), OK);
  predict(outcomes, &row, 1);
  measure(reader, now_ms, 1000, 1, arms);
  EXPECT_INT(arms[0].requests, 1);
  struct outcome_question of = {
      .tenant = SLICE("other"), .model = owner.model, .release = 3, .mature_ms = now_ms};
  EXPECT_INT(outcomes_measured(reader, &of, arms, &err), OK);
  EXPECT_INT(arms[0].requests, 0);
  outcomes_close(reader);
  closed(outcomes, &dir);
}

static bool always(void) { return true; }

TEST(a_full_disk_changes_nothing_and_passes)
{
  struct datadir dir;
  struct err err = {0};
  fault_start();
  struct outcomes *outcomes = opened(&dir, "fault");
  struct prediction row = predicted(1, 0, now_ms - 5000);
  struct feedback item = told("r-1", 1, now_ms);
  uint32_t bad, dropped;
  fault_is_full = always;
  EXPECT_INT(outcomes_predicted(outcomes, &owner, &row, 1, &dropped, &err), E_STORAGE_FULL);
  EXPECT_INT(dropped, 1);
  EXPECT_INT(outcomes_told(outcomes, owner.tenant, &item, 1, now_ms, &bad, &err), E_STORAGE_FULL);
  fault_is_full = NULL;
  predict(outcomes, &row, 1);
  EXPECT_INT(tell(outcomes, item), FEEDBACK_JOINED);
  closed(outcomes, &dir);
}

TEST(after_a_sync_that_failed_nothing_is_acknowledged)
{
  struct datadir dir;
  struct err err = {0};
  fault_start();
  struct outcomes *outcomes = opened(&dir, "fault");
  struct feedback item = told("r-1", 1, now_ms);
  uint32_t bad;
  EXPECT_INT(tell(outcomes, item), FEEDBACK_PENDING);
  fault_sync_in = 0;
  EXPECT_INT(outcomes_told(outcomes, owner.tenant, (struct feedback[]){told("r-2", 1, now_ms)}, 1,
                           now_ms, &bad, &err),
             E_UNAVAILABLE);
  fault_sync_in = -1;
  EXPECT_INT(outcomes_told(outcomes, owner.tenant, &item, 1, now_ms, &bad, &err), E_UNAVAILABLE);
  EXPECT(strstr(err.text, "disk failed") != NULL);
  closed(outcomes, &dir);
}

TEST(a_unit_enters_once_when_its_first_request_is_old_enough)
{
  enum { UNITS = 50, L = 10000 };
  struct datadir dir;
  struct err err = {0};
  struct outcome_sums arms[ARMS_MAX], once[ARMS_MAX];
  struct mean_arm sum = {0};
  struct outcomes *outcomes = opened(&dir, NULL);
  int64_t want = 0;
  for (int i = 0; i < 4 * UNITS; i++) { /* each unit asks four times, 6 s apart */
    int unit = i % UNITS, nth = i / UNITS;
    struct prediction row = predicted(i, unit % 2, now_ms - 60000 + unit * 500 + nth * 6000);
    char id[16];
    row.unit = (uint64_t)unit;
    snprintf(id, sizeof id, "r-%d", i);
    predict(outcomes, &row, 1);
    /* The third and fourth are past the maturity of the unit, the second's outcome as well where
     * the unit is even. */
    tell(outcomes, told(id, nth == 0 ? 1 : nth == 1 ? 3 : 100,
                        row.wall_ms + (unit % 4 == 0 && nth == 1 ? 5000 : 1000)));
    if (nth == 0 && unit % 2 == 0) want += parts(unit % 4 == 0 ? 1 : 2, 200);
  }
  struct outcome_question of = {.tenant = owner.tenant,
                                .model = owner.model,
                                .release = 3,
                                .maturity_ms = L,
                                .since_ms = -1,
                                .cap = 200};
  for (int64_t at_ms = now_ms - 70000; at_ms <= now_ms; at_ms += 1700) {
    of.mature_ms = at_ms - L;
    EXPECT_INT(outcomes_measured(outcomes, &of, arms, &err), OK);
    mean_merge(&sum, &arms[0].metric);
    of.since_ms = of.mature_ms;
  }
  EXPECT_INT(sum.n, UNITS / 2);
  EXPECT_INT(sum.y, want);
  of.since_ms = -1;
  EXPECT_INT(outcomes_measured(outcomes, &of, once, &err), OK);
  EXPECT(once[0].metric.n == sum.n && once[0].metric.y == sum.y && once[0].metric.yy == sum.yy);
  closed(outcomes, &dir);
}

TEST(one_request_is_found_with_what_it_was_made_of)
{
  struct datadir dir;
  struct err err = {0};
  struct arena arena;
  struct outcome_found found;
  struct outcomes *outcomes = opened(&dir, NULL);
  struct prediction rows[] = {predicted(1, 0, now_ms - 40 * (int64_t)DAY_MS),
                              predicted(2, 1, now_ms - 5000)};
  struct input_sample samples[] = {{.row = 0, .len = 7, .text = "{\"a\":1}"},
                                   {.row = 1, .len = 7, .text = "{\"a\":2}"}};
  const struct prediction_owner other = {
      .slot = 2, .tenant = owner.tenant, .model = SLICE("spam")};
  uint32_t gone;
  arena_init(&arena, 1 << 16, NULL);
  predict(outcomes, rows, 2);
  EXPECT_INT(outcomes_sampled(outcomes, &owner, rows, samples, 2, &err), OK);
  EXPECT_INT(outcomes_sampled(outcomes, &other, rows, samples, 2, &err), OK); /* none is its */
  tell(outcomes, told("r-2", 1, now_ms));
  EXPECT_INT(outcomes_find(outcomes, owner.tenant, owner.model, SLICE("r-2"), &arena, &found, &err),
             OK);
  EXPECT(found.predicted && found.told);
  EXPECT_INT(found.row.weight, 95000000);
  EXPECT_INT(found.row.wall_ms, now_ms - 5000);
  EXPECT(slice_eq(found.inputs, SLICE("{\"a\":2}")));
  EXPECT(slice_eq(found.outcome, SLICE("1")));
  EXPECT_INT(outcomes_find(outcomes, owner.tenant, other.model, SLICE("r-2"), &arena, &found, &err),
             OK);
  EXPECT(!found.predicted && !found.told && !found.inputs.at);
  for (int i = 0; i < 2; i++) /* one model, then the other */
    EXPECT_INT(outcomes_sweep(outcomes, now_ms, 5, &gone, &err), OK);
  EXPECT_INT(outcomes_find(outcomes, owner.tenant, owner.model, SLICE("r-1"), &arena, &found, &err),
             OK);
  EXPECT(!found.predicted && !found.inputs.at);
  arena_deinit(&arena);
  closed(outcomes, &dir);
}
