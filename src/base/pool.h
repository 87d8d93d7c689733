/* pool.h - a fixed number of equal objects, made at birth, handed out and taken back.
 * Thread: one (its owner's). Sized from a limit; when empty, `pool_get` says NULL and the caller
 * refuses (503) instead of queueing.
 * Debug mode (SLIPWAY_DEBUG=poison,fail=1/N,seed=S): objects are filled with 0xdd on put, and every
 * N-th get fails at random (base/debug.h).
 * SPDX-License-Identifier: MIT */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <stddef.h>
#include <stdint.h>

struct pool {
  char *all;
  uint32_t *free_stack;
  uint32_t n_free, n_max;
  size_t each; /* rounded up to a cache line */
};

void pool_init(struct pool *pool, uint32_t n_max, size_t each); /* objects zeroed once, here */
void pool_deinit(struct pool *pool);
void *pool_get(struct pool *pool); /* contents as put back (or poisoned); NULL: none left */
void pool_put(struct pool *pool, void *object);
/* The i-th object, in use or not: for walking all of them. */
void *pool_at(const struct pool *pool, uint32_t i);

#endif
