/* tally_test.c - merging loses nothing and does not care about order, nor do surplus batch sizes.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "base/rand.h"
#include "world/tally.h"

static void fill(struct tally *tally, struct rand *rand)
{
  tally->requests = rand_u64(rand) % 1000;
  tally->by_status[2] = rand_u64(rand) % 1000;
  tally->refused[E_OVERLOADED] = rand_u64(rand) % 1000;
  for (uint32_t i = 0; i < tally->n_slots; i++) {
    struct version_tally *v = tally_slot(tally, i);
    v->success = (struct span){rand_u64(rand) % 100, rand_u64(rand) % 100000};
    v->rows = rand_u64(rand) % 100;
    v->failed[FAIL_BACKEND] = rand_u64(rand) % 10;
    v->last_wall_ms = (int64_t)(rand_u64(rand) % 10000);
    for (int k = 0; k < 30; k++) {
      struct batch_tally *b = version_tally_batch(v, 1 + rand_u64(rand) % 40);
      b->infer.count++;
      b->infer.ns += rand_u64(rand) % 1000;
    }
    for (int k = 0; k < 50; k++) hist_add(&v->total_us, rand_u64(rand) % 100000);
  }
}

/* Everything but the pointer to the marks, which are told by the slots. */
static bool same(const struct tally *a, const struct tally *b)
{
  return memcmp(a, b, offsetof(struct tally, marks)) == 0 &&
         memcmp(a->slots, b->slots, a->n_slots * sizeof(struct version_tally)) == 0;
}

TEST(merging_is_associative_and_commutative)
{
  for (uint64_t seed = 1; seed <= 50; seed++) {
    struct rand rand;
    rand_seed(&rand, seed);
    struct tally *a = tally_new(2, 0, 0), *b = tally_new(1, 0, 0), *c = tally_new(2, 0, 0);
    struct tally *left = tally_new(2, 0, 0), *right = tally_new(2, 0, 0), *bc = tally_new(2, 0, 0);
    fill(a, &rand), fill(b, &rand), fill(c, &rand);
    tally_merge(left, a), tally_merge(left, b), tally_merge(left, c);
    tally_merge(bc, c), tally_merge(bc, b);
    tally_merge(right, bc), tally_merge(right, a);
    EXPECT(same(left, right));
    uint64_t runs = 0, want = 0;
    for (int i = 0; i < TALLY_BATCH_SIZES; i++) runs += left->slots[0].batches[i].infer.count;
    for (int i = 0; i < TALLY_BATCH_SIZES; i++)
      want += a->slots[0].batches[i].infer.count + b->slots[0].batches[i].infer.count +
              c->slots[0].batches[i].infer.count;
    EXPECT_INT(runs, want);
    EXPECT_INT(runs, 90);
    tally_free(a), tally_free(b), tally_free(c);
    tally_free(left), tally_free(right), tally_free(bc);
  }
}

TEST(a_slot_in_any_place_is_added_and_no_other)
{
  for (uint32_t at = 0; at < 200; at += 7) {
    struct tally *from = tally_new(200, 0, 0), *into = tally_new(256, 0, 0);
    tally_slot(from, at)->rows = 5;
    tally_slot(from, 199)->rows += 2;
    tally_merge(into, from);
    for (uint32_t i = 0; i < 256; i++)
      EXPECT_INT(into->slots[i].rows, (i == at ? 5 : 0) + (i == 199 ? 2 : 0));
    tally_free(from), tally_free(into);
  }
}

TEST(batch_sizes_stay_sorted_and_the_rest_is_summed)
{
  struct tally *tally = tally_new(1, 0, 0);
  struct version_tally *v = &tally->slots[0];
  for (uint64_t rows = 40; rows >= 1; rows--) version_tally_batch(v, rows)->infer.count++;
  for (int i = 0; i < TALLY_BATCH_SIZES - 1; i++) {
    EXPECT_INT(v->batches[i].rows, i + 1);
    EXPECT_INT(v->batches[i].infer.count, 1);
  }
  EXPECT(v->batches[TALLY_BATCH_SIZES - 1].rows == TALLY_BATCH_REST);
  EXPECT_INT(v->batches[TALLY_BATCH_SIZES - 1].infer.count, 25);
  tally_free(tally);
}

