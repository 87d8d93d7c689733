/* delay_test.c - how long a lane waits for company, and how long its runs take: with a fake clock.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "infer/batch/delay.h"
#include "infer/batch/pace.h"

enum { SLO = 100000 };

/* ---- pace */

TEST(a_pace_is_the_95th_percentile_of_the_last_runs_of_a_size)
{
  struct pace pace = {0};
  EXPECT_INT(pace_us(&pace, 1), 0);
  for (int i = 0; i < 19; i++) pace_add(&pace, 1, 99500);
  pace_add(&pace, 1, 50000000); /* one of twenty */
  EXPECT_INT(pace_us(&pace, 1), 100);
  pace_add(&pace, 1, 8000000); /* two are no accident */
  EXPECT_INT(pace_us(&pace, 1), 8001);
  for (int i = 0; i < 20; i++) pace_add(&pace, 1, 199500);
  EXPECT_INT(pace_us(&pace, 1), 200); /* forgotten */
}

TEST(a_size_that_never_ran_is_judged_by_the_next_smaller_one)
{
  struct pace pace = {0};
  for (int i = 0; i < 5; i++) pace_add(&pace, 1, 99500), pace_add(&pace, 8, 399500);
  EXPECT_INT(pace_us(&pace, 2), 201);
  EXPECT_INT(pace_us(&pace, 5), 400); /* 5 to 8 are one size */
  EXPECT_INT(pace_us(&pace, 16), 801);
  struct pace large = {0};
  pace_add(&large, 8, 399500);
  EXPECT_INT(pace_us(&large, 1), 400);
}

TEST(rows_are_as_many_as_there_is_time_for)
{
  struct pace pace = {0};
  EXPECT_INT(pace_rows(&pace, 64, INT64_MAX), 1); /* the first run tells */
  pace_add(&pace, 1, 999500);
  EXPECT_INT(pace_rows(&pace, 64, INT64_MAX), 64);
  EXPECT_INT(pace_rows(&pace, 64, 9000), 8);
  EXPECT_INT(pace_rows(&pace, 60, 40000), 32);
  EXPECT_INT(pace_rows(&pace, 64, 10), 1);
  EXPECT_INT(pace_rows(&pace, 64, -1), 1);
}

/* ---- delay */

/* One look: batches of `rows` for a second, each run taking run_us, a task each `gap_us`. */
static void look(struct delay *delay, int64_t *now_us, int64_t gap_us, int64_t run_us,
                 uint32_t rows, uint32_t slow)
{
  for (uint32_t i = 0; i < DELAY_BATCHES; i++) {
    for (uint32_t k = 0; k < rows; k++) delay_came(delay, *now_us += gap_us);
    delay_closed(delay, *now_us, delay->us > 0, rows - 1);
    struct delay_run run = {*now_us, run_us * 1000, rows, rows, i < slow};
    delay_ran(delay, &run);
  }
}

static struct delay busy_at(uint32_t us, int64_t *now_us)
{
  struct delay delay;
  delay_init(&delay, false, 0, SLO, *now_us);
  delay.us = us;
  return delay;
}

TEST(nobody_waits_at_first_and_bounds_are_kept)
{
  struct delay delay;
  delay_init(&delay, false, 0, SLO, 5);
  EXPECT_INT(delay_until(&delay, 7, 7), 7);
  EXPECT_INT(delay_shown(&delay), 0);
  EXPECT_INT(delay.us_max, 5000);
  delay_init(&delay, false, 0, 4000, 5);
  EXPECT_INT(delay.us_max, 1000); /* a quarter of the SLO */
  EXPECT(delay_is_slow(&delay, 3201) && !delay_is_slow(&delay, 3200));
}

TEST(a_busy_lane_tries_a_longer_wait_and_keeps_it_while_rows_get_cheaper)
{
  int64_t now_us = 1000, run_us = 1000;
  struct delay delay = busy_at(0, &now_us);
  look(&delay, &now_us, 10, run_us, 100, 0);
  EXPECT_INT(delay.us, 50);
  look(&delay, &now_us, 10, run_us = 950, 100, 0); /* 5 % cheaper */
  EXPECT_INT(delay.us, 100);
  look(&delay, &now_us, 10, run_us = 940, 100, 0); /* 1 % is chance */
  EXPECT_INT(delay.us, 50);
  for (int i = 0; i < DELAY_REST; i++) look(&delay, &now_us, 10, run_us, 100, 0);
  EXPECT_INT(delay.us, 50);
  look(&delay, &now_us, 10, run_us, 100, 0); /* tries again */
  EXPECT_INT(delay.us, 100);
  for (int i = 0; i < 200; i++) look(&delay, &now_us, 10, run_us = run_us * 97 / 100 + 1, 100, 0);
  EXPECT(delay.us <= delay.us_max);
}

