/* rand.h - chance is a parameter: whoever needs it is given a seeded generator. Only rand.c reads
 * entropy from the kernel.
 * Thread: one per generator.
 * Source: xoshiro256** by D. Blackman and S. Vigna (2018), seeded with splitmix64. Not for secrets.
 * SPDX-License-Identifier: MIT */
#ifndef BASE_RAND_H
#define BASE_RAND_H

#include <stddef.h>
#include <stdint.h>

struct rand {
  uint64_t s[4];
};

void rand_seed(struct rand *rand, uint64_t seed);
uint64_t rand_u64(struct rand *rand);
double rand_unit(struct rand *rand); /* [0, 1), 53 bits */
/* A wait times this is a fifth more or less: who was sent away together does not come back
 * together. chance: of rand_unit. */
static inline double rand_fifth(double chance) { return 0.8 + 0.4 * chance; }
/* Kernel entropy, fit for secrets; crashes when the kernel has none. */
void rand_secret(void *to, size_t bytes);

#endif
