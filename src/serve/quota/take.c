/* take.c - taking, refusing, giving back.
 * Thread: its loop.
 * SPDX-License-Identifier: MIT */
#include "serve/quota/take.h"

#include <inttypes.h>

#include "base/log.h"
#include "serve/quota/meter.h"

enum { TOLD_EVERY_US = 1000000 };
#define NOT_BY_WAITING INT64_C(-1)

/* --- refusing --------------------------------------------------------------------------------- */

static const char *scope_name(const struct allowance *allow)
{
  return allow->scope == QUOTA_MODEL ? "model" : "tenant";
}

/* Counted each time, told once a second: a flood of refusals must not become one of log lines. */
static void refusal_tell(const struct allowance *allow, enum quota_id id, int64_t now_us)
{
  struct meter *meter = allow->meter;
  int64_t told = atomic_load_explicit(&meter->told_us, memory_order_relaxed);
  uint64_t n = atomic_fetch_add_explicit(&meter->refused[id], 1, memory_order_relaxed);
  if (told && now_us - told < TOLD_EVERY_US) return;
  if (!atomic_compare_exchange_strong_explicit(&meter->told_us, &told, now_us,
                                               memory_order_relaxed, memory_order_relaxed))
    return;
  log_event(LOG_INFO, "quota_refused", scope_name(allow), log_slice(allow->whose), "limit",
            quota_row(id)->name, "refused", log_num((int64_t)n + 1), NULL);
}

static const char *words_of(enum quota_kind kind)
{
  switch (kind) {
    case QUOTA_RATE:
    case QUOTA_BURST: return " a second";
    case QUOTA_LEVEL: return " at once";
    case QUOTA_WINDOW:
    case QUOTA_STOCK:
    case QUOTA_SHARE: break;
  }
  return "";
}

/* wait_ns: NOT_BY_WAITING where that does not help; 0: nobody knows how long. */
static enum code refuse(const struct allowance *allow, enum quota_id id, int64_t wait_ns,
                        int64_t now_us, struct err *err)
{
  const struct quota_row *row = quota_row(id);
  const char *scope = scope_name(allow), *of = words_of(row->kind);
  uint64_t value = quota_value(allow->quotas, id), used = meter_used(allow->meter, id, now_us);
  enum code code = row->kind == QUOTA_LEVEL ? E_CONCURRENCY_LIMITED : E_RATE_LIMITED;
  int64_t wait_ms = wait_ns < 0 ? NOT_BY_WAITING : (wait_ns + 999999) / 1000000;
  if (id == QUOTA_requests_per_minute) of = " a minute";
  if (id == QUOTA_requests_per_day) of = " a day";
  if (wait_ns < 0)
    fail(err, code, "%s '%.*s' may have %" PRIu64 " %s%s (%s), and this request alone is more: "
                    "send less in one",
         scope, SLICE_ARG(allow->whose), value, row->unit, of, row->name);
  else if (wait_ns == 0)
    fail(err, code, "%s '%.*s' has %" PRIu64 " %s%s, as many as it may (%s); retry in a moment",
         scope, SLICE_ARG(allow->whose), value, row->unit, of, row->name);
  else
    fail(err, code, "%s '%.*s' is over %" PRIu64 " %s%s (%s); retry in %" PRId64 " ms", scope,
         SLICE_ARG(allow->whose), value, row->unit, of, row->name, wait_ms);
  refusal_tell(allow, id, now_us);
  if (wait_ns == 0) {
    fail_limit(err, row->name, scope, allow->whose, value, used, NOT_BY_WAITING);
    err->retry_after_ms = 0; /* a second: nobody knows how long the others take */
    return code;
  }
  return fail_limit(err, row->name, scope, allow->whose, value, used, wait_ms);
}

/* Whoever was refused at once shall not come back at once. */
static void spread(struct err *err, struct rand *rand)
{
  if (err->limit.resets_ms < 0) return;
  double ms = (double)err->retry_after_ms * rand_fifth(rand_unit(rand));
  if (err->retry_after_ms) err->retry_after_ms = ms < 1 ? 1 : ms < UINT32_MAX ? (uint32_t)ms
                                                                             : UINT32_MAX;
}

/* --- one meter -------------------------------------------------------------------------------- */

