/* pool.c - a stack of indexes over one slab.
 * Thread: its owner's.
 * SPDX-License-Identifier: MIT */
#include "base/pool.h"

#include <string.h>

#include "base/debug.h"
#include "base/err.h"
#include "base/mem.h"

enum { CACHE_LINE = 64 };

void pool_init(struct pool *pool, uint32_t n_max, size_t each)
{
  each = (each + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
  *pool = (struct pool){.n_free = n_max, .n_max = n_max, .each = each};
  pool->all = grab_zero(n_max, each);
  pool->free_stack = grab_zero(n_max, sizeof *pool->free_stack);
  for (uint32_t i = 0; i < n_max; i++) pool->free_stack[i] = n_max - 1 - i;
}

void pool_deinit(struct pool *pool)
{
  ungrab(pool->all);
  ungrab(pool->free_stack);
  *pool = (struct pool){0};
}

void *pool_get(struct pool *pool)
{
  if (pool->n_free == 0 || debug_fails()) return NULL;
  return pool_at(pool, pool->free_stack[--pool->n_free]);
}

void pool_put(struct pool *pool, void *object)
{
  size_t offset = (size_t)((char *)object - pool->all);
  must(offset % pool->each == 0 && offset / pool->each < pool->n_max);
  must(pool->n_free < pool->n_max);
  if (debug_poisons()) memset(object, 0xdd, pool->each);
  pool->free_stack[pool->n_free++] = (uint32_t)(offset / pool->each);
}

void *pool_at(const struct pool *pool, uint32_t i)
{
  must(i < pool->n_max);
  return pool->all + (size_t)i * pool->each;
}
