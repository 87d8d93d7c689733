/* lay_int.h - copies into the arena of something that is being sealed. Inside the world room only.
 * Thread: control. Never fail but for WORLD_BYTES_MAX: then control's limits are wrong.
 * SPDX-License-Identifier: MIT */
#ifndef WORLD_LAY_INT_H
#define WORLD_LAY_INT_H

#include "base/arena.h"
#include "base/quota.h"

static inline void *lay_zero(struct arena *arena, size_t n, size_t each)
{
  void *p = arena_zero(arena, n, each);
  must(p);
  return p;
}

static inline struct slice lay_text(struct arena *arena, struct slice text)
{
  if (!text.len) return SLICE_NONE;
  struct slice copy = arena_copy(arena, text);
  must(copy.at);
  return copy;
}

static inline struct quotas *lay_quotas(struct arena *arena, const struct quotas *from)
{
  if (!from) return NULL;
  struct quotas *to = lay_zero(arena, 1, sizeof *to);
  *to = *from;
  return to;
}

/* What these take of an arena. */
static inline size_t lay_bytes(size_t bytes) { return bytes ? (bytes + 15) & ~(size_t)15 : 16; }
static inline size_t lay_text_bytes(struct slice text)
{
  return text.len ? lay_bytes(text.len + 1) : 0;
}

#endif
