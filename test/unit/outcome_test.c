/* outcome_test.c - predictions and what became of them: joined by id, judged at one age.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include <math.h>
#include <stdio.h>

#include "store.h"
#include "store/outcome.h"

static const struct outcome_of of = {SLICE("default"), SLICE("fraud"), 3};
enum { NOW = 1700000000 };
static const int64_t now_ms = (int64_t)NOW * 1000;

static struct prediction predicted(int number, int arm, int64_t wall_ms)
{
  struct prediction row = {.arm = (uint8_t)arm,
                           .version = 1 + (uint32_t)arm,
                           .weight = arm ? 95000000 : 5000000,
                           .wall_ms = wall_ms,
                           .unit = (uint64_t)number,
                           .label = number % 2,
                           .score = 0.25f};
  row.id_len = (uint8_t)snprintf(row.id, sizeof row.id, "r-%d", number);
  return row;
}

static struct feedback told(const char *id, const char *outcome, double value, int64_t at_ms)
{
  return (struct feedback){.id = slice_str(id),
                           .outcome = slice_str(outcome),
                           .value = value,
                           .weight = 1,
                           .at_ms = at_ms};
}

static struct outcomes *opened(struct datadir *dir)
{
  struct outcomes *outcomes;
  struct err err = {0};
  EXPECT_INT(datadir_open(dir, temp_dir(), &err), OK);
  EXPECT_INT(outcomes_open(&outcomes, dir, true, &err), OK);
  return outcomes;
}

static enum feedback_state tell(struct outcomes *outcomes, struct feedback item)
{
  struct err err = {0};
  EXPECT_INT(outcomes_told(outcomes, &of, &item, 1, now_ms, &err), OK);
  return item.state;
}

TEST(each_outcome_is_told_what_becomes_of_it)
{
  struct datadir dir;
  struct err err = {0};
  struct outcomes *outcomes = opened(&dir);
  struct prediction row = predicted(1, 0, now_ms - 5000);
  uint32_t dropped;
  EXPECT_INT(outcomes_predicted(outcomes, &of, &row, 1, &dropped, &err), OK);
  EXPECT_INT(dropped, 0);
  EXPECT_INT(outcomes_predicted(outcomes, &of, &row, 1, &dropped, &err), OK);
  EXPECT_INT(dropped, 1);
  EXPECT_INT(tell(outcomes, told("r-1", "1", 1, now_ms)), FEEDBACK_JOINED);
  EXPECT_INT(tell(outcomes, told("r-1", "1", 1, now_ms)), FEEDBACK_SAME);
  EXPECT_INT(tell(outcomes, told("r-1", "0", 0, now_ms)), FEEDBACK_REPLACED);
  EXPECT_INT(tell(outcomes, told("r-2", "1", 1, now_ms)), FEEDBACK_PENDING);
  EXPECT_INT(tell(outcomes, told("r-9", "1", 1, now_ms - PENDING_MS - 1)), FEEDBACK_UNKNOWN);
  EXPECT_STR(feedback_state_name(FEEDBACK_REPLACED), "replaced");
  outcomes_close(outcomes);
  datadir_close(&dir);
}

TEST(an_outcome_that_came_first_joins_its_prediction)
{
  struct datadir dir;
  struct err err = {0};
  struct outcome_sums arms[ARMS_MAX];
  struct outcomes *outcomes = opened(&dir);
  uint32_t dropped;
  EXPECT_INT(tell(outcomes, told("r-7", "1", 1, now_ms - 100)), FEEDBACK_PENDING);
  struct prediction row = predicted(7, 0, now_ms - 200);
  EXPECT_INT(outcomes_predicted(outcomes, &of, &row, 1, &dropped, &err), OK);
  EXPECT_INT(outcomes_measured(outcomes, &of, now_ms, 1000, 0, arms, &err), OK);
  EXPECT_INT(arms[0].labelled, 1);
  EXPECT_INT(arms[0].right, 1);
  outcomes_close(outcomes);
  datadir_close(&dir);
}

TEST(arms_are_measured_at_one_age)
{
  struct datadir dir;
  struct err err = {0};
  struct outcome_sums arms[ARMS_MAX];
  struct outcomes *outcomes = opened(&dir);
  struct prediction rows[40];
  uint32_t dropped;
  /* Arm 0 and 1 in turn, one a second; number n is n seconds old. */
  for (int i = 0; i < 40; i++) rows[i] = predicted(i, i % 2, now_ms - i * 1000);
  EXPECT_INT(outcomes_predicted(outcomes, &of, rows, 40, &dropped, &err), OK);
  for (int i = 0; i < 40;
       i++) { /* after one second; every fourth after twenty: too late to count */
    char id[16];
    snprintf(id, sizeof id, "r-%d", i);
    int64_t late_ms = i % 4 == 0 ? 20000 : 1000;
    tell(outcomes, told(id, "100", 100, rows[i].wall_ms + late_ms));
  }
  EXPECT_INT(outcomes_measured(outcomes, &of, now_ms - 10000, 10000, 10, arms, &err), OK);
  EXPECT_INT(arms[0].requests, 15);
  EXPECT_INT(arms[1].requests, 15);
  EXPECT_INT(arms[0].labelled, 8); /* 10, 14, ... 38 */
  EXPECT_INT(arms[1].labelled, 15);
  EXPECT_INT(arms[1].units, 15);
  EXPECT(arms[1].sum == 150 && arms[1].squares == 1500); /* cut to 10 each */
  EXPECT_INT(arms[1].ages[0], 15);
  EXPECT_INT(arms[0].ages[0], 8);
  outcomes_close(outcomes);
  datadir_close(&dir);
}

