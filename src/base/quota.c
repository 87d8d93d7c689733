/* quota.c - bytes counted against a maximum.
 * Thread: any.
 * SPDX-License-Identifier: MIT */
#include "base/quota.h"

#include "base/mem.h"

static void *heap_get(struct arena_source *self, size_t *bytes)
{
  return quota_take((struct quota *)(void *)self, *bytes) ? grab(*bytes) : NULL;
}

static void heap_put(struct arena_source *self, void *block, size_t bytes)
{
  quota_give((struct quota *)(void *)self, bytes);
  ungrab(block);
}

_Static_assert(offsetof(struct quota, heap) == 0, "a source is its quota");

void quota_init(struct quota *quota, uint64_t max)
{
  quota->heap = (struct arena_source){heap_get, heap_put};
  atomic_init(&quota->held, 0);
  quota->max = max;
}

bool quota_take(struct quota *quota, uint64_t bytes)
{
  if (bytes > quota->max) return false;
  uint64_t held = atomic_fetch_add_explicit(&quota->held, bytes, memory_order_relaxed);
  if (held <= quota->max - bytes) return true;
  quota_give(quota, bytes);
  return false;
}

void quota_take_beyond(struct quota *quota, uint64_t bytes)
{
  atomic_fetch_add_explicit(&quota->held, bytes, memory_order_relaxed);
}

void quota_give(struct quota *quota, uint64_t bytes)
{
  uint64_t held = atomic_fetch_sub_explicit(&quota->held, bytes, memory_order_relaxed);
  must(held >= bytes);
}

uint64_t quota_held(const struct quota *quota)
{
  return atomic_load_explicit(&quota->held, memory_order_relaxed);
}