/* QUOTAS: nothing is in the way. */
static enum quota_id rate_take(struct stake *stake, const struct allowance *a, int64_t now_us,
                               int64_t *wait_ns)
{
  struct meter *meter = a->meter;
  int64_t now_ns = now_us * 1000;
  const struct bucket *requests = &a->buckets[METER_REQUESTS];
  if (requests->rate) {
    int64_t cost_ns = bucket_cost(requests, 1);
    if (!meter_take(&meter->full_at[METER_REQUESTS], requests, now_ns, cost_ns, wait_ns))
      return QUOTA_requests_per_second;
    stake->request_ns = cost_ns;
  }
  if (a->minute != QUOTA_UNLIMITED) {
    if (!meter_window_take(meter->minute, a->minute, now_us, METER_MINUTE_US, &stake->minute,
                           wait_ns))
      return QUOTA_requests_per_minute;
    stake->in_minute = true;
  }
  if (a->day != QUOTA_UNLIMITED) {
    if (!meter_window_take(meter->day, a->day, now_us, METER_DAY_US, &stake->day, wait_ns))
      return QUOTA_requests_per_day;
    stake->in_day = true;
  }
  return QUOTAS;
}

/* Rows and compute are taken once they are known; where nothing is left the body need not come. */
static enum quota_id rest_ask(const struct allowance *a, int64_t now_us, int64_t *wait_ns)
{
  struct meter *meter = a->meter;
  const struct bucket *rows = &a->buckets[METER_ROWS], *compute = &a->buckets[METER_COMPUTE];
  int64_t now_ns = now_us * 1000;
  if (rows->rate) {
    int64_t full_at = atomic_load_explicit(&meter->full_at[METER_ROWS], memory_order_relaxed);
    struct bucket_take one = bucket_take(rows, full_at, now_ns, bucket_cost(rows, 1));
    *wait_ns = one.wait_ns;
    if (!one.taken) return QUOTA_rows_per_second;
  }
  if (compute->rate &&
      !meter_take_debt(&meter->full_at[METER_COMPUTE], compute, now_ns, 0, wait_ns))
    return QUOTA_compute_ms_per_second;
  return QUOTAS;
}

static enum quota_id levels_take(struct stake *stake, const struct allowance *a, uint64_t bytes,
                                 int64_t *wait_ns)
{
  struct meter *meter = a->meter;
  *wait_ns = 0;
  if (a->in_flight != UINT32_MAX) {
    if (!meter_level_take(&meter->in_flight, a->in_flight)) return QUOTA_requests_in_flight;
    stake->in_flight = true;
  }
  if (a->bytes != QUOTA_UNLIMITED && bytes) {
    if (bytes > a->bytes) *wait_ns = NOT_BY_WAITING;
    if (!meter_bytes_take(&meter->bytes, a->bytes, bytes)) return QUOTA_body_bytes_in_flight;
    stake->bytes = bytes;
  }
  return QUOTAS;
}

static void stake_tokens_back(struct stake *stake)
{
  struct meter *meter = stake->meter;
  if (!meter) return;
  if (stake->request_ns) meter_settle(&meter->full_at[METER_REQUESTS], -stake->request_ns);
  if (stake->rows_ns) meter_settle(&meter->full_at[METER_ROWS], -stake->rows_ns);
  if (stake->compute_ns) meter_settle(&meter->full_at[METER_COMPUTE], -stake->compute_ns);
  if (stake->in_minute) meter_window_give(meter->minute, stake->minute);
  if (stake->in_day) meter_window_give(meter->day, stake->day);
  stake->request_ns = stake->rows_ns = stake->compute_ns = 0;
  stake->in_minute = stake->in_day = false;
}

static void stake_levels_back(struct stake *stake)
{
  struct meter *meter = stake->meter;
  if (!meter) return;
  /* Predicted and never run: it waited for its model in vain, or there was no memory. */
  if (stake->compute_ns) meter_settle(&meter->full_at[METER_COMPUTE], -stake->compute_ns);
  stake->compute_ns = 0;
  if (stake->in_flight) meter_level_give(&meter->in_flight);
  if (stake->bytes) meter_bytes_give(&meter->bytes, stake->bytes);
  stake->in_flight = false;
  stake->bytes = 0;
}

/* --- both of them ----------------------------------------------------------------------------- */

