/* blocks.c - a loop's cache of arena blocks.
 * Thread: its loop.
 * SPDX-License-Identifier: MIT */
#include "net/blocks.h"

#include <sys/mman.h>

#include "base/debug.h"
#include "base/mem.h"

/* Mean mode: bytes of a block that rests are poison, to readers and to AddressSanitizer. */
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#define REST_HIDE(block, bytes) __asan_poison_memory_region(block, bytes)
#define REST_SHOW(block, bytes) __asan_unpoison_memory_region(block, bytes)
#else
#define REST_HIDE(block, bytes) ((void)(block), (void)(bytes))
#define REST_SHOW(block, bytes) ((void)(block), (void)(bytes))
#endif

struct block_rest {
  struct block_rest *next;
};

static void *source_get(struct arena_source *self, size_t *bytes)
{
  return blocks_get((struct blocks *)(void *)self, bytes);
}

static void source_put(struct arena_source *self, void *block, size_t bytes)
{
  blocks_put((struct blocks *)(void *)self, block, bytes);
}

_Static_assert(offsetof(struct blocks, source) == 0, "a source is its blocks");

void blocks_init(struct blocks *blocks, uint64_t kept_max, struct ration *ration)
{
  *blocks =
      (struct blocks){.source = {source_get, source_put}, .kept_max = kept_max, .ration = ration};
}

/* Class c holds 2^(13 + c/4) * (4 + c%4) / 4 bytes. */
static size_t class_bytes(unsigned c)
{
  return ((size_t)1 << (BLOCKS_SHIFT_MIN - 2 + c / 4)) * (4 + c % 4);
}

static unsigned class_of(size_t bytes)
{
  if (bytes <= class_bytes(0)) return 0;
  unsigned top = 63u - (unsigned)__builtin_clzll(bytes - 1); /* 2^top < bytes <= 2^(top+1) */
  unsigned quarter = (unsigned)((bytes - 1) >> (top - 2)) & 3u;
  return 4 * (top - BLOCKS_SHIFT_MIN) + quarter + 1;
}

static void *block_map(size_t bytes)
{
  if (bytes < BLOCKS_MAP_MIN) return grab(bytes);
  void *block = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return block == MAP_FAILED ? NULL : block;
}

static void block_unmake(struct blocks *blocks, void *block, size_t bytes)
{
  if (blocks->ration) ration_give(blocks->ration, bytes);
  if (bytes < BLOCKS_MAP_MIN)
    ungrab(block);
  else
    must(munmap(block, bytes) == 0);
}

static void class_drop(struct blocks *blocks, unsigned c, uint32_t n)
{
  for (; n > 0; n--) {
    struct block_rest *block = blocks->rest[c];
    REST_SHOW(block, class_bytes(c));
    blocks->rest[c] = block->next;
    blocks->n_rest[c]--;
    blocks->kept -= class_bytes(c);
    block_unmake(blocks, block, class_bytes(c));
  }
}

static void rest_drop(struct blocks *blocks)
{
  for (unsigned c = 0; c < BLOCKS_CLASSES; c++) {
    class_drop(blocks, c, blocks->n_rest[c]);
    blocks->low[c] = 0;
  }
}

static bool block_charge(struct blocks *blocks, size_t bytes, bool beyond)
{
  if (!blocks->ration || ration_take(blocks->ration, bytes)) return true;
  rest_drop(blocks); /* of other sizes than the one that is asked for */
  if (ration_take(blocks->ration, bytes)) return true;
  if (beyond) ration_take_beyond(blocks->ration, bytes);
  return beyond;
}

static void *block_make(struct blocks *blocks, size_t bytes, bool beyond)
{
  if (!block_charge(blocks, bytes, beyond)) return NULL;
  void *block = block_map(bytes);
  if (block) blocks->made++;
  else if (blocks->ration) ration_give(blocks->ration, bytes);
  return block;
}

static void *block_get(struct blocks *blocks, size_t *bytes, bool beyond)
{
  unsigned c = class_of(*bytes);
  if (c >= BLOCKS_CLASSES) return NULL;
  *bytes = class_bytes(c);
  struct block_rest *block = blocks->rest[c];
  if (block) {
    REST_SHOW(block, *bytes);
    blocks->rest[c] = block->next;
    if (--blocks->n_rest[c] < blocks->low[c]) blocks->low[c] = blocks->n_rest[c];
    blocks->kept -= *bytes;
  } else {
    block = block_make(blocks, *bytes, beyond);
    if (!block) return NULL;
  }
  blocks->out += *bytes;
  return block;
}

void *blocks_get(struct blocks *blocks, size_t *bytes) { return block_get(blocks, bytes, false); }

void *blocks_get_beyond(struct blocks *blocks, size_t *bytes)
{
  return block_get(blocks, bytes, true);
}

void blocks_put(struct blocks *blocks, void *at, size_t bytes)
{
  unsigned c = class_of(bytes);
  must(c < BLOCKS_CLASSES && class_bytes(c) == bytes && blocks->out >= bytes);
  blocks->out -= bytes;
  if (bytes > blocks->kept_max - blocks->kept) {
    block_unmake(blocks, at, bytes);
    return;
  }
  struct block_rest *block = at;
  if (debug_poisons()) memset(at, 0xdd, bytes);
  block->next = blocks->rest[c];
  REST_HIDE(at, bytes);
  blocks->rest[c] = block;
  blocks->n_rest[c]++;
  blocks->kept += bytes;
}

void blocks_sweep(struct blocks *blocks)
{
  for (unsigned c = 0; c < BLOCKS_CLASSES; c++) {
    class_drop(blocks, c, blocks->low[c]);
    blocks->low[c] = blocks->n_rest[c];
  }
}

void blocks_deinit(struct blocks *blocks)
{
  must(blocks->out == 0);
  rest_drop(blocks);
}
