/* meter.h - what a tenant, or a model with limits of its own, is using now. Exception 2 of what
 * threads share (docs/THREADS.md): every loop adds and takes away, relaxed, and reads no other
 * memory by it.
 * Thread: loops write (desks, control, the janitor what is pending); any reads. Control makes one
 * beside its catalog, where it stays until the end: it outlives the worlds that lead to it, as
 * `used_ms` of a key does.
 * Layout: what an inference request touches is the first cache line, and no two meters share one.
 * The arithmetic is stat/rate.h, the steps serve/quota/meter.h.
 * SPDX-License-Identifier: MIT */
#ifndef WORLD_METER_H
#define WORLD_METER_H

#include <stdatomic.h>

#include "base/quota.h"
#include "stat/rate.h"

enum meter_bucket { METER_REQUESTS, METER_ROWS, METER_COMPUTE, METER_CONTROL, METER_BUCKETS };
enum { METER_LINE = 64 };
#define METER_SECOND_US INT64_C(1000000)
#define METER_MINUTE_US (60 * METER_SECOND_US)
#define METER_DAY_US (24 * 60 * METER_MINUTE_US)

struct meter {
  _Alignas(METER_LINE) _Atomic int64_t full_at[METER_BUCKETS]; /* ns of clock_ns */
  _Atomic uint64_t minute[2];                                  /* requests */
  _Atomic uint64_t bytes;                                      /* of bodies, in flight */
  _Atomic uint32_t in_flight, connections;

  /* Of the last second, for people: requests, rows, microseconds of compute, control requests. */
  _Alignas(METER_LINE) _Atomic uint64_t second[METER_BUCKETS][2];

  _Alignas(METER_LINE) _Atomic uint64_t day[2];
  _Atomic uint32_t asks; /* control requests in flight */
  _Atomic int64_t told_us; /* when a refusal was last logged */
  _Atomic uint64_t pending; /* bytes of files here that no version names (store/held.h) */
  _Atomic uint32_t upload_keys; /* Idempotency-Keys of uploads that are remembered */
  _Atomic uint64_t refused[QUOTAS]; /* since the start */
  _Atomic uint64_t ran_ns; /* workers' time that its tasks took, shadows' too, since the start */

  /* Of the prediction cache (serve/cache): bytes kept; entries that had to make room, and keys that
   * were hashed alike and differed, since the start. */
  _Alignas(METER_LINE) _Atomic uint64_t cache_bytes;
  _Atomic uint64_t cache_evictions, cache_mismatches;
};
_Static_assert(offsetof(struct meter, second) == METER_LINE, "a request touches one line");

/* What the request path compares a meter with: made of quotas when a world is laid out. */
struct allowance {
  struct meter *meter;          /* NULL: nobody counts, nothing is limited */
  const struct quotas *quotas;  /* the world's; NULL: nothing was said */
  struct slice whose;      /* the tenant's name, or the model's */
  enum quota_scope scope;
  struct bucket buckets[METER_BUCKETS]; /* compute: in microseconds */
  uint64_t minute, day, bytes;          /* QUOTA_UNLIMITED: not limited */
  uint32_t in_flight, connections, asks; /* UINT32_MAX: not limited */
  uint32_t weight; /* its share of the workers */
  bool infers; /* something is said of inference: else its requests pass without a look */
};

/* quotas NULL: the normal values. They are lent, and so is whose. */
struct allowance allowance_of(const struct quotas *quotas, enum quota_scope scope,
                              struct slice whose, struct meter *meter);

/* How much of a limit is in use, as far as a meter knows: QUOTA_UNLIMITED where it does not
 * (what is in stock). Rates: of the last second. */
uint64_t meter_used(const struct meter *meter, enum quota_id id, int64_t now_us);

/* Uploads that are on their way, or wait to be named by a version, and what removed versions left:
 * what was added and not given back. Whoever adds gives back once: when nothing came of it, when a
 * version names it, when it is swept. Made again from the files at a start. give: at most what is
 * there. */
uint64_t meter_pending(const struct meter *meter);
void meter_pending_add(struct meter *meter, uint64_t bytes);
void meter_pending_give(struct meter *meter, uint64_t bytes);
bool meter_is_owed(const struct meter *meter); /* bytes pend, or keys are remembered */
/* One key more, unless there are `most`; false then. */
bool meter_key_add(struct meter *meter, uint32_t most);
void meter_key_give(struct meter *meter);

/* Whether `more` of a stock fit beside what is used of it: the one place where stock is judged.
 * meter (may be NULL) counts a refusal: E_QUOTA_EXCEEDED, which says whose limit (scope: "tenant"
 * or "model"), how much of it is used and what it would be. */
CHECKED enum code stock_check(const struct quotas *said, struct meter *meter, enum quota_id id,
                              const char *scope, struct slice whose, uint64_t used, uint64_t more,
                              struct err *err);

#endif