static bool counts(const struct allowed *allowed, int i)
{
  return allowed->of[i] && allowed->of[i]->infers;
}

/* For what is taken later than the rest: NULL where nothing is counted, or where a model of the
 * same name has taken the place of the one that the call began with. */
static struct stake *stake_later(struct taken *taken, const struct allowed *allowed, int i)
{
  struct stake *stake = &taken->stakes[i];
  if (!counts(allowed, i)) return NULL;
  if (!stake->meter) stake->meter = allowed->of[i]->meter;
  return stake->meter == allowed->of[i]->meter ? stake : NULL;
}

enum code take_request(struct taken *taken, const struct allowed *allowed, int64_t now_us,
                       uint64_t bytes, struct rand *rand, struct err *err)
{
  for (int i = 0; i < STAKES; i++) {
    const struct allowance *allow = allowed->of[i];
    struct stake *stake = &taken->stakes[i];
    int64_t wait_ns = 0;
    if (!counts(allowed, i)) continue;
    stake->meter = allow->meter;
    enum quota_id over = rate_take(stake, allow, now_us, &wait_ns);
    if (over == QUOTAS) over = rest_ask(allow, now_us, &wait_ns);
    if (over == QUOTAS) over = levels_take(stake, allow, bytes, &wait_ns);
    if (over == QUOTAS) continue;
    take_back(taken);
    take_end(taken);
    refuse(allow, over, wait_ns, now_us, err);
    spread(err, rand);
    return err->code;
  }
  for (int i = 0; i < STAKES; i++)
    if (counts(allowed, i))
      meter_window_count(taken->stakes[i].meter->second[METER_REQUESTS], now_us, METER_SECOND_US,
                         1);
  return OK;
}

enum code take_bytes(struct taken *taken, const struct allowed *allowed, uint64_t held,
                     int64_t now_us, struct err *err)
{
  for (int i = 0; i < STAKES; i++) {
    const struct allowance *allow = allowed->of[i];
    struct stake *stake = stake_later(taken, allowed, i);
    if (!stake || allow->bytes == QUOTA_UNLIMITED || held <= stake->bytes) continue;
    uint64_t steps = (held - stake->bytes + TAKE_STEP - 1) / TAKE_STEP, more = steps * TAKE_STEP;
    if (held > allow->bytes) return refuse(allow, QUOTA_body_bytes_in_flight, -1, now_us, err);
    if (more > allow->bytes - stake->bytes) more = allow->bytes - stake->bytes;
    if (!meter_bytes_take(&allow->meter->bytes, allow->bytes, more))
      return refuse(allow, QUOTA_body_bytes_in_flight, 0, now_us, err);
    stake->bytes += more;
  }
  return OK;
}

enum code take_rows(struct taken *taken, const struct allowed *allowed, int64_t now_us,
                    uint64_t rows, struct rand *rand, struct err *err)
{
  for (int i = 0; i < STAKES; i++) {
    const struct allowance *allow = allowed->of[i];
    struct stake *stake = stake_later(taken, allowed, i);
    if (!stake || !allow->buckets[METER_ROWS].rate || !rows) continue;
    const struct bucket *bucket = &allow->buckets[METER_ROWS];
    int64_t wait_ns, cost_ns = bucket_cost(bucket, rows);
    if (!meter_take(&allow->meter->full_at[METER_ROWS], bucket, now_us * 1000, cost_ns,
                    &wait_ns)) {
      refuse(allow, QUOTA_rows_per_second, wait_ns, now_us, err);
      spread(err, rand);
      return err->code; /* the call's end gives back what was taken before */
    }
    stake->rows_ns = cost_ns;
  }
  for (int i = 0; i < STAKES; i++)
    if (taken->stakes[i].rows_ns)
      meter_window_count(taken->stakes[i].meter->second[METER_ROWS], now_us, METER_SECOND_US,
                         rows);
  return OK;
}

