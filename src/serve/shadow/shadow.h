/* shadow.h - copies of answered requests, run by a candidate whose answers go to nobody, so that
 * they can be compared with what stable said.
 *
 *           path_pin                     shadow_memory
 *   FREE ------------> PINNED ------------------------> WAITING --shadows_turn--> OUT --home-->
 *   HOME
 *     |  path_end        | 5 s, stop                      ^  | 5 s, stop                          |
 *     +------------------|--------------------------------+  v                                    |
 *                        +--> LOST --shadow_memory--------> FREE <-----compared, shadows_turn-----+
 *
 * Nothing is copied: once the answer is out, the call's memory, with its decoded inputs and
 * stable's outputs, is the shadow's. What stable pays is what holding that memory and running the
 * copy takes from it, and both are bounded:
 * - a shadow waits for an idle point of the loop: all answers of the turn are written, and for a
 *   resident candidate, which runs on this very thread, nothing came to do at all;
 * - after a resident run of d us the next one waits d * d / 20 us, so a slow candidate takes a
 *   vanishing share of the loop; elsewhere one shadow is out at a time, while no request is, or
 *   after 100 ms of patience;
 * - an eighth of the pool of calls, a quarter of the memory for bodies; none while half of either
 *   is in use; what waited 5 s, or for a release that ended, is given up: counted as dropped, and
 *   never tried again.
 * Thread: its loop.
 * SPDX-License-Identifier: MIT */
#ifndef SERVE_SHADOW_SHADOW_H
#define SERVE_SHADOW_SHADOW_H

#include "serve/call.h"

struct shadow;

/* A pinned answer is out, or its client is gone: takes what path_pin gave and leaves both arenas
 * without memory. */
void shadow_memory(struct shadow *shadow, struct arena *arena, struct arena *scratch);
/* The shadow that a task that came home belongs to; NULL: it is a call's. */
struct shadow *shadow_of_task(struct serve *serve, struct mail *answer);
void shadow_home(struct shadow *shadow);

/* When shadows_turn has something to do: in the past: at this turn's end; INT64_MAX: nothing, until
 * a task comes home. */
int64_t shadows_when(const struct serve *serve);
/* Compares what came home and sends what may go, at the end of a turn. idle: the turn had nothing
 * else to do. True: a resident of this loop has a task now. */
bool shadows_turn(struct serve *serve, bool idle);
/* Once a second: gives up what waits in vain. */
void shadows_sweep(struct serve *serve);
/* No more from now on; what waits is dropped. */
void shadows_stop(struct serve *serve);

#endif
