/* rival_test.c - the rules of others, on numbers worked out elsewhere.
 * SPDX-License-Identifier: MIT */
#include "sim/rival.h"

#include "test.h"

/* Published critical values (one-sided 1 %) are one less than the cut. */
TEST(mann_whitney_cuts_are_the_published_ones)
{
  EXPECT_INT(mann_whitney_cut(4), 0);
  EXPECT_INT(mann_whitney_cut(5), 2);
  EXPECT_INT(mann_whitney_cut(8), 10);
  EXPECT_INT(mann_whitney_cut(10), 20);
  EXPECT_INT(mann_whitney_cut(20), 115);
}

TEST(shift_and_interval)
{
  static const double a[] = {11, 12, 13, 14, 15}, b[] = {1, 2, 3, 4, 5};
  struct shift_interval got = mann_whitney(a, b, 5);
  EXPECT(got.known && got.shift == 10 && got.low == 7 && got.high == 13);
  EXPECT(!mann_whitney(a, b, 4).known);
}

TEST(a_point_of_a_sketch_lies_inside_its_bucket)
{
  static struct sketch sketch;
  EXPECT(sketch_point(&sketch, 0.5) == 0);
  for (int i = 0; i < 100; i++) sketch_add(&sketch, 1024);
  double p = sketch_point(&sketch, 0.5);
  EXPECT(p > 1024 && p < 1040);
  for (int i = 0; i < 100; i++) sketch_add(&sketch, 10);
  EXPECT(sketch_point(&sketch, 0.25) < 11);
}

/* Minutes whose every latency is the same. */
static void minute(struct rivals *rivals, uint64_t us_c, uint64_t us_b, uint64_t slow_c)
{
  static struct sketch sketch;
  for (int arm = 0; arm < CROWD_ARMS; arm++) {
    memset(&sketch, 0, sizeof sketch);
    for (int i = 0; i < 600; i++) sketch_add(&sketch, arm == ARM_CANDIDATE ? us_c : us_b);
    rivals_add(rivals, (uint32_t)arm, &sketch);
  }
  for (int s = 0; s < 60; s++) {
    struct crowd_seen seen[CROWD_ARMS] = {{.requests = 10, .timed = 10, .slow = {0, 0, slow_c, 0}},
                                          {.requests = 10, .timed = 10}};
    rivals_second(rivals, seen);
  }
}

TEST(the_threshold_wants_three_strikes_that_add_up)
{
  static struct rivals rivals;
  rivals_init(&rivals, false);
  minute(&rivals, 1000, 500, 0);
  minute(&rivals, 500, 500, 0);
  minute(&rivals, 1000, 500, 0);
  EXPECT(rivals.said[RIVAL_THRESHOLD] == RIVAL_NEVER);
  minute(&rivals, 1000, 500, 0);
  EXPECT_INT(rivals.said[RIVAL_THRESHOLD], 240);
  EXPECT(rivals.said[RIVAL_NAIVE] == RIVAL_NEVER);
}

TEST(kayenta_needs_five_minutes_and_once_needs_fifty)
{
  static struct rivals rivals;
  rivals_init(&rivals, false);
  for (int i = 0; i < 52; i++) minute(&rivals, 1000, 500, 0);
  EXPECT_INT(rivals.said[RIVAL_KAYENTA], 300);
  EXPECT_INT(rivals.said[RIVAL_ONCE], 3000);
  rivals_init(&rivals, false);
  for (int i = 0; i < 52; i++) minute(&rivals, 500, 500, 0);
  EXPECT(rivals.said[RIVAL_KAYENTA] == RIVAL_NEVER && rivals.said[RIVAL_ONCE] == RIVAL_NEVER);
  EXPECT(!rivals_are_done(&rivals));
}

TEST(naive_looks_each_ten_seconds)
{
  static struct rivals rivals;
  rivals_init(&rivals, false);
  minute(&rivals, 500, 500, 1);
  EXPECT_INT(rivals.said[RIVAL_NAIVE], 10);
}
