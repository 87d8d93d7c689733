/* crowd.h - the loop's pool of calls, shared by tenants: who holds more than its share gives way
 * before the pool is empty (503 NO_CAPACITY).
 * Thread: its loop.
 * A share is the pool, divided by weight among the tenants that have calls in it: one alone has all
 * of it. From 3/4 of the pool on class BATCH gives way, from 7/8 who has more than its share.
 * Source: overload rules, section 8.
 * SPDX-License-Identifier: MIT */
#ifndef SERVE_LIMIT_CROWD_H
#define SERVE_LIMIT_CROWD_H

#include <stdbool.h>
#include <stdint.h>

struct call;
struct crowd;
struct world;

struct crowds {
  struct crowd *of; /* by the tenant's slot */
  uint32_t n;
  uint64_t weights; /* of tenants with calls here */
};

void crowds_deinit(struct crowds *crowds);
/* A world comes: room for all of its tenants is taken now, and not when one of them asks. */
void crowds_world(struct crowds *crowds, const struct world *world);

/* Counts a call of its tenant in, once; false with call->err: this tenant, or class, gives way.
 * crowd_leave: at its end, whether it was counted or not. */
bool crowd_enter(struct call *call);
void crowd_leave(struct call *call);
/* Whether the tenant of a call that was counted has half of its share of the calls that there are,
 * by weight among those who have some, or more. */
bool crowd_over(const struct call *call);

#endif