enum code take_compute(struct taken *taken, const struct allowed *allowed, int64_t now_us,
                       int64_t predicted_ns, struct rand *rand, struct err *err)
{
  uint64_t us = predicted_ns > 1000 ? (uint64_t)predicted_ns / 1000 : 1;
  for (int i = 0; i < STAKES; i++) {
    const struct allowance *allow = allowed->of[i];
    struct stake *stake = stake_later(taken, allowed, i);
    if (!stake || !allow->buckets[METER_COMPUTE].rate) continue;
    const struct bucket *bucket = &allow->buckets[METER_COMPUTE];
    int64_t wait_ns, cost_ns = bucket_cost(bucket, us);
    if (!meter_take_debt(&allow->meter->full_at[METER_COMPUTE], bucket, now_us * 1000, cost_ns,
                         &wait_ns)) {
      refuse(allow, QUOTA_compute_ms_per_second, wait_ns, now_us, err);
      spread(err, rand);
      return err->code;
    }
    stake->compute_ns = cost_ns;
    stake->compute = *bucket;
  }
  return OK;
}

void take_ran(struct taken *taken, int64_t now_us, int64_t ran_ns)
{
  for (int i = 0; i < STAKES; i++) {
    struct stake *stake = &taken->stakes[i];
    if (!stake->compute_ns) continue;
    uint64_t us = ran_ns > 0 ? ((uint64_t)ran_ns + 999) / 1000 : 0;
    int64_t real_ns = bucket_cost(&stake->compute, us);
    meter_settle(&stake->meter->full_at[METER_COMPUTE], real_ns - stake->compute_ns);
    meter_window_count(stake->meter->second[METER_COMPUTE], now_us, METER_SECOND_US, us);
    stake->compute_ns = 0;
  }
}

void take_back(struct taken *taken)
{
  for (int i = 0; i < STAKES; i++) stake_tokens_back(&taken->stakes[i]);
}

void take_end(struct taken *taken)
{
  for (int i = 0; i < STAKES; i++) stake_levels_back(&taken->stakes[i]);
}

void take_hold(struct taken *taken, struct hold *hold)
{
  for (int i = 0; i < STAKES; i++) {
    hold->meters[i] = taken->stakes[i].meter;
    hold->bytes[i] = taken->stakes[i].bytes;
    taken->stakes[i].bytes = 0;
  }
}

void take_hold_end(struct hold *hold)
{
  for (int i = 0; i < STAKES; i++) {
    if (hold->bytes[i]) meter_bytes_give(&hold->meters[i]->bytes, hold->bytes[i]);
    hold->bytes[i] = 0;
  }
}

/* --- the control plane, connections ----------------------------------------------------------- */

static enum quota_id ask_rate_take(const struct allowance *allow, bool uses, int64_t now_us,
                                   int64_t *wait_ns)
{
  struct meter *meter = allow->meter;
  enum meter_bucket which = uses ? METER_REQUESTS : METER_CONTROL;
  const struct bucket *bucket = &allow->buckets[which];
  if (uses && allow->infers) {
    struct stake stake = {.meter = meter};
    enum quota_id over = rate_take(&stake, allow, now_us, wait_ns);
    if (over != QUOTAS) stake_tokens_back(&stake);
    if (over != QUOTAS) return over;
  } else if (!uses && bucket->rate &&
             !meter_take(&meter->full_at[METER_CONTROL], bucket, now_us * 1000,
                         bucket_cost(bucket, 1), wait_ns)) {
    return QUOTA_control_requests_per_second;
  }
  meter_window_count(meter->second[which], now_us, METER_SECOND_US, 1);
  return QUOTAS;
}

enum code take_ask(const struct allowance *allow, bool uses, int64_t now_us, struct rand *rand,
                   struct err *err)
{
  struct meter *meter = allow->meter;
  int64_t wait_ns = 0;
  if (!meter) return OK;
  if (!meter_level_take(&meter->asks, allow->asks))
    return refuse(allow, QUOTA_control_requests_in_flight, 0, now_us, err);
  enum quota_id over = ask_rate_take(allow, uses, now_us, &wait_ns);
  if (over == QUOTAS) return OK;
  meter_level_give(&meter->asks);
  refuse(allow, over, wait_ns, now_us, err);
  spread(err, rand);
  return err->code;
}

void take_asked(struct meter *meter)
{
  if (meter) meter_level_give(&meter->asks);
}

enum code take_connection(const struct allowance *allow, int64_t now_us, struct err *err)
{
  if (meter_level_take(&allow->meter->connections, allow->connections)) return OK;
  return refuse(allow, QUOTA_connections, 0, now_us, err);
}
