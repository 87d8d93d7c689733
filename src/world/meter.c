/* meter.c - limits made ready for the request path, meters read for people.
 * Thread: any.
 * SPDX-License-Identifier: MIT */
#include "world/meter.h"

static struct bucket bucket_for(const struct quotas *quotas, enum quota_id rate, int burst,
                                uint64_t scale)
{
  uint64_t value = quota_value(quotas, rate);
  uint64_t held = burst < 0 ? QUOTA_UNLIMITED : quota_value(quotas, (enum quota_id)burst);
  if (value == QUOTA_UNLIMITED) return (struct bucket){0};
  return bucket_of(value * scale, held == QUOTA_UNLIMITED ? 0 : held * scale);
}

static uint32_t level_for(const struct quotas *quotas, enum quota_id id)
{
  uint64_t value = quota_value(quotas, id);
  return value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
}

struct allowance allowance_of(const struct quotas *quotas, enum quota_scope scope,
                              struct slice whose, struct meter *meter)
{
  struct allowance a = {.meter = meter, .quotas = quotas, .whose = whose, .scope = scope};
  a.minute = a.day = a.bytes = QUOTA_UNLIMITED;
  a.in_flight = a.connections = a.asks = UINT32_MAX;
  if (!meter) return a;
  a.buckets[METER_REQUESTS] =
      bucket_for(quotas, QUOTA_requests_per_second, QUOTA_requests_burst, 1);
  a.buckets[METER_ROWS] = bucket_for(quotas, QUOTA_rows_per_second, QUOTA_rows_burst, 1);
  a.buckets[METER_COMPUTE] = bucket_for(quotas, QUOTA_compute_ms_per_second, -1, 1000);
  a.minute = quota_value(quotas, QUOTA_requests_per_minute);
  a.day = quota_value(quotas, QUOTA_requests_per_day);
  a.bytes = quota_value(quotas, QUOTA_body_bytes_in_flight);
  a.in_flight = level_for(quotas, QUOTA_requests_in_flight);
  a.infers = a.buckets[METER_REQUESTS].rate || a.buckets[METER_ROWS].rate ||
             a.buckets[METER_COMPUTE].rate || a.minute != QUOTA_UNLIMITED ||
             a.day != QUOTA_UNLIMITED || a.bytes != QUOTA_UNLIMITED || a.in_flight != UINT32_MAX;
  if (!(scope & QUOTA_TENANT)) return a;
  a.buckets[METER_CONTROL] = bucket_for(quotas, QUOTA_control_requests_per_second, -1, 1);
  a.connections = level_for(quotas, QUOTA_connections);
  a.asks = level_for(quotas, QUOTA_control_requests_in_flight);
  return a;
}

static uint64_t window_now(const _Atomic uint64_t slots[2], int64_t now_us, int64_t stretch_us)
{
  uint64_t copy[2] = {atomic_load_explicit(&slots[0], memory_order_relaxed),
                      atomic_load_explicit(&slots[1], memory_order_relaxed)};
  struct window window = window_read(copy, now_us, stretch_us);
  return window_used(&window);
}

uint64_t meter_used(const struct meter *meter, enum quota_id id, int64_t now_us)
{
  switch (id) {
    case QUOTA_requests_burst:
    case QUOTA_requests_per_second:
      return window_now(meter->second[METER_REQUESTS], now_us, METER_SECOND_US);
    case QUOTA_rows_burst:
    case QUOTA_rows_per_second:
      return window_now(meter->second[METER_ROWS], now_us, METER_SECOND_US);
    case QUOTA_compute_ms_per_second:
      return (window_now(meter->second[METER_COMPUTE], now_us, METER_SECOND_US) + 999) / 1000;
    case QUOTA_control_requests_per_second:
      return window_now(meter->second[METER_CONTROL], now_us, METER_SECOND_US);
    case QUOTA_requests_per_minute: return window_now(meter->minute, now_us, METER_MINUTE_US);
    case QUOTA_requests_per_day: return window_now(meter->day, now_us, METER_DAY_US);
    case QUOTA_requests_in_flight:
      return atomic_load_explicit(&meter->in_flight, memory_order_relaxed);
    case QUOTA_body_bytes_in_flight:
      return atomic_load_explicit(&meter->bytes, memory_order_relaxed);
    case QUOTA_connections: return atomic_load_explicit(&meter->connections, memory_order_relaxed);
    case QUOTA_control_requests_in_flight:
      return atomic_load_explicit(&meter->asks, memory_order_relaxed);
    case QUOTA_models:
    case QUOTA_versions:
    case QUOTA_stored_bytes:
    case QUOTA_resident_bytes:
    case QUOTAS: break;
  }
  return QUOTA_UNLIMITED;
}

/* --- uploads ---------------------------------------------------------------------------------- */

uint64_t meter_pending(const struct meter *meter, int64_t now_us)
{
  uint64_t copy[2] = {atomic_load_explicit(&meter->pending[0], memory_order_relaxed),
                      atomic_load_explicit(&meter->pending[1], memory_order_relaxed)};
  struct window window = window_read(copy, now_us, METER_DAY_US);
  return window.now + window.before; /* whole: what was sent yesterday lies there today */
}

void meter_pending_add(struct meter *meter, int64_t now_us, uint64_t bytes)
{
  uint32_t day = window_stretch(now_us, METER_DAY_US);
  _Atomic uint64_t *slot = &meter->pending[day & 1];
  uint64_t is = atomic_load_explicit(slot, memory_order_relaxed);
  while (!atomic_compare_exchange_weak_explicit(slot, &is, window_add(is, day, bytes),
                                                memory_order_relaxed, memory_order_relaxed)) {}
}

/* From what was sent before first; returns how much of it there was. */
static uint64_t pending_take(struct meter *meter, uint32_t day, uint64_t bytes)
{
  _Atomic uint64_t *slot = &meter->pending[day & 1];
  uint64_t is = atomic_load_explicit(slot, memory_order_relaxed), next;
  do {
    next = window_sub(is, day, bytes);
  } while (!atomic_compare_exchange_weak_explicit(slot, &is, next, memory_order_relaxed,
                                                  memory_order_relaxed));
  return (is & WINDOW_COUNT_MAX) - (next & WINDOW_COUNT_MAX);
}

void meter_pending_give(struct meter *meter, int64_t now_us, uint64_t bytes)
{
  uint32_t day = window_stretch(now_us, METER_DAY_US);
  bytes -= pending_take(meter, day - 1, bytes);
  pending_take(meter, day, bytes);
}
