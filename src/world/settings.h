/* settings.h - what of the configuration may change while the daemon runs (SIGHUP).
 * Thread: any; main makes one, tells loops and desks by letter, and leaves it alone until the next
 * one is known to all.
 * SPDX-License-Identifier: MIT */
#ifndef WORLD_SETTINGS_H
#define WORLD_SETTINGS_H

#include "base/limit.h"

struct settings {
  int64_t head_us, idle_us, write_us; /* net/loop.h, loop_limits */
  int64_t deadline_us, deadline_max_us;
  int64_t drain_delay_us;
  bool keys_only;       /* serve/who.h */
  struct limits limits; /* what `slipway doctor` lists */
};

#endif
