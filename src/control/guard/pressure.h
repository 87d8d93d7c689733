/* pressure.h - from readings to what is done: pure.
 * Thread: any, pure.
 * Source: overload rules, section 8.
 * SPDX-License-Identifier: MIT */
#ifndef CONTROL_GUARD_PRESSURE_H
#define CONTROL_GUARD_PRESSURE_H

#include <stdbool.h>

#include "world/guard/pressure.h"

enum {
  PRESSURE_CALM = 5,  /* points below its percentage an action ends */
  PRESSURE_HIGH = 80, /* somebody is told, webhooks too */
};

/* True: other actions than before are in force. */
bool pressure_step(struct pressure *pressure, const struct pressure_readings *readings);

uint8_t pressure_used(uint64_t used, uint64_t max); /* max 0: no limit; 100 at most */
uint8_t pressure_stall(double share);               /* percent of the time, over 10 s */
uint8_t pressure_lag(int64_t p99_us);

#endif
