/* memory_test.c - what is remembered of a version in charge: latencies, scores, until another one
 * is.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "control/release/memory.h"

static struct memories memories;
static struct arm_tally arm;

static void feed(uint32_t model, uint32_t version, int64_t now_us)
{
  memory_feed(&memories, model, version, &arm, PLAN_WHOLE, now_us);
}

static void scores(float from, float by)
{
  arm = (struct arm_tally){.requests = SCORES_KEPT, .n_scores = SCORES_KEPT};
  for (int i = 0; i < SCORES_KEPT; i++) arm.scores[i] = from + by * (float)i;
}

TEST(a_version_is_remembered_until_another_answers)
{
  memories = (struct memories){0};
  scores(0, 0);
  feed(3, 1, 1000000);
  EXPECT(memory_of(&memories, 3, 1) != NULL);
  EXPECT(!memory_of(&memories, 3, 2) && !memory_of(&memories, 2, 1) &&
         !memory_of(&memories, 99, 1));
  feed(3, 2, 2000000);
  EXPECT(!memory_of(&memories, 3, 1) && memory_of(&memories, 3, 2));
  EXPECT_INT(memory_of(&memories, 3, 2)->n_scores, SCORES_KEPT);
  memories_deinit(&memories);
}

TEST(edges_are_deciles_of_scores_that_differ)
{
  float edges[SHIFT_BINS - 1];
  memories = (struct memories){0};
  scores(0, 1);
  feed(0, 1, 1000000);
  EXPECT_INT(memory_edges(memory_of(&memories, 0, 1), edges), 0); /* too few */
  for (int i = 2; i < 10; i++) feed(0, 1, i * 1000000);
  EXPECT_INT(memory_edges(memory_of(&memories, 0, 1), edges), 9);
  for (int i = 1; i < 9; i++) EXPECT(edges[i] > edges[i - 1]);
  EXPECT(edges[4] > 12 && edges[4] < 20);
  scores(0.5f, 0);
  arm.scores[3] = NAN; /* is no score */
  for (int i = 0; i < 10; i++) feed(1, 1, i * 1000000);
  EXPECT_INT(memory_edges(memory_of(&memories, 1, 1), edges), 0); /* one value has no middle */
  EXPECT_INT(memory_edges(NULL, edges), 0);
  memories_deinit(&memories);
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
  memories = (struct memories){0};
  arm = (struct arm_tally){.requests = 1};
  for (uint32_t i = 0; i < MEMORIES_MAX; i++) {
    memories_pulse(&memories);
    feed(i, 1, 1000000 + i);
  }
  memories_pulse(&memories);
  feed(MEMORIES_MAX, 1, 2000000);
  EXPECT(!memory_of(&memories, MEMORIES_MAX, 1)); /* nobody is idle */
  feed(MEMORIES_MAX, 1, 1000000 + MEMORY_IDLE_US + 2);
  EXPECT(memory_of(&memories, MEMORIES_MAX, 1) != NULL);
  EXPECT(!memory_of(&memories, 0, 1));
  memories_deinit(&memories);
}

TEST(a_thousand_that_begin_at_once_are_taken_in_over_some_pulses)
{
  memories = (struct memories){0};
  arm = (struct arm_tally){.requests = 1};
  for (uint32_t pulse = 1; pulse <= 3; pulse++) {
    memories_pulse(&memories);
    for (uint32_t i = 0; i < 1000; i++) feed(i, 1, pulse * 1000000);
    EXPECT_INT(memories.n, pulse * MEMORIES_MADE);
  }
  EXPECT_INT(memory_of(&memories, 0, 1)->fed_us, 3000000); /* who is in is fed with every pulse */
  EXPECT(!memory_of(&memories, 999, 1));
  memories_deinit(&memories);
}
