/* rand.c - seeded chance, and the kernel's.
 * Thread: one per generator.
 * SPDX-License-Identifier: MIT */
#include "base/rand.h"

#include <errno.h>
#include <sys/random.h>

#include "base/err.h"

static uint64_t splitmix(uint64_t *x)
{
  uint64_t z = (*x += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

void rand_seed(struct rand *rand, uint64_t seed)
{
  for (int i = 0; i < 4; i++) rand->s[i] = splitmix(&seed);
}

static uint64_t rotl(uint64_t x, int k) { return x << k | x >> (64 - k); }

uint64_t rand_u64(struct rand *rand)
{
  uint64_t *s = rand->s, result = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;
  s[2] ^= s[0];
  s[3] ^= s[1];
  s[1] ^= s[2];
  s[0] ^= s[3];
  s[2] ^= t;
  s[3] = rotl(s[3], 45);
  return result;
}

double rand_unit(struct rand *rand) { return (double)(rand_u64(rand) >> 11) * 0x1p-53; }

void rand_secret(void *to, size_t bytes)
{
  char *at = to;
  while (bytes > 0) {
    ssize_t got = getrandom(at, bytes, 0);
    if (got < 0 && errno == EINTR) continue;
    must(got > 0);
    at += got;
    bytes -= (size_t)got;
  }
}
