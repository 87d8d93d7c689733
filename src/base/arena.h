/* arena.h - memory that is emptied in one stroke: a call's, a world's, a command's.
 * Thread: one at a time (whoever holds the thing the arena belongs to).
 * Invariant: an arena never holds more than its cap, so a hostile body becomes an error and not an
 * out-of-memory. Pointers stay valid until reset; nothing is freed singly.
 * Blocks come from a source. The default one is the heap; loops give their own (net/blocks.h),
 * which keeps blocks, so that a warm request path never calls malloc.
 * SPDX-License-Identifier: MIT */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/err.h"
#include "base/slice.h"

struct arena_block;

/* Where blocks come from. get may round *bytes up, never down; NULL means "none left". */
struct arena_source {
  void *(*get)(struct arena_source *self, size_t *bytes);
  void (*put)(struct arena_source *self, void *block, size_t bytes);
};

struct arena {
  struct arena_block *blocks; /* newest first */
  char *at, *end;             /* free part of the newest block */
  size_t held, max;           /* bytes of all blocks; cap */
  struct arena_source *source;
  bool zeroes; /* whatever arena_get hands out is zeroed: who gets it may show more than it wrote */
};

/* source NULL: the heap. No block is taken before the first get. */
void arena_init(struct arena *arena, size_t max, struct arena_source *source);
/* Gives back all blocks but the newest, which is kept for the next use. */
void arena_reset(struct arena *arena);
/* Gives back everything. */
void arena_deinit(struct arena *arena);

/* The first block, of an arena that has none yet: what is to come is known to take about so many. A
 * block after it is twice as large. False past the cap. */
bool arena_room(struct arena *arena, size_t bytes);
/* bytes, aligned to 16, uninitialised but where the arena zeroes; NULL past the cap (callers answer
 * E_OUT_OF_MEMORY). */
void *arena_get(struct arena *arena, size_t bytes);
/* n * each, zeroed, overflow-checked; NULL past the cap. */
void *arena_zero(struct arena *arena, size_t n, size_t each);
/* Lengthens the newest allocation `p` in place when the block has room, else moves it. */
void *arena_grow(struct arena *arena, void *p, size_t old_bytes, size_t new_bytes);
/* A copy of s; at is NULL past the cap. The copy is followed by a NUL that len does not count. */
struct slice arena_copy(struct arena *arena, struct slice s);
/* A formatted string, NUL-terminated; NULL past the cap. */
char *arena_print(struct arena *arena, const char *fmt, ...) PRINTF(2, 3);
size_t arena_held(const struct arena *arena);

#endif
