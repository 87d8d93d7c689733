/* rate.c - the arithmetic of buckets and windows.
 * Thread: any; pure. All in integers: 128 bits where a product needs them.
 * SPDX-License-Identifier: MIT */
#include "stat/rate.h"

#include <stddef.h>

enum { STRETCH_MASK = (1 << 24) - 1 };
#define SECOND_NS INT64_C(1000000000)

typedef unsigned __int128 wide;

static int64_t tokens_ns(uint64_t rate, uint64_t n)
{
  wide ns = ((wide)n * (wide)SECOND_NS + rate - 1) / rate;
  return ns > (wide)RATE_NS_MAX ? RATE_NS_MAX : (int64_t)ns;
}

/* A cost is rounded up, so a bucket of three tokens a third of a second each has to be as long as
 * the three together, or it would hold two. Where a token takes less than a microsecond that is
 * left: it could be more than a thousandth. */
struct bucket bucket_of(uint64_t rate, uint64_t burst)
{
  struct bucket bucket = {.rate = rate};
  if (!burst) burst = rate;
  int64_t one_ns = tokens_ns(rate, 1);
  bucket.span_ns = tokens_ns(rate, burst);
  if (one_ns >= 1000 && (wide)one_ns * burst < (wide)RATE_NS_MAX)
    bucket.span_ns = one_ns * (int64_t)burst;
  return bucket;
}

int64_t bucket_cost(const struct bucket *bucket, uint64_t n)
{
  if (n <= INT64_MAX / SECOND_NS) /* no wide division where a narrow one will do */
    return (int64_t)((n * (uint64_t)SECOND_NS + bucket->rate - 1) / bucket->rate);
  return tokens_ns(bucket->rate, n);
}

/* Sums of times, which are at most RATE_NS_MAX each but for a debt that somebody piled up. */
static int64_t later(int64_t at, int64_t by)
{
  int64_t sum;
  return __builtin_add_overflow(at, by, &sum) ? (by < 0 ? INT64_MIN : INT64_MAX) : sum;
}

struct bucket_take bucket_take(const struct bucket *bucket, int64_t full_at, int64_t now_ns,
                               int64_t cost_ns)
{
  struct bucket_take take = {.full_at = full_at};
  int64_t empty = later(now_ns, bucket->span_ns), from = full_at > now_ns ? full_at : now_ns;
  if (cost_ns > bucket->span_ns) {
    take.wait_ns = -1;
    return take;
  }
  if (from > empty) from = empty;
  int64_t next = later(from, cost_ns);
  if (next > empty) {
    take.wait_ns = next - empty;
    return take;
  }
  take.taken = true;
  take.full_at = next;
  return take;
}

struct bucket_take bucket_take_debt(const struct bucket *bucket, int64_t full_at, int64_t now_ns,
                                    int64_t cost_ns)
{
  struct bucket_take take = {.full_at = full_at};
  int64_t empty = later(now_ns, bucket->span_ns), from = full_at > now_ns ? full_at : now_ns;
  if (from >= empty) {
    take.wait_ns = later(from, 1 - empty);
    return take;
  }
  take.taken = true;
  take.full_at = later(from, cost_ns);
  return take;
}

int64_t bucket_settle(int64_t full_at, int64_t more_ns) { return later(full_at, more_ns); }

uint64_t bucket_out(const struct bucket *bucket, int64_t full_at, int64_t now_ns)
{
  int64_t ahead;
  if (full_at <= now_ns || __builtin_sub_overflow(full_at, now_ns, &ahead)) return 0;
  wide out = ((wide)(uint64_t)ahead * bucket->rate + (wide)SECOND_NS - 1) / (wide)SECOND_NS;
  return out > UINT64_MAX ? UINT64_MAX : (uint64_t)out;
}

/* --- windows ---------------------------------------------------------------------------------- */

uint32_t window_stretch(int64_t now_us, int64_t stretch_us)
{
  return (uint32_t)(now_us / stretch_us) & STRETCH_MASK;
}

static bool slot_is(uint64_t slot, uint32_t stretch)
{
  return slot >> WINDOW_COUNT_BITS == (stretch & STRETCH_MASK);
}

static uint64_t slot_of(uint32_t stretch, uint64_t count)
{
  if (count > WINDOW_COUNT_MAX) count = WINDOW_COUNT_MAX;
  return (uint64_t)(stretch & STRETCH_MASK) << WINDOW_COUNT_BITS | count;
}

uint64_t window_add(uint64_t slot, uint32_t stretch, uint64_t n)
{
  uint64_t count = slot_is(slot, stretch) ? slot & WINDOW_COUNT_MAX : 0;
  return slot_of(stretch, n > WINDOW_COUNT_MAX - count ? WINDOW_COUNT_MAX : count + n);
}

uint64_t window_sub(uint64_t slot, uint32_t stretch, uint64_t n)
{
  if (!slot_is(slot, stretch)) return slot;
  uint64_t count = slot & WINDOW_COUNT_MAX;
  return slot_of(stretch, n < count ? count - n : 0);
}

struct window window_read(const uint64_t slots[2], int64_t now_us, int64_t stretch_us)
{
  uint32_t stretch = window_stretch(now_us, stretch_us);
  struct window window = {.into_us = now_us % stretch_us, .stretch_us = stretch_us};
  uint64_t here = slots[stretch & 1], there = slots[~stretch & 1];
  if (slot_is(here, stretch)) window.now = here & WINDOW_COUNT_MAX;
  if (slot_is(there, stretch - 1)) window.before = there & WINDOW_COUNT_MAX;
  return window;
}

/* n * part / whole, rounded up. */
static uint64_t share(uint64_t n, int64_t part, int64_t whole)
{
  uint64_t product;
  if (n == 0) return 0;
  if (!__builtin_mul_overflow(n, (uint64_t)part, &product)) /* a wide division is a long one */
    return product / (uint64_t)whole + (product % (uint64_t)whole != 0);
  wide shared = (wide)n * (wide)(uint64_t)part + (wide)(uint64_t)whole - 1;
  return (uint64_t)(shared / (wide)(uint64_t)whole);
}

uint64_t window_used(const struct window *window)
{
  uint64_t left = share(window->before, window->stretch_us - window->into_us, window->stretch_us);
  return window->now + left;
}

/* How far into a stretch one has to be so that of `before` no more than `room` count. */
static int64_t into_for(uint64_t before, uint64_t room, int64_t stretch_us)
{
  if (before <= room) return 0;
  return stretch_us - (int64_t)((wide)room * (wide)(uint64_t)stretch_us / before);
}

int64_t window_wait(const struct window *window, uint64_t most, uint64_t n)
{
  if (n > most) return -1;
  uint64_t used = window_used(window);
  if (used <= most && n <= most - used) return 0;
  int64_t rest_us = window->stretch_us - window->into_us;
  if (window->now <= most - n) {
    int64_t into = into_for(window->before, most - n - window->now, window->stretch_us);
    if (into < window->stretch_us) return into > window->into_us ? into - window->into_us : 1;
  }
  return rest_us + into_for(window->now, most - n, window->stretch_us);
}
