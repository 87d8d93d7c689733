/* arm_test.c - evidence of several loops adds up to the same in any order.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "base/mem.h"
#include "base/rand.h"
#include "world/arm.h"

static const char *const names[] = {"ham", "spam", "eggs", "",
                                    "a label that is far too long to be kept"};

/* What one loop may have seen, by lot. */
static struct release_tally *made(struct rand *rand, uint32_t n_flips)
{
  struct release_tally *tally = grab_zero(1, sizeof *tally);
  tally->touched = true;
  tally->keyless = rand_u64(rand) % 10;
  for (int i = 0; i < ARMS_MAX; i++) tally->assigned[i] = rand_u64(rand) % 100;
  for (uint32_t i = 0; i < n_flips; i++) {
    uint64_t from = rand_u64(rand) % 5, to = rand_u64(rand) % 5;
    flips_count(&tally->flips, slice_str(names[from]), slice_str(names[to]));
    tally->agree[from == to ? 0 : 64]++;
    tally->pairs++;
  }
  tally->n_worst = 2;
  for (uint32_t i = 0; i < 2; i++) tally->worst[i].apart = (uint8_t)(rand_u64(rand) % 65);
  for (int i = 0; i < 3; i++) {
    tally->segments[i].hash = 1 + rand_u64(rand) % 5;
    tally->segments[i].requests[ARM_CANDIDATE] = 1;
  }
  return tally;
}

static uint64_t flips(const struct release_tally *tally, const char *from, const char *to)
{
  const struct flips *flips = &tally->flips;
  uint64_t sum = 0;
  for (uint32_t i = 0; i < flips->n_labels; i++)
    for (uint32_t k = 0; k < flips->n_labels; k++)
      if (slice_eq(slice_of(flips->labels[i].at, flips->labels[i].len), slice_str(from)) &&
          slice_eq(slice_of(flips->labels[k].at, flips->labels[k].len), slice_str(to)))
        sum += flips->at[i][k];
  return sum;
}

static uint64_t segment(const struct release_tally *tally, uint64_t hash)
{
  uint64_t sum = 0;
  for (int i = 0; i < SEGMENTS_MAX; i++)
    if (tally->segments[i].hash == hash) sum += tally->segments[i].requests[ARM_CANDIDATE];
  return sum;
}

TEST(flips_segments_and_counts_add_up_in_any_order)
{
  struct rand rand;
  rand_seed(&rand, 3);
  for (int round = 0; round < 50; round++) {
    struct release_tally *loops[3], *one = grab_zero(1, sizeof *one),
                                    *two = grab_zero(1, sizeof *two);
    for (int i = 0; i < 3; i++) loops[i] = made(&rand, 20);
    for (int i = 0; i < 3; i++) release_tally_merge(one, loops[i]);
    release_tally_merge(two, loops[2]);
    struct release_tally *both = grab_zero(1, sizeof *both);
    release_tally_merge(both, loops[1]);
    release_tally_merge(both, loops[0]);
    release_tally_merge(two, both);
    EXPECT_INT(one->pairs, 60);
    EXPECT_INT(one->pairs, two->pairs);
    EXPECT_INT(one->keyless, two->keyless);
    EXPECT(memcmp(one->assigned, two->assigned, sizeof one->assigned) == 0);
    EXPECT(memcmp(one->agree, two->agree, sizeof one->agree) == 0);
    for (int i = 0; i < 4; i++)
      for (int k = 0; k < 4; k++)
        EXPECT_INT(flips(one, names[i], names[k]), flips(two, names[i], names[k]));
    for (uint64_t hash = 1; hash <= 5; hash++) EXPECT_INT(segment(one, hash), segment(two, hash));
    for (int i = 0; i < 3; i++) ungrab(loops[i]);
    ungrab(one);
    ungrab(two);
    ungrab(both);
  }
}

TEST(more_labels_than_rows_are_the_others)
{
  struct flips flips = {0};
  char name[8];
  for (int i = 0; i < 40; i++) {
    snprintf(name, sizeof name, "l%d", i);
    flips_count(&flips, slice_str(name), slice_str(name));
  }
  flips_count(&flips, SLICE("l3"), SLICE("l39"));
  EXPECT_INT(flips.n_labels, LABELS_KEPT - 1);
  EXPECT_INT(flips.at[3][3], 1);
  EXPECT_INT(flips.at[3][LABELS_KEPT - 1], 1);
  EXPECT_INT(flips.at[LABELS_KEPT - 1][LABELS_KEPT - 1], 40 - (LABELS_KEPT - 1));
}

TEST(the_pairs_furthest_apart_are_kept)
{
  struct release_tally *into = grab_zero(1, sizeof *into), *from = grab_zero(1, sizeof *from);
  from->touched = true;
  for (uint8_t i = 1; i <= 12; i++) {
    from->n_worst = 1;
    from->worst[0].apart = (uint8_t)(i * 5 % 13);
    release_tally_merge(into, from);
  }
  EXPECT_INT(into->n_worst, PAIRS_KEPT);
  int sum = 0;
  for (int i = 0; i < PAIRS_KEPT; i++) sum += into->worst[i].apart;
  EXPECT_INT(sum, 12 + 11 + 10 + 9);
  ungrab(into);
  ungrab(from);
}

TEST(memory_is_the_least_between_runs_and_the_most_inside)
{
  struct memory_tally memory = {0};
  memory_tally_add(&memory, 0, 0); /* not measured */
  EXPECT(memory.steady_bytes == 0 && memory.peak_bytes == 0);
  memory_tally_add(&memory, 500, 900);
  memory_tally_add(&memory, 400, 700);
  memory_tally_add(&memory, 600, 800);
  memory_tally_add(&memory, 0, 0);
  EXPECT_INT(memory.steady_bytes, 400);
  EXPECT_INT(memory.peak_bytes, 900);
}
