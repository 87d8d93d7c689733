/* arena.c - bump allocation in blocks that double, up to a cap.
 * Thread: one at a time.
 * SPDX-License-Identifier: MIT */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"

enum { ARENA_ALIGN = 16, ARENA_FIRST = 8 << 10, ARENA_DOUBLE_MAX = 1 << 20 };

struct arena_block {
  struct arena_block *older;
  size_t bytes; /* whole block, this head included */
};
_Static_assert(sizeof(struct arena_block) % ARENA_ALIGN == 0, "the first allocation is aligned");

static void *heap_get(struct arena_source *self, size_t *bytes)
{
  (void)self;
  return grab(*bytes);
}

static void heap_put(struct arena_source *self, void *block, size_t bytes)
{
  (void)self;
  (void)bytes;
  ungrab(block);
}

static struct arena_source heap_source = {heap_get, heap_put};

void arena_init(struct arena *arena, size_t max, struct arena_source *source)
{
  *arena = (struct arena){.max = max, .source = source ? source : &heap_source};
}

static void block_drop(struct arena *arena, struct arena_block *block)
{
  arena->held -= block->bytes;
  arena->source->put(arena->source, block, block->bytes);
}

void arena_reset(struct arena *arena)
{
  struct arena_block *keep = arena->blocks;
  if (!keep) return;
  while (keep->older) {
    struct arena_block *older = keep->older;
    keep->older = older->older;
    block_drop(arena, older);
  }
  arena->at = (char *)(keep + 1);
  arena->end = (char *)keep + keep->bytes;
}

void arena_deinit(struct arena *arena)
{
  while (arena->blocks) {
    struct arena_block *block = arena->blocks;
    arena->blocks = block->older;
    block_drop(arena, block);
  }
  arena->at = arena->end = NULL;
}

static bool block_take(struct arena *arena, size_t want)
{
  if (want > arena->max - arena->held) return false;
  struct arena_block *block = arena->source->get(arena->source, &want);
  if (!block) return false;
  block->older = arena->blocks;
  block->bytes = want;
  arena->blocks = block;
  arena->held += want;
  arena->at = (char *)(block + 1);
  arena->end = (char *)block + want;
  return true;
}

static bool block_add(struct arena *arena, size_t need)
{
  size_t want = ARENA_FIRST;
  if (arena->blocks) want = arena->blocks->bytes * 2;
  if (want > ARENA_DOUBLE_MAX) want = ARENA_DOUBLE_MAX;
  if (want < need + sizeof(struct arena_block)) want = need + sizeof(struct arena_block);
  if (want > arena->max - arena->held) want = need + sizeof(struct arena_block);
  return block_take(arena, want);
}

bool arena_room(struct arena *arena, size_t bytes)
{
  must(!arena->blocks);
  return bytes <= arena->max && block_take(arena, bytes + sizeof(struct arena_block));
}

void *arena_get(struct arena *arena, size_t bytes)
{
  if (bytes > arena->max) return NULL;
  if (bytes == 0) bytes = 1; /* NULL means "past the cap" and nothing else */
  size_t need = (bytes + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
  if ((size_t)(arena->end - arena->at) < need && !block_add(arena, need)) return NULL;
  void *p = arena->at;
  arena->at += need;
  if (arena->zeroes) memset(p, 0, need);
  return p;
}

void *arena_zero(struct arena *arena, size_t n, size_t each)
{
  size_t bytes;
  if (__builtin_mul_overflow(n, each, &bytes)) return NULL;
  void *p = arena_get(arena, bytes);
  if (p) memset(p, 0, bytes);
  return p;
}

void *arena_grow(struct arena *arena, void *p, size_t old_bytes, size_t new_bytes)
{
  must(new_bytes >= old_bytes);
  size_t old_need = (old_bytes + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
  if (p && (char *)p + old_need == arena->at && new_bytes <= (size_t)(arena->end - (char *)p)) {
    size_t need = (new_bytes + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    if (need <= (size_t)(arena->end - (char *)p)) {
      if (arena->zeroes) memset((char *)p + old_bytes, 0, need - old_bytes);
      arena->at = (char *)p + need;
      return p;
    }
  }
  void *moved = arena_get(arena, new_bytes);
  if (moved && p) memcpy(moved, p, old_bytes);
  return moved;
}

struct slice arena_copy(struct arena *arena, struct slice s)
{
  char *copy = arena_get(arena, s.len + 1);
  if (!copy) return SLICE_NONE;
  if (s.len) memcpy(copy, s.at, s.len);
  copy[s.len] = '\0';
  return (struct slice){copy, s.len};
}

char *arena_print(struct arena *arena, const char *fmt, ...)
{
  va_list args, again;
  va_start(args, fmt);
  va_copy(again, args);
  int len = vsnprintf(NULL, 0, fmt, args);
  va_end(args);
  char *text = len < 0 ? NULL : arena_get(arena, (size_t)len + 1);
  if (text) vsnprintf(text, (size_t)len + 1, fmt, again);
  va_end(again);
  return text;
}

size_t arena_held(const struct arena *arena) { return arena->held; }
