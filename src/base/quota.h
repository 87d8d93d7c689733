/* quota.h - so many bytes and no more, for everything that several threads take for one owner.
 * Thread: any. A take is one atomic addition; two at once near the maximum may both be refused.
 * SPDX-License-Identifier: MIT */
#ifndef BASE_QUOTA_H
#define BASE_QUOTA_H

#include <stdatomic.h>

#include "base/arena.h"

struct quota {
  struct arena_source heap; /* heap blocks, charged: give this to arena_init; the first member */
  _Atomic uint64_t held;
  uint64_t max;
};

void quota_init(struct quota *quota, uint64_t max);
bool quota_take(struct quota *quota, uint64_t bytes);
/* For what its owner has bounded in another way: always taken, past the maximum too. */
void quota_take_beyond(struct quota *quota, uint64_t bytes);
void quota_give(struct quota *quota, uint64_t bytes);
uint64_t quota_held(const struct quota *quota);

#endif