TEST(a_units_requests_count_as_one)
{
  struct datadir dir;
  struct err err = {0};
  struct outcome_sums arms[ARMS_MAX];
  struct outcomes *outcomes = opened(&dir);
  uint32_t dropped;
  for (int i = 0; i < 6; i++) {
    struct prediction row = predicted(i, 0, now_ms - 5000);
    char id[16];
    row.unit = (uint64_t)i / 3;
    snprintf(id, sizeof id, "r-%d", i);
    EXPECT_INT(outcomes_predicted(outcomes, &of, &row, 1, &dropped, &err), OK);
    tell(outcomes, told(id, "x", i < 3 ? 3 : i, now_ms - 4000));
  }
  EXPECT_INT(outcomes_measured(outcomes, &of, now_ms, 60000, 0, arms, &err), OK);
  EXPECT_INT(arms[0].units, 2);
  EXPECT(arms[0].sum == 7 && arms[0].squares == 9 + 16);
  EXPECT_INT(arms[0].labelled, 6);
  outcomes_close(outcomes);
  datadir_close(&dir);
}

TEST(what_is_too_old_goes)
{
  struct datadir dir;
  struct err err = {0};
  struct outcome_sums arms[ARMS_MAX];
  struct outcomes *outcomes = opened(&dir);
  uint32_t dropped, gone;
  for (int i = 0; i < 30; i++) {
    struct prediction row = predicted(i, 0, now_ms - i * 1000);
    EXPECT_INT(outcomes_predicted(outcomes, &of, &row, 1, &dropped, &err), OK);
  }
  EXPECT_INT(outcomes_sweep(outcomes, &of, now_ms - 10000, 5, &gone, &err), OK);
  EXPECT_INT(gone, 5);
  EXPECT_INT(outcomes_sweep(outcomes, &of, now_ms - 10000, 1000, &gone, &err), OK);
  EXPECT_INT(gone, 14);
  EXPECT_INT(outcomes_measured(outcomes, &of, now_ms, 1000, 0, arms, &err), OK);
  EXPECT_INT(arms[0].requests, 11);
  outcomes_close(outcomes);
  datadir_close(&dir);
}

TEST(a_reader_sees_what_the_writer_wrote_and_tenants_are_apart)
{
  struct datadir dir;
  struct err err = {0};
  struct outcome_sums arms[ARMS_MAX];
  struct outcomes *reader, *outcomes = opened(&dir);
  struct prediction row = predicted(1, 0, now_ms - 5000);
  struct outcome_of other = {SLICE("other"), of.model, of.release};
  uint32_t dropped;
  EXPECT_INT(outcomes_open(&reader, &dir, false, &err), OK);
  EXPECT_INT(outcomes_predicted(outcomes, &of, &row, 1, &dropped, &err), OK);
  EXPECT_INT(outcomes_measured(reader, &of, now_ms, 1000, 0, arms, &err), OK);
  EXPECT_INT(arms[0].requests, 1);
  EXPECT_INT(outcomes_measured(reader, &other, now_ms, 1000, 0, arms, &err), OK);
  EXPECT_INT(arms[0].requests, 0);
  outcomes_close(reader);
  outcomes_close(outcomes);
  datadir_close(&dir);
}