TEST(a_tally_that_was_reset_is_as_new)
{
  struct rand rand;
  struct tally *tally = tally_new(70, 2, 1);
  struct tally *sum = tally_new(70, 0, 0), *nothing = tally_new(70, 0, 0);
  rand_seed(&rand, 5);
  tally_predictions(tally, 8);
  fill(tally, &rand);
  struct arm_tally *arm = tally_arm(tally, 69), none;
  memset(&none, 0, sizeof none);
  memset(arm, 1, sizeof *arm);
  tally->releases[0].touched = true;
  tally_reset(tally);
  tally_merge(sum, tally);
  EXPECT(same(sum, nothing));
  EXPECT(!tally->predictions && !tally->predictions_cap && !tally->releases[0].touched);
  EXPECT(tally->pool_used == 0 && tally->pool_cap == 2 && !tally->arms[69] && !tally->marks[1]);
  arm = tally_arm(tally, 3);
  EXPECT(arm && memcmp(arm, &none, sizeof none) == 0);
  tally_free(tally);
  tally_free(sum);
  tally_free(nothing);
}

TEST(of_failures_of_redis_the_last_one_is_told)
{
  struct far_tally early = {.failures = 1, .failed_us = 5, .why = "early", .said = "A"};
  struct far_tally late = {.failures = 1, .failed_us = 9, .why = "late", .said = "B"};
  struct far_tally sum = {.hits = 0}, other = {.hits = 0}, none = {.hits = 3};
  far_tally_merge(&sum, &early), far_tally_merge(&sum, &late), far_tally_merge(&sum, &none);
  far_tally_merge(&other, &none), far_tally_merge(&other, &late), far_tally_merge(&other, &early);
  EXPECT(memcmp(&sum, &other, sizeof sum) == 0);
  EXPECT_INT(sum.failed_us, 9);
  EXPECT(strcmp(sum.why, "late") == 0 && strcmp(sum.said, "B") == 0);
  EXPECT_INT(sum.failures, 2);
}

static void asked(struct arm_tally *arm, uint32_t n, float who)
{
  for (uint32_t i = 0; i < n && i < FEATURES_KEPT; i++) arm->features[i][0] = who;
  arm->n_features = n;
}

TEST(each_loop_has_its_part_of_the_requests_kept)
{
  static struct arm_tally a, b, c;
  asked(&a, 5, 1), asked(&b, 7, 2);
  arm_tally_merge(&a, &b); /* all of few */
  EXPECT_INT(a.n_features, 12);
  for (int i = 0; i < 12; i++) EXPECT(a.features[i][0] == (i < 5 ? 1.0f : 2.0f));
  asked(&a, 300, 1), asked(&b, 100, 2), asked(&c, 400, 3);
  arm_tally_merge(&a, &b);
  arm_tally_merge(&a, &c);
  int of[4] = {0};
  for (int i = 0; i < FEATURES_KEPT; i++) of[(int)a.features[i][0]]++;
  EXPECT_INT(of[1], 6);
  EXPECT_INT(of[2], 2);
  EXPECT_INT(of[3], 8);
  for (uint32_t n = 0; n < 40; n++)
    for (uint32_t m = 0; m < 40; m++) { /* no row is lost, none is made up */
      memset(a.features, 0, sizeof a.features), memset(b.features, 0, sizeof b.features);
      asked(&a, n, 1), asked(&b, m, 2);
      arm_tally_merge(&a, &b);
      for (uint32_t i = 0; i < FEATURES_KEPT; i++) EXPECT((a.features[i][0] > 0) == (i < n + m));
    }
}
