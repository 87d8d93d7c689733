/* meter.h - steps on a meter that all loops share: each is one relaxed compare-and-swap around the
 * arithmetic of stat/rate.h, so no step is ever half done and none waits.
 * Thread: any loop, all at once.
 * Never more than a limit is let in, however many loops ask at once. What is taken is given back by
 * the same amount, which the taker keeps (serve/quota/take.h): limits may change in between.
 * SPDX-License-Identifier: MIT */
#ifndef SERVE_QUOTA_METER_H
#define SERVE_QUOTA_METER_H

#include "world/meter.h"

/* Whether it was taken; *wait_ns: how long until it could be where not; -1: never. */
bool meter_take(_Atomic int64_t *full_at, const struct bucket *bucket, int64_t now_ns,
                int64_t cost_ns, int64_t *wait_ns);
/* Into debt (bucket_take_debt). cost_ns 0: only asks. */
bool meter_take_debt(_Atomic int64_t *full_at, const struct bucket *bucket, int64_t now_ns,
                     int64_t cost_ns, int64_t *wait_ns);
/* Takes more, or gives back (below 0). */
void meter_settle(_Atomic int64_t *full_at, int64_t more_ns);

/* n more in the stretch of now_us where `most` allow that; *stretch: which it was. */
bool meter_window_take(_Atomic uint64_t slots[2], uint64_t most, int64_t now_us,
                       int64_t stretch_us, uint32_t *stretch, int64_t *wait_ns);
void meter_window_give(_Atomic uint64_t slots[2], uint32_t stretch);
/* Counts n, whatever there is: what people look at. */
void meter_window_count(_Atomic uint64_t slots[2], int64_t now_us, int64_t stretch_us, uint64_t n);

/* What a task's run took (task_cost_ns). meter NULL: nobody counts. */
static inline void meter_ran(struct meter *meter, int64_t ran_ns)
{
  if (meter && ran_ns > 0)
    atomic_fetch_add_explicit(&meter->ran_ns, (uint64_t)ran_ns, memory_order_relaxed);
}

bool meter_level_take(_Atomic uint32_t *level, uint32_t most);
void meter_level_give(_Atomic uint32_t *level);
bool meter_bytes_take(_Atomic uint64_t *held, uint64_t most, uint64_t bytes);
void meter_bytes_give(_Atomic uint64_t *held, uint64_t bytes);

#endif
