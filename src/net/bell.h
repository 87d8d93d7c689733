/* bell.h - what wakes a loop: any thread rings it, and the loop hears it in its poll, or in a wait
 * for nothing else.
 * Thread: bell_ring: any; the rest is its loop's, bell_init and bell_deinit main's.
 *
 *   ring    by whoever has sent a letter; the first one writes to the descriptor, those after it
 *           write nothing until the loop has heard
 *   heard   by the loop, before it takes its letters: what was sent before a ring that wrote
 *           nothing is seen by who takes afterwards
 *
 * Not libuv's uv_async_t: its sender marks the handle for as long as it writes, and a loop that the
 * write has woken spins until the mark is gone. Where both have one core the sender cannot go on
 * meanwhile, so each answer of a worker cost a thousand pauses, 30 us.
 * SPDX-License-Identifier: MIT */
#ifndef NET_BELL_H
#define NET_BELL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct bell {
  int fd;
  atomic_bool rung;
};

void bell_init(struct bell *bell);
void bell_deinit(struct bell *bell);

void bell_ring(struct bell *bell);
/* The next ring writes again. Call it once the descriptor is readable. */
void bell_heard(struct bell *bell);
/* True as soon as it is rung and not yet heard; false: not within us. It stays to be heard. */
bool bell_wait(struct bell *bell, int64_t us);

#endif
