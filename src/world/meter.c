/* meter.c - limits made ready for the request path, meters read for people.
 * Thread: any.
 * SPDX-License-Identifier: MIT */
#include "world/meter.h"

#include <inttypes.h>
#include <string.h>

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
  a.weight = (uint32_t)quota_value(quotas, QUOTA_weight);
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
    case QUOTA_cache_bytes:
      return atomic_load_explicit(&meter->cache_bytes, memory_order_relaxed);
    case QUOTA_models:
    case QUOTA_versions:
    case QUOTA_stored_bytes:
    case QUOTA_resident_bytes:
    case QUOTA_weight:
    case QUOTAS: break;
  }
  return QUOTA_UNLIMITED;
}

/* --- uploads ---------------------------------------------------------------------------------- */

uint64_t meter_pending(const struct meter *meter)
{
  return atomic_load_explicit(&meter->pending, memory_order_relaxed);
}

void meter_pending_add(struct meter *meter, uint64_t bytes)
{
  atomic_fetch_add_explicit(&meter->pending, bytes, memory_order_relaxed);
}

void meter_pending_give(struct meter *meter, uint64_t bytes)
{
  uint64_t is = atomic_load_explicit(&meter->pending, memory_order_relaxed);
  while (!atomic_compare_exchange_weak_explicit(&meter->pending, &is, is < bytes ? 0 : is - bytes,
                                                memory_order_relaxed, memory_order_relaxed)) {}
}

bool meter_is_owed(const struct meter *meter)
{
  return meter && (meter_pending(meter) ||
                   atomic_load_explicit(&meter->upload_keys, memory_order_relaxed));
}

bool meter_key_add(struct meter *meter, uint32_t most)
{
  uint32_t is = atomic_load_explicit(&meter->upload_keys, memory_order_relaxed);
  do {
    if (is >= most) return false;
  } while (!atomic_compare_exchange_weak_explicit(&meter->upload_keys, &is, is + 1,
                                                  memory_order_relaxed, memory_order_relaxed));
  return true;
}

void meter_key_give(struct meter *meter)
{
  uint32_t is = atomic_load_explicit(&meter->upload_keys, memory_order_relaxed);
  while (is && !atomic_compare_exchange_weak_explicit(&meter->upload_keys, &is, is - 1,
                                                      memory_order_relaxed,
                                                      memory_order_relaxed)) {}
}

/* --- stock ------------------------------------------------------------------------------------ */

enum code stock_check(const struct quotas *said, struct meter *meter, enum quota_id id,
                      const char *scope, struct slice whose, uint64_t used, uint64_t more,
                      struct err *err)
{
  const struct quota_row *row = quota_row(id);
  uint64_t value = quota_value(said, id);
  if (value == QUOTA_UNLIMITED || (used <= value && more <= value - used)) return OK;
  if (meter) atomic_fetch_add_explicit(&meter->refused[id], 1, memory_order_relaxed);
  fail(err, E_QUOTA_EXCEEDED,
       "%s '%.*s' may have %" PRIu64 " %s (%s) and has %" PRIu64
       "%s; with this it would be %" PRIu64 ": remove some first, or ask for more",
       scope, SLICE_ARG(whose), value, strcmp(row->unit, "bytes") ? row->unit : "bytes stored",
       row->name, used, id == QUOTA_stored_bytes ? ", waiting uploads and removed files among them"
                                                      : "",
       used + more);
  return fail_limit(err, row->name, scope, whose, value, used, -1);
}
