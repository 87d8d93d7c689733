/* clock.h - the two clocks. Time is a parameter: loops read it once per turn and hand it down;
 * pure rooms never call these.
 * Thread: any.
 * SPDX-License-Identifier: MIT */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

int64_t clock_us(void);      /* monotonic, microseconds: deadlines, latencies */
int64_t clock_ns(void);      /* monotonic, nanoseconds: stage timings */
/* What the calling thread has spent on a core, nanoseconds: costs, never times. A system call, so
 * some twenty times as dear as the others: sample. */
int64_t clock_thread_ns(void);
/* Unix time, milliseconds: ledger, logs; never for order or timeouts */
int64_t clock_wall_ms(void);
/* "2026-01-31T23:59:59.123Z" to `to`, 25 bytes with its NUL. */
void clock_text(int64_t wall_ms, char to[25]);
/* RFC 3339 as people write it: "2026-01-31", "2026-01-31T18:00Z", "2026-01-31 18:00:30.5+01:00".
 * Without a zone it is UTC. False, and *wall_ms as it was, for anything else. */
bool clock_read(struct slice text, int64_t *wall_ms);

#endif
