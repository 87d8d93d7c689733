/* assign_test.c - the golden vectors, and ramps that move nobody out.
 * SPDX-License-Identifier: MIT */
#include "stat/assign.h"

#include "golden/figures.h"
#include "test.h"

TEST(golden_hashes)
{
  for (size_t i = 0; i < FIGURES(figures_hash); i++) {
    struct slice text = slice_str(figures_hash[i].text);
    EXPECT_INT(assign_hash(text, SLICE_NONE), figures_hash[i].hash);
    EXPECT_INT(assign_hash(SLICE_NONE, text), figures_hash[i].hash);
  }
}

TEST(golden_vectors)
{
  for (size_t i = 0; i < FIGURES(figures_assign); i++) {
    const struct figure_assign *f = &figures_assign[i];
    EXPECT_INT(assign_hash(slice_str(f->seed), slice_str(f->key)), f->hash);
    EXPECT_INT(assign_bucket(f->hash, f->total), f->bucket);
    EXPECT_INT(assign_arm(f->hash, f->weights, f->n), f->arm);
  }
}

TEST(golden_ramp)
{
  for (size_t i = 0; i < FIGURES(figures_ramp); i++) {
    const struct figure_ramp *f = &figures_ramp[i];
    uint32_t hash = assign_hash(slice_str(FIGURES_RAMP_SEED), slice_str(f->key));
    EXPECT_INT(hash, f->hash);
    EXPECT_INT(assign_bucket(hash, ASSIGN_TOTAL), f->bucket);
    EXPECT(!assign_is_candidate(hash, f->weight_min - 1));
    EXPECT(assign_is_candidate(hash, f->weight_min));
  }
}

/* The second lot, of the hashes above, by another implementation: it decides which requests a
 * shadow sees, in step with what earlier releases recorded. */
TEST(golden_second_lots)
{
  static const struct {
    uint32_t hash, again, bucket;
  } rows[] = {
      {3009453331u, 1645434347u, 38310753},
      {208329288u, 569325426u, 13255640},
      {3675021175u, 2598848489u, 60509156},
      {4177101611u, 50764024u, 1181942},
      {2560299183u, 1506001085u, 35064320},
      {1353795473u, 818146511u, 19048957},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    EXPECT_INT(assign_again(rows[i].hash), rows[i].again);
    EXPECT_INT(assign_bucket(rows[i].again, ASSIGN_TOTAL), rows[i].bucket);
  }
}

/* Who has the candidate by the first lot is no likelier to be copied by the second. */
TEST(two_lots_are_independent)
{
  enum { USERS = 100000 };
  uint32_t first = 0, second = 0, both = 0;
  for (uint32_t user = 0; user < USERS; user++) {
    char key[32];
    snprintf(key, sizeof key, "user-%" PRIu32, user);
    uint32_t hash = assign_hash(SLICE("fraud/17"), slice_str(key));
    bool a = assign_is_candidate(hash, ASSIGN_TOTAL / 5);
    bool b = assign_is_candidate(assign_again(hash), ASSIGN_TOTAL / 10 * 3);
    first += a, second += b, both += a && b;
  }
  EXPECT(fabs(first - USERS * 0.2) < 4 * sqrt(USERS * 0.2 * 0.8));
  EXPECT(fabs(second - USERS * 0.3) < 4 * sqrt(USERS * 0.3 * 0.7));
  EXPECT(fabs(both - USERS * 0.06) < 4 * sqrt(USERS * 0.06 * 0.94));
}

TEST(where_the_text_is_cut_does_not_matter)
{
  static const char text[] = "model-with-a-long-name/12345and-a-key-\xc3\xa9";
  uint32_t whole = assign_hash(slice_str(text), SLICE_NONE);
  for (size_t cut = 0; cut < sizeof text; cut++) {
    struct slice seed = slice_of(text, cut), key = slice_of(text + cut, sizeof text - 1 - cut);
    EXPECT_INT(assign_hash(seed, key), whole);
  }
}

/* 0 to 100 % in steps of a thousandth: once in the candidate, always in it; shares as weighted. */
TEST(a_ramp_moves_nobody_out)
{
  enum { USERS = 100000, STEPS = 1000 };
  static uint16_t since[USERS];
  static uint32_t inside[STEPS + 1];
  for (uint32_t user = 0; user < USERS; user++) {
    char key[32];
    snprintf(key, sizeof key, "user-%" PRIu32, user);
    uint32_t hash = assign_hash(SLICE("fraud/17"), slice_str(key));
    since[user] = STEPS + 1;
    for (uint32_t step = 0; step <= STEPS; step++) {
      uint32_t weights[2] = {step * (ASSIGN_TOTAL / STEPS), 0};
      weights[1] = ASSIGN_TOTAL - weights[0];
      bool in = assign_is_candidate(hash, weights[0]);
      if (step % 100 == 0) EXPECT(in == (assign_arm(hash, weights, 2) == 0));
      if (in && since[user] > step) since[user] = (uint16_t)step;
      if (!in) EXPECT(since[user] > step);
      inside[step] += in;
    }
    EXPECT(since[user] <= STEPS);
  }
  EXPECT_INT(inside[0], 0);
  EXPECT_INT(inside[STEPS], USERS);
  for (int step = 100; step < STEPS; step += 100) /* four standard deviations */
    EXPECT(fabs((double)inside[step] - USERS / 1000.0 * step) < 4 * sqrt(USERS * 0.25));
}

TEST(weights_that_sum_to_nothing_or_too_much)
{
  uint32_t none[2] = {0, 0}, much[2] = {ASSIGN_TOTAL_MAX, 1}, all[3] = {0, 0, ASSIGN_TOTAL_MAX};
  EXPECT_INT(assign_arm(1, none, 2), 2);
  EXPECT_INT(assign_arm(1, NULL, 0), 0);
  EXPECT_INT(assign_arm(1, much, 2), 2);
  EXPECT_INT(assign_arm(0, all, 3), 2);
  EXPECT_INT(assign_arm(UINT32_MAX, all, 3), 2);
}
