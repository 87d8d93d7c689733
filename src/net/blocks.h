/* blocks.h - where a loop's arenas get their blocks: freed blocks are kept by size and handed out
 * again, so that a warm request path never reaches the heap.
 * Thread: its loop.
 * Sizes: four classes to an octave from 8 KiB on, so at most a quarter of a block is waste.
 * Blocks from BLOCKS_MAP_MIN on are mapped and not from the heap: what is given back leaves the
 * process. At most `kept_max` bytes rest here. blocks_sweep, called every few seconds, lets go
 * of what was not needed since the last sweep: a burst's memory is gone after two of them, a
 * steady load's never goes.
 * SPDX-License-Identifier: MIT */
#ifndef NET_BLOCKS_H
#define NET_BLOCKS_H

#include "base/quota.h"

enum { BLOCKS_SHIFT_MIN = 13, BLOCKS_OCTAVES = 20, BLOCKS_CLASSES = 4 * BLOCKS_OCTAVES };
enum { BLOCKS_MAP_MIN = 256 << 10 };

struct blocks {
  struct arena_source source; /* give this to arena_init; must stay the first member */
  struct block_rest *rest[BLOCKS_CLASSES];
  uint32_t n_rest[BLOCKS_CLASSES], low[BLOCKS_CLASSES]; /* low: fewest since the last sweep */
  uint64_t kept, kept_max;
  struct ration *ration; /* charged for all blocks, resting ones too; NULL: nobody counts */
  uint64_t out;  /* bytes handed out now */
  uint64_t made; /* blocks taken from the system since start */
};

void blocks_init(struct blocks *blocks, uint64_t kept_max, struct ration *ration);
void blocks_deinit(struct blocks *blocks); /* nothing is out */
/* At least *bytes, *bytes receives how many; NULL when the system or the ration
 * has no more, even once nothing rests any more. */
void *blocks_get(struct blocks *blocks, size_t *bytes);
/* The same past the ration too: for what the caller has bounded itself. */
void *blocks_get_beyond(struct blocks *blocks, size_t *bytes);
void blocks_put(struct blocks *blocks, void *block, size_t bytes); /* bytes as get said */
void blocks_sweep(struct blocks *blocks);

#endif
