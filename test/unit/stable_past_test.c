/* stable_past_test.c - the past of a version in charge: latencies, scores, until another one is.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "control/release/stable_past.h"

static struct stable_pasts pasts;
static struct arm_tally arm;

static void feed(uint32_t model, uint32_t version, int64_t now_us)
{
  stable_past_feed(&pasts, model, version, &arm, PLAN_WHOLE, now_us);
}

static void scores(float from, float by)
{
  arm = (struct arm_tally){.requests = SCORES_KEPT, .n_scores = SCORES_KEPT};
  for (int i = 0; i < SCORES_KEPT; i++) arm.scores[i] = from + by * (float)i;
}

TEST(a_version_is_remembered_until_another_answers)
{
  pasts = (struct stable_pasts){0};
  scores(0, 0);
  feed(3, 1, 1000000);
  EXPECT(stable_past_of(&pasts, 3, 1) != NULL);
  EXPECT(!stable_past_of(&pasts, 3, 2) && !stable_past_of(&pasts, 2, 1) &&
         !stable_past_of(&pasts, 99, 1));
  feed(3, 2, 2000000);
  EXPECT(!stable_past_of(&pasts, 3, 1) && stable_past_of(&pasts, 3, 2));
  EXPECT_INT(stable_past_of(&pasts, 3, 2)->n_scores, SCORES_KEPT);
  stable_pasts_deinit(&pasts);
}

TEST(edges_are_deciles_of_scores_that_differ)
{
  float edges[SHIFT_BINS - 1];
  pasts = (struct stable_pasts){0};
  scores(0, 1);
  feed(0, 1, 1000000);
  EXPECT_INT(stable_past_edges(stable_past_of(&pasts, 0, 1), edges), 0); /* too few */
  for (int i = 2; i < 10; i++) feed(0, 1, i * 1000000);
  EXPECT_INT(stable_past_edges(stable_past_of(&pasts, 0, 1), edges), 9);
  for (int i = 1; i < 9; i++) EXPECT(edges[i] > edges[i - 1]);
  EXPECT(edges[4] > 12 && edges[4] < 20);
  scores(0.5f, 0);
  arm.scores[3] = NAN; /* is no score */
  for (int i = 0; i < 10; i++) feed(1, 1, i * 1000000);
  EXPECT_INT(stable_past_edges(stable_past_of(&pasts, 1, 1), edges),
             0); /* one value has no middle */
  EXPECT_INT(stable_past_edges(NULL, edges), 0);
  stable_pasts_deinit(&pasts);
}

TEST(timeouts_are_not_answers)
{
  static struct sketch sketch;
  arm = (struct arm_tally){.requests = 10, .errors = 3, .timeouts = 3};
  arm.total_us.at[5] = 7;
  arm.total_us.at[SKETCH_BUCKETS - 1] = 4; /* three of them timeouts, one only slow */
  sketch_of_answers(&sketch, &arm.total_us, arm.timeouts);
  EXPECT_INT(sketch.count, 8);
  EXPECT_INT(sketch.at[SKETCH_BUCKETS - 1], 1);
}

TEST(the_idle_give_way_when_there_is_no_room)
{
  pasts = (struct stable_pasts){0};
  arm = (struct arm_tally){.requests = 1};
  for (uint32_t i = 0; i < STABLE_PASTS_MAX; i++) {
    stable_pasts_pulse(&pasts);
    feed(i, 1, 1000000 + i);
  }
  stable_pasts_pulse(&pasts);
  feed(STABLE_PASTS_MAX, 1, 2000000);
  EXPECT(!stable_past_of(&pasts, STABLE_PASTS_MAX, 1)); /* nobody is idle */
  feed(STABLE_PASTS_MAX, 1, 1000000 + STABLE_PAST_IDLE_US + 2);
  EXPECT(stable_past_of(&pasts, STABLE_PASTS_MAX, 1) != NULL);
  EXPECT(!stable_past_of(&pasts, 0, 1));
  stable_pasts_deinit(&pasts);
}

TEST(a_thousand_that_begin_at_once_are_taken_in_over_some_pulses)
{
  pasts = (struct stable_pasts){0};
  arm = (struct arm_tally){.requests = 1};
  for (uint32_t pulse = 1; pulse <= 3; pulse++) {
    stable_pasts_pulse(&pasts);
    for (uint32_t i = 0; i < 1000; i++) feed(i, 1, pulse * 1000000);
    EXPECT_INT(pasts.n, pulse * STABLE_PASTS_MADE);
  }
  EXPECT_INT(stable_past_of(&pasts, 0, 1)->fed_us, 3000000); /* who is in is fed with every pulse */
  EXPECT(!stable_past_of(&pasts, 999, 1));
  stable_pasts_deinit(&pasts);
}
