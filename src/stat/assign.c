/* assign.c - murmur3-32 over two slices as if they were one text.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "stat/assign.h"

static uint32_t rotated(uint32_t x, int by) { return x << by | x >> (32 - by); }

static uint32_t scrambled(uint32_t block) { return rotated(block * 0xcc9e2d51u, 15) * 0x1b873593u; }

/* A text that comes in pieces: what is mixed in so far, and the bytes of a block not yet full. */
struct murmur {
  uint32_t hash, open, len;
};

static void murmur_block(struct murmur *murmur, uint32_t block)
{
  murmur->hash = rotated(murmur->hash ^ scrambled(block), 13) * 5 + 0xe6546b64u;
}

static void murmur_byte(struct murmur *murmur, unsigned char byte)
{
  murmur->open |= (uint32_t)byte << (murmur->len % 4 * 8);
  if (++murmur->len % 4) return;
  murmur_block(murmur, murmur->open);
  murmur->open = 0;
}

static void murmur_add(struct murmur *murmur, struct slice text)
{
  const unsigned char *at = (const unsigned char *)text.at, *end = at + text.len;
  while (at != end && murmur->len % 4) murmur_byte(murmur, *at++);
  for (; end - at >= 4; at += 4, murmur->len += 4)
    murmur_block(murmur,
                 at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24);
  while (at != end) murmur_byte(murmur, *at++);
}

/* murmur3's last mixing. */
static uint32_t finished(uint32_t h)
{
  h = (h ^ h >> 16) * 0x85ebca6bu;
  h = (h ^ h >> 13) * 0xc2b2ae35u;
  return h ^ h >> 16;
}

uint32_t assign_hash(struct slice seed, struct slice key)
{
  struct murmur murmur = {0};
  if (seed.len) murmur_add(&murmur, seed);
  if (key.len) murmur_add(&murmur, key);
  uint32_t h = murmur.hash;
  if (murmur.len % 4) h ^= scrambled(murmur.open);
  return finished(h ^ murmur.len);
}

uint32_t assign_again(uint32_t hash) { return finished(hash ^ 0x5bd1e995u); }

uint32_t assign_arm(uint32_t hash, const uint32_t *weights, uint32_t n)
{
  uint64_t total = 0, sum = 0;
  for (uint32_t i = 0; i < n; i++) total += weights[i];
  if (total == 0 || total > ASSIGN_TOTAL_MAX) return n;
  uint32_t bucket = assign_bucket(hash, (uint32_t)total);
  for (uint32_t i = 0; i < n; i++) {
    sum += weights[i];
    if (bucket < sum) return i;
  }
  return n;
}
