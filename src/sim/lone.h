/* lone.h - one statistic on chance of its own, where no whole release is needed.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#ifndef SIM_LONE_H
#define SIM_LONE_H

#include "sim/draw.h"
#include "stat/count.h"

#define LONE_NEVER UINT64_MAX

struct lone_row {
  double p0, ratio, rps, share; /* event probability of stable; the candidate's is ratio times it */
  uint32_t onset_s, seconds_max;
  double alpha;
};
/* The restarted process alone on one row of events, no margin, no cap, phi 1: seconds from the
 * change until it says harm. LONE_NEVER within seconds_max after it; 0: before the change. */
uint64_t lone_restarted(struct rand *rand, const struct lone_row *row);

/* Sample ratio, looked at each 1,000 units: units until flagged. The share should be p and is
 * p_true. */
uint64_t lone_ratio(struct rand *rand, double p_true, double p, uint64_t units_max, double alpha);

/* Agreement of labels, looked at after each pair (evidence of harm rises with a disagreeing pair
 * alone, so it is asked for there): pairs until harm. */
uint64_t lone_agree(struct rand *rand, double p_true, double limit, uint64_t pairs_max,
                    double alpha);

/* Assignment over a ramp 0 .. 100 % in 1,000 steps, then by the finest step: how many of so many
 * units were ever moved out of the candidate, and how many lay in it against their weight by more
 * than chance (4 sigma) allows. Both are 0 when all is well. */
struct lone_ramp {
  uint64_t moved, steps_off;
  double finest; /* share of the smallest weight */
};
struct lone_ramp lone_ramp(uint32_t users, uint32_t steps);

#endif
