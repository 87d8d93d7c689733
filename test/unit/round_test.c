/* round_test.c - tallies of a second: lent by the first, added to by the rest, freed together.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "control/release/round.h"

static struct tally *tally_with(uint32_t slots, uint32_t slot, uint64_t requests, uint32_t releases)
{
  struct tally *tally = tally_new(slots, 2, releases);
  if (slot < slots) {
    struct arm_tally *arm = tally_arm(tally, slot);
    arm->requests = requests;
    arm->total_us.at[7] = (uint32_t)requests;
  }
  return tally;
}

/* As control does: what the round has not taken is the caller's still. */
static void give(struct round *round, struct tally *tally)
{
  if (!round_take(round, tally)) tally_free(tally);
}

TEST(arms_of_all_tallies_are_one)
{
  struct round round;
  round_init(&round);
  give(&round, tally_with(4, 1, 10, 0));
  give(&round, tally_with(4, 1, 5, 0));
  give(&round, tally_with(8, 6, 3, 0)); /* the world has grown */
  struct tally *empty = tally_new(8, 0, 0);
  EXPECT(!round_take(&round, empty) && !round_take(&round, NULL));
  tally_free(empty);
  EXPECT_INT(round_arm(&round, 1)->requests, 15);
  EXPECT_INT(round_arm(&round, 1)->total_us.at[7], 15);
  EXPECT_INT(round_arm(&round, 6)->requests, 3);
  EXPECT(!round_arm(&round, 0) && !round_arm(&round, 99));
  EXPECT_INT(round.n_kept, 2); /* the second lent nothing and is gone */
  round_reset(&round);
  EXPECT(!round_arm(&round, 1) && !round_arm(&round, 6));
  EXPECT_INT(round.n_kept, 0);
  round_deinit(&round);
}

TEST(releases_count_when_they_were_touched)
{
  struct round round;
  round_init(&round);
  for (int i = 0; i < 3; i++) {
    struct tally *tally = tally_with(2, 99, 0, 4);
    tally->releases[2].touched = i > 0;
    tally->releases[2].pairs = 7;
    tally->releases[2].killed = i == 2;
    tally->arms_missed = 1;
    give(&round, tally);
  }
  EXPECT_INT(round_release(&round, 2)->pairs, 14);
  EXPECT(round_release(&round, 2)->killed);
  EXPECT(!round_release(&round, 1) && !round_release(&round, 4));
  EXPECT_INT(round.missed, 3);
  round_forget_arm(&round, 0);
  round_forget_arm(&round, 1);
  round_forget_release(&round, 2);
  EXPECT(!round_release(&round, 2));
  round_deinit(&round);
}
