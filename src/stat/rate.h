/* rate.h - how much may happen in a time, as arithmetic on one number: token buckets and sliding
 * windows. Nothing here remembers anything or reads a clock: the numbers are the caller's, and one
 * compare-and-swap makes a step of many threads (serve/quota/meter.h).
 * Thread: any; pure.
 *
 * Bucket. It holds `burst` tokens and gets `rate` new ones a second. Kept is only when it would be
 * full again, in nanoseconds: a time in the past is a full bucket, so one that was idle for years
 * needs no care. Taking n tokens moves that time on by what n take to come back; it may not move
 * further ahead than the whole bucket takes (`span_ns`). So in any time T never more than
 * burst + rate * T are taken, but for a thousandth of the burst at most: costs are rounded up to a
 * nanosecond, and the bucket with them, so that it holds whole tokens.
 *
 * Window. Counted are this stretch of time (a minute) and the one before; of the latter counts the
 * share that a window ending now still sees. So in any time T never more than
 * most * (1 + T / stretch) are let in, and in whole stretches never more than `most`.
 * A counter is one number: which stretch it is of (24 bits), and how many (40).
 * Source: overload rules, section 6; the bucket is the generic cell rate algorithm of ATM
 * (ITU-T I.371).
 * SPDX-License-Identifier: MIT */
#ifndef STAT_RATE_H
#define STAT_RATE_H

#include <stdbool.h>
#include <stdint.h>

/* Times reach no further than this from now: 73 years. */
#define RATE_NS_MAX (INT64_MAX / 4)

struct bucket {
  uint64_t rate;   /* tokens a second; 0: no bucket, nothing is limited */
  int64_t span_ns; /* to fill an empty one */
};

/* rate at least 1; burst 0: as many as a second brings. */
struct bucket bucket_of(uint64_t rate, uint64_t burst);
/* How long n tokens take to come, rounded up. */
int64_t bucket_cost(const struct bucket *bucket, uint64_t n);

struct bucket_take {
  bool taken;
  int64_t full_at; /* ns: what to keep; the same as before where nothing was taken */
  int64_t wait_ns; /* not taken: until it could be; -1: never, the bucket is too small */
};

/* Takes what takes cost_ns to come back. A time further ahead than any bucket of this span could
 * be (its limit shrank, the clock went back) counts as an empty one. */
struct bucket_take bucket_take(const struct bucket *bucket, int64_t full_at, int64_t now_ns,
                               int64_t cost_ns);
/* The same for what is known only afterwards: taken whenever anything at all is left, into debt,
 * which has to come back first. bucket_settle then corrects what was taken by (real - taken). */
struct bucket_take bucket_take_debt(const struct bucket *bucket, int64_t full_at, int64_t now_ns,
                                    int64_t cost_ns);
int64_t bucket_settle(int64_t full_at, int64_t more_ns);
/* Tokens that are out of the bucket now, rounded up; in debt more than it holds. */
uint64_t bucket_out(const struct bucket *bucket, int64_t full_at, int64_t now_ns);

/* --- windows ---------------------------------------------------------------------------------- */

enum { WINDOW_COUNT_BITS = 40 };
#define WINDOW_COUNT_MAX ((UINT64_C(1) << WINDOW_COUNT_BITS) - 1)

/* Which stretch a time lies in. Its counter is slots[stretch & 1]: the other one is of the stretch
 * before, or of an older one. */
uint32_t window_stretch(int64_t now_us, int64_t stretch_us);
/* A counter after n more (0: as it is); what it held of an older stretch is forgotten. */
uint64_t window_add(uint64_t slot, uint32_t stretch, uint64_t n);
/* Takes n back, where the counter still is of that stretch. */
uint64_t window_sub(uint64_t slot, uint32_t stretch, uint64_t n);

struct window {
  uint64_t now, before; /* counts of this stretch and the one before */
  int64_t into_us, stretch_us;
};
/* What two counters say at a time. */
struct window window_read(const uint64_t slots[2], int64_t now_us, int64_t stretch_us);
/* How many a window that ends now has seen, rounded up. */
uint64_t window_used(const struct window *window);
/* How long until n more are let in, where nobody else comes: 0: now; -1: never, n > most. */
int64_t window_wait(const struct window *window, uint64_t most, uint64_t n);

#endif
