/* slow_test.c - thresholds are stable's edges, and exist only where stable was seen enough.
 * SPDX-License-Identifier: MIT */
#include "stat/slow.h"

#include "test.h"

TEST(rows_need_ten_over_one_minus_q_requests)
{
  static const struct {
    uint64_t requests;
    uint32_t rows;
  } table[] = {{0, 0},   {19, 0},   {20, 1},   {99, 1},   {100, 2},
               {999, 2}, {1000, 3}, {9999, 3}, {10000, 4}};
  for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
    static struct sketch sketch;
    struct slow slow;
    memset(&sketch, 0, sizeof sketch);
    for (uint64_t n = 0; n < table[i].requests; n++) sketch_add(&sketch, 1000 + n);
    slow_freeze(&slow, &sketch);
    EXPECT_INT(slow.rows, table[i].rows);
    for (uint32_t j = 0; j < SLOW_ROWS; j++) EXPECT_INT(slow.used[j], j < table[i].rows);
  }
}

TEST(slow_is_at_or_above_the_upper_edge)
{
  static struct sketch stable, seen;
  struct slow slow;
  uint64_t x[SLOW_ROWS];
  for (uint64_t us = 1; us <= 10000; us++) sketch_add(&stable, us);
  slow_freeze(&slow, &stable);
  for (int j = 0; j < SLOW_ROWS; j++) {
    EXPECT(sketch_is_edge(slow.us[j]) && slow.us[j] == sketch_quantile(&stable, SLOW_Q[j]));
    EXPECT(j == 0 || slow.us[j] >= slow.us[j - 1]);
  }
  sketch_add(&seen, slow.us[1] - 1), sketch_add(&seen, slow.us[1]);
  slow_count(&slow, &seen, x);
  EXPECT_INT(x[0], 2);
  EXPECT_INT(x[1], 1);
  EXPECT_INT(x[3], 0);
}

TEST(a_plan_may_name_rows_and_equal_thresholds_stay)
{
  static struct sketch stable;
  struct slow slow;
  uint64_t x[SLOW_ROWS];
  for (int i = 0; i < 10000; i++) sketch_add(&stable, 5000);
  slow_freeze_some(&slow, &stable, 1u << 2 | 1u << 0, 0);
  EXPECT_INT(slow.rows, 2);
  EXPECT(slow.used[0] && !slow.used[1] && slow.used[2] && !slow.used[3]);
  EXPECT(slow.us[0] == slow.us[2] && slow.us[1] == 0);
  slow_count(&slow, &stable, x);
  EXPECT(x[0] == 0 && x[1] == 0);
}

TEST(slack_moves_thresholds_to_later_edges)
{
  struct sketch stable = {0};
  struct slow plain, slack;
  for (uint64_t i = 0; i < 100000; i++) sketch_add(&stable, 40 + i % 100);
  slow_freeze_some(&plain, &stable, 15, 0);
  slow_freeze_some(&slack, &stable, 15, 200);
  for (int j = 0; j < SLOW_ROWS; j++) {
    EXPECT(slack.used[j] && sketch_is_edge(slack.us[j]));
    EXPECT(slack.us[j] >= plain.us[j] + 200 && slack.us[j] <= (plain.us[j] + 200) * 65 / 64 + 1);
  }
  sketch_add(&stable, UINT64_MAX / 2);
  struct sketch late = {0};
  for (int i = 0; i < 100; i++) sketch_add(&late, UINT64_MAX / 2); /* all in the last bucket */
  slow_freeze_some(&slack, &late, 1, 200);
  EXPECT(slack.us[0] == UINT64_MAX);
}

/* A threshold that a small slack moved by a whole bucket cost a twentieth of the evidence. */
TEST(slack_below_half_a_bucket_moves_nothing)
{
  struct sketch stable = {0};
  struct slow plain, slack, more;
  for (uint64_t i = 0; i < 100000; i++) sketch_add(&stable, 100000 + i);
  slow_freeze_some(&plain, &stable, 15, 0);
  slow_freeze_some(&slack, &stable, 15, 200); /* buckets are 1024 and 2048 us wide */
  slow_freeze_some(&more, &stable, 15, 4096);
  for (int j = 0; j < SLOW_ROWS; j++) {
    EXPECT(slack.us[j] == plain.us[j]);
    EXPECT(more.us[j] > plain.us[j] + 2048 && more.us[j] <= plain.us[j] + 6144);
    EXPECT(sketch_is_edge(more.us[j]));
  }
  struct sketch none = {0};
  for (int i = 0; i < 100; i++) sketch_add(&none, 0); /* the first bucket: 0 us */
  slow_freeze_some(&slack, &none, 1, 1);
  EXPECT(slack.us[0] == 2);
}
