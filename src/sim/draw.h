/* draw.h - whole numbers by chance: how many of many happened, without drawing each.
 * Thread: own; one per generator.
 *
 * All are exact but for the rounding of doubles: inversion where the mean is small, rejection from
 * a shifted ratio of uniforms where it is large. A draw takes 20 to 60 ns whatever its mean.
 * Source: W. Hoermann, "The transformed rejection method for generating Poisson random variables"
 * (1993), and "The generation of binomial random variates" (1993): PTRS and BTRS, own code.
 * SPDX-License-Identifier: MIT */
#ifndef SIM_DRAW_H
#define SIM_DRAW_H

#include "base/rand.h"

/* mean >= 0, at most 1e9. */
uint64_t draw_poisson(struct rand *rand, double mean);
/* Successes in n trials; p outside [0, 1] counts as the nearer end. */
uint64_t draw_binomial(struct rand *rand, uint64_t n, double p);
/* Failures before the first success; p in (0, 1]. */
uint64_t draw_geometric(struct rand *rand, double p);
/* Standard normal, by Marsaglia's polar method. */
double draw_normal(struct rand *rand);
/* Generator of part `part` of a whole that was given `seed`: parts are independent streams. */
void draw_seed(struct rand *rand, uint64_t seed, uint64_t part);

#endif
