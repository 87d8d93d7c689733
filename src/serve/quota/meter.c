/* meter.c - compare-and-swap around the arithmetic.
 * Thread: any loop, all at once.
 * SPDX-License-Identifier: MIT */
#include "serve/quota/meter.h"

#define LOAD(at)          atomic_load_explicit(at, memory_order_relaxed)
#define SWAP(at, is, to)  \
  atomic_compare_exchange_weak_explicit(at, is, to, memory_order_relaxed, memory_order_relaxed)

bool meter_take(_Atomic int64_t *full_at, const struct bucket *bucket, int64_t now_ns,
                int64_t cost_ns, int64_t *wait_ns)
{
  int64_t is = LOAD(full_at);
  struct bucket_take take;
  do {
    take = bucket_take(bucket, is, now_ns, cost_ns);
    if (!take.taken) {
      *wait_ns = take.wait_ns;
      return false;
    }
  } while (!SWAP(full_at, &is, take.full_at));
  return true;
}

bool meter_take_debt(_Atomic int64_t *full_at, const struct bucket *bucket, int64_t now_ns,
                     int64_t cost_ns, int64_t *wait_ns)
{
  int64_t is = LOAD(full_at);
  struct bucket_take take;
  do {
    take = bucket_take_debt(bucket, is, now_ns, cost_ns);
    if (!take.taken) {
      *wait_ns = take.wait_ns;
      return false;
    }
    if (cost_ns == 0) return true;
  } while (!SWAP(full_at, &is, take.full_at));
  return true;
}

void meter_settle(_Atomic int64_t *full_at, int64_t more_ns)
{
  int64_t is = LOAD(full_at);
  while (!SWAP(full_at, &is, bucket_settle(is, more_ns))) {}
}

bool meter_window_take(_Atomic uint64_t slots[2], uint64_t most, int64_t now_us,
                       int64_t stretch_us, uint32_t *stretch, int64_t *wait_ns)
{
  *stretch = window_stretch(now_us, stretch_us);
  uint64_t copy[2];
  uint32_t here = *stretch & 1;
  do {
    copy[0] = LOAD(&slots[0]);
    copy[1] = LOAD(&slots[1]);
    struct window window = window_read(copy, now_us, stretch_us);
    int64_t wait_us = window_wait(&window, most, 1);
    if (wait_us) {
      *wait_ns = wait_us < 0 ? -1 : wait_us * 1000;
      return false;
    }
  } while (!SWAP(&slots[here], &copy[here], window_add(copy[here], *stretch, 1)));
  return true;
}

void meter_window_give(_Atomic uint64_t slots[2], uint32_t stretch)
{
  uint64_t is = LOAD(&slots[stretch & 1]);
  while (!SWAP(&slots[stretch & 1], &is, window_sub(is, stretch, 1))) {}
}

void meter_window_count(_Atomic uint64_t slots[2], int64_t now_us, int64_t stretch_us, uint64_t n)
{
  uint32_t stretch = window_stretch(now_us, stretch_us);
  uint64_t is = LOAD(&slots[stretch & 1]);
  while (!SWAP(&slots[stretch & 1], &is, window_add(is, stretch, n))) {}
}

bool meter_level_take(_Atomic uint32_t *level, uint32_t most)
{
  uint32_t is = LOAD(level);
  do {
    if (is >= most) return false;
  } while (!SWAP(level, &is, is + 1));
  return true;
}

void meter_level_give(_Atomic uint32_t *level)
{
  must(atomic_fetch_sub_explicit(level, 1, memory_order_relaxed) > 0);
}

bool meter_bytes_take(_Atomic uint64_t *held, uint64_t most, uint64_t bytes)
{
  uint64_t is = LOAD(held);
  do {
    if (bytes > most || is > most - bytes) return false;
  } while (!SWAP(held, &is, is + bytes));
  return true;
}

void meter_bytes_give(_Atomic uint64_t *held, uint64_t bytes)
{
  must(atomic_fetch_sub_explicit(held, bytes, memory_order_relaxed) >= bytes);
}
