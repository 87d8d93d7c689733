/* arm.h - the arms of a release: how they are numbered, and what they are called.
 * Thread: any, pure.
 * One numbering for plans, looks, verdicts, worlds, tallies, flags and stored predictions, so that
 * a number may cross from any of them to any other. The candidate is 0 and the stable version 1;
 * further candidates are appended from 2 on. Arms never move within a release, and a stored number
 * never changes its meaning.
 * Source: release features, section 6.
 * SPDX-License-Identifier: MIT */
#ifndef STAT_ARM_H
#define STAT_ARM_H

#include "base/slice.h"

enum { ARM_CANDIDATE, ARM_STABLE, ARM_MORE, ARMS_MAX = 8 };
#define ARM_NONE UINT32_MAX
/* Sets of arms are bits: ARM_BIT(ARM_CANDIDATE) is 1. */
#define ARM_BIT(arm) (UINT32_C(1) << (arm))

/* "candidate", "stable", "candidate-2" to "candidate-7": what headers, flags, status and sentences
 * say, and what clients may ask for. arm < ARMS_MAX. */
const char *arm_name(uint32_t arm);
/* Which arm is called so; false: none. */
bool arm_named(struct slice name, uint32_t *arm);

#endif