TEST(the_delay_ends_at_its_bound)
{
  int64_t now_us = 1000;
  struct delay delay;
  delay_init(&delay, false, 120, SLO, now_us);
  double run_us = 900000;
  for (int i = 0; i < 5; i++) look(&delay, &now_us, 10, (int64_t)(run_us *= 0.9), 100, 0);
  EXPECT_INT(delay.us, 120);
}

TEST(an_idle_lane_has_nothing_to_win)
{
  int64_t now_us = 1000;
  struct delay delay = busy_at(200, &now_us);
  look(&delay, &now_us, 10, 100, 100, 0); /* runs 100 us in each 1000 */
  EXPECT_INT(delay.us, 150);
  for (int i = 0; i < 3; i++) look(&delay, &now_us, 10, 100, 100, 0);
  EXPECT_INT(delay.us, 0);
}

TEST(slow_answers_halve_the_delay)
{
  int64_t now_us = 1000;
  struct delay delay = busy_at(800, &now_us);
  look(&delay, &now_us, 10, 1000, 1, 2); /* one in a hundred is allowed */
  EXPECT(delay.us != 400);
  delay.us = 800;
  look(&delay, &now_us, 10, 1000, 1, 3);
  EXPECT_INT(delay.us, 400);
}

TEST(nobody_waits_for_those_who_will_not_come)
{
  int64_t now_us = 1000;
  struct delay delay = busy_at(500, &now_us);
  for (int i = 0; i < 64; i++) { /* one each ms: half a request in a delay, nearly */
    delay_came(&delay, now_us += 1100);
    delay_closed(&delay, now_us, false, 0);
  }
  EXPECT_INT(delay_until(&delay, now_us, now_us), now_us);
  EXPECT_INT(delay_shown(&delay), 0);
  for (int i = 0; i < 64; i++) {
    delay_came(&delay, now_us += 100);
    delay_closed(&delay, now_us, false, 0);
  }
  EXPECT(delay_until(&delay, now_us, now_us) > now_us);
  EXPECT_INT(delay_shown(&delay), 500);
  /* Whoever waits for an answer before asking again comes fast, but never while we wait. */
  for (int i = 0; i < 16; i++) {
    delay_came(&delay, now_us += 100);
    delay_closed(&delay, now_us, true, 0);
  }
  EXPECT_INT(delay_until(&delay, now_us, now_us), now_us);
  int waits = 0;
  for (int i = 0; i < 330; i++) {
    delay_came(&delay, now_us += 100);
    bool waited = delay_until(&delay, now_us, now_us) > now_us;
    delay_closed(&delay, now_us, waited, 0);
    waits += waited;
  }
  EXPECT_INT(waits, 10); /* one in DELAY_PROBE and itself */
}

TEST(a_wait_ends_when_those_that_could_come_are_in)
{
  int64_t now_us = 1000;
  struct delay delay = busy_at(5000, &now_us);
  for (int i = 0; i < 64; i++) {
    delay_came(&delay, now_us += 100);
    delay_closed(&delay, now_us, true, 3);
  }
  int64_t until_us = delay_until(&delay, now_us, now_us);
  EXPECT(until_us > now_us + 350 && until_us < now_us + 450); /* four gaps of 100 */
  delay_came(&delay, now_us + 300);
  EXPECT_INT(delay_until(&delay, now_us, now_us + 300), until_us + 300);
}

TEST(a_number_is_waited_for_from_the_first_request_on)
{
  struct delay delay;
  delay_init(&delay, true, 7000, SLO, 0);
  delay_came(&delay, 10);
  EXPECT_INT(delay_until(&delay, 10, 10), 7010);
  int64_t now_us = 10;
  look(&delay, &now_us, 100000, 1, 1, 200);
  EXPECT_INT(delay.us, 7000); /* never tuned */
  delay_init(&delay, true, 0, SLO, 0);
  delay_came(&delay, 10);
  EXPECT_INT(delay_until(&delay, 10, 10), 10);
}
