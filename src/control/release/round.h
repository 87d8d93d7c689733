/* round.h - what the loops saw since the judge looked last, by version slot and by release slot.
 * Thread: control.
 *
 * Tallies come home at least once a second, more often when somebody asks for numbers, later from a
 * loop that is silent; the judge takes a second's worth of what is home. The first tally that has
 * an arm lends it (nothing is copied), others are added to it; a tally that has lent something lies
 * here until the judge is done.
 * SPDX-License-Identifier: MIT */
#ifndef CONTROL_RELEASE_ROUND_H
#define CONTROL_RELEASE_ROUND_H

#include "world/tally.h"

struct round {
  struct arm_tally **arms; /* by slot; NULL: no answer */
  struct release_tally **releases;
  uint32_t arms_cap, releases_cap;
  struct tally **kept;
  uint32_t n_kept, kept_cap;
  uint64_t missed;    /* answers no tally had room for */
  uint32_t arms_most; /* used in one tally */
};

void round_init(struct round *round);
void round_deinit(struct round *round);
/* True: the tally is taken, for something is lent from it until the next reset. Else it is the
 * caller's still, with nothing in it that the round needs; NULL, too. */
bool round_take(struct round *round, struct tally *tally);
const struct arm_tally *round_arm(const struct round *round, uint32_t slot); /* NULL: none */
const struct release_tally *round_release(const struct round *round, uint32_t slot);
/* What is there of this slot is not counted. */
void round_forget_arm(struct round *round, uint32_t slot);
void round_forget_release(struct round *round, uint32_t slot);
/* The judge has looked. */
void round_reset(struct round *round);

#endif
