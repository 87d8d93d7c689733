/* past.c - ten-second blocks packed into bytes, and what is frozen from them.
 * Thread: any, pure.
 * A packed sketch is a row of stretches of groups that are not empty: how many groups were empty
 * before, how many follow, then their counts. A group is 2^coarse neighbouring buckets; unpacked,
 * its values stand in its highest bucket.
 * SPDX-License-Identifier: MIT */
#include "judge/past.h"

#include "stat/math.h"

enum { COARSE_MAX = 8 };

/* --- packing ---------------------------------------------------------------------------------- */

static uint64_t group_count(const struct sketch *sketch, uint32_t group, uint8_t coarse)
{
  uint64_t sum = 0;
  uint32_t from = group << coarse, to = (group + 1) << coarse;
  for (uint32_t i = from; i < to && i < SKETCH_BUCKETS; i++) sum += sketch->at[i];
  return sum;
}

static uint32_t groups(uint8_t coarse) { return (SKETCH_BUCKETS + (1u << coarse) - 1) >> coarse; }

static void stretch_put(const struct sketch *sketch, uint32_t from, uint32_t to, uint8_t coarse,
                        struct varint_out *out)
{
  varint_put(out, to - from);
  for (uint32_t i = from; i < to; i++) varint_put(out, group_count(sketch, i, coarse));
}

static bool pack(const struct sketch *sketch, uint8_t coarse, struct varint_out *out)
{
  uint32_t n = groups(coarse), done = 0;
  for (uint32_t i = 0; i < n && !out->full; i++) {
    if (!group_count(sketch, i, coarse)) continue;
    uint32_t end = i + 1;
    while (end < n && group_count(sketch, end, coarse)) end++;
    varint_put(out, i - done);
    stretch_put(sketch, i, end, coarse, out);
    done = i = end;
  }
  return !out->full;
}

static void unpack(const struct past_block *block, struct sketch *into)
{
  struct slice bytes = {(const char *)block->sketch, block->len};
  uint32_t group = 0;
  uint64_t gap, length, count;
  while (varint_get(&bytes, &gap) && varint_get(&bytes, &length)) {
    group += (uint32_t)gap;
    for (; length; length--, group++) {
      uint32_t bucket = ((group + 1) << block->coarse) - 1;
      must(varint_get(&bytes, &count));
      into->at[bucket < SKETCH_BUCKETS ? bucket : SKETCH_BUCKETS - 1] += count;
      into->count += count;
    }
  }
}

static void block_close(struct past *past, uint64_t ms)
{
  struct past_block *block = &past->ring[past->closed % PAST_BLOCKS];
  struct varint_out out;
  block->requests = past->requests;
  block->errors = past->errors;
  block->timeouts = past->timeouts;
  block->share = ms ? (uint32_t)(past->share_ms / ms) : 0;
  for (block->coarse = 0;; block->coarse++) {
    must(block->coarse <= COARSE_MAX);
    out = (struct varint_out){block->sketch, 0, sizeof block->sketch, false};
    if (pack(&past->sketch, block->coarse, &out)) break;
  }
  block->len = (uint16_t)out.len;
  past->closed++;
  past->requests = past->errors = past->timeouts = past->share_ms = 0;
  if (past->sketch.count) memset(&past->sketch, 0, sizeof past->sketch);
}

void past_add(struct past *past, const struct sketch *seen, uint64_t requests, uint64_t errors,
              uint64_t timeouts, uint32_t share, uint64_t elapsed_ms)
{
  if (seen) sketch_merge(&past->sketch, seen);
  past->requests += requests;
  past->errors += errors;
  past->timeouts += timeouts;
  past->share_ms += share * elapsed_ms;
  past->open_ms += elapsed_ms;
  if (past->open_ms < PAST_BLOCK_MS) return;
  /* Later blocks of a long gap are empty: the ring needs no more of them than it has places. */
  uint64_t ms = past->open_ms, n = ms / PAST_BLOCK_MS;
  past->open_ms = ms % PAST_BLOCK_MS;
  block_close(past, ms);
  for (uint64_t i = 1; i < n && i < PAST_BLOCKS; i++) block_close(past, 0);
}

/* --- a baseline ------------------------------------------------------------------------------- */

void baseline_init(struct baseline *baseline)
{
  memset(baseline, 0, sizeof *baseline);
  for (int arm = 0; arm < ARMS_MAX; arm++)
    for (int row = 0; row < BASELINE_ROWS; row++) baseline->phi[arm][row] = DISPERSION_UNKNOWN;
}

/* Blocks kept, and the i-th of them from the oldest. */
static uint32_t kept(const struct past *past)
{
  return past->closed < PAST_BLOCKS ? (uint32_t)past->closed : PAST_BLOCKS;
}

static const struct past_block *block_at(const struct past *past, uint32_t i)
{
  return &past->ring[(past->closed - kept(past) + i) % PAST_BLOCKS];
}

/* The share of arm against stable alone: what s is in looks. */
static double share_of(const struct plan *plan, uint32_t step, uint32_t arm)
{
  double own = plan_weight(plan, step, arm), stable = plan_weight(plan, step, ARM_STABLE);
  if (step < plan->n_steps && plan->steps[step].kind == STEP_SHADOW) return 0.5;
  return own + stable > 0 ? own / (own + stable) : 0;
}

static void phi_freeze(const struct past *past, const uint64_t x[BASELINE_ROWS][PAST_BLOCKS],
                       const struct plan *plan, uint32_t step, struct baseline *baseline)
{
  double share[PAST_BLOCKS] = {0};
  uint32_t n = kept(past);
  for (uint32_t i = 0; i < n; i++) share[i] = (double)block_at(past, i)->share / PLAN_WHOLE;
  for (uint32_t arm = 0; arm < plan_arms(plan); arm++)
    for (int row = 0; row < BASELINE_ROWS; row++)
      baseline->phi[arm][row] = dispersion_frozen_ramp(x[row], share, n, share_of(plan, step, arm));
}

void past_baseline(const struct past *past, const struct plan *plan, uint32_t step,
                   struct baseline *baseline)
{
  uint64_t x[BASELINE_ROWS][PAST_BLOCKS];
  struct sketch sketch = {0};
  uint32_t n = kept(past);
  baseline_init(baseline);
  baseline->blocks = n;
  for (uint32_t i = 0; i < n; i++) {
    unpack(block_at(past, i), &sketch);
    baseline->requests += block_at(past, i)->requests;
  }
  slow_freeze_some(&baseline->slow, &sketch, plan->gates[GATE_LATENCY].quantiles,
                   plan->gates[GATE_LATENCY].slack_us);
  for (uint32_t i = 0; i < n; i++) {
    const struct past_block *block = block_at(past, i);
    uint64_t slow[SLOW_ROWS];
    memset(&sketch, 0, sizeof sketch);
    unpack(block, &sketch);
    slow_count(&baseline->slow, &sketch, slow);
    for (int row = 0; row < SLOW_ROWS; row++)
      x[row][i] = baseline->slow.used[row] ? slow[row] + block->timeouts : 0;
    x[BASELINE_ERRORS][i] = block->errors;
    if (i + PAST_RECENT < n) continue;
    uint64_t late = baseline->slow.used[2] ? slow[2] : 0; /* timeouts are errors already */
    baseline->recent[baseline->n_recent++] =
        (struct baseline_recent){block->requests, block->errors + late};
  }
  phi_freeze(past, x, plan, step, baseline);
}

/* --- the journal's form ----------------------------------------------------------------------- */

static uint64_t bits_of(double x)
{
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

static void feature_write(const struct baseline_feature *feature, struct varint_out *out)
{
  size_t len = strlen(feature->name);
  varint_put(out, len);
  for (size_t i = 0; i < len; i++) varint_put(out, (unsigned char)feature->name[i]);
  varint_put(out, feature->bins.n_edges);
  for (uint32_t i = 0; i < feature->bins.n_edges; i++) {
    uint32_t bits;
    memcpy(&bits, &feature->bins.edges[i], sizeof bits);
    varint_put(out, bits);
  }
  for (uint32_t i = 0; i < drift_used(&feature->bins); i++) varint_put(out, feature->bins.rows[i]);
}

void baseline_write(const struct baseline *baseline, struct varint_out *out)
{
  for (int i = 0; i < SLOW_ROWS; i++) {
    varint_put(out, baseline->slow.used[i]);
    varint_put(out, baseline->slow.us[i]);
  }
  varint_put(out, baseline->blocks);
  varint_put(out, baseline->requests);
  for (int arm = 0; arm < ARMS_MAX; arm++)
    for (int row = 0; row < BASELINE_ROWS; row++) varint_put(out, bits_of(baseline->phi[arm][row]));
  varint_put(out, baseline->n_recent);
  for (uint32_t i = 0; i < baseline->n_recent; i++) {
    varint_put(out, baseline->recent[i].requests);
    varint_put(out, baseline->recent[i].bad);
  }
  varint_put(out, baseline->n_features);
  for (uint32_t i = 0; i < baseline->n_features; i++) feature_write(&baseline->features[i], out);
}

static bool get(struct slice *bytes, uint64_t max, uint64_t *value)
{
  return varint_get(bytes, value) && *value <= max;
}

static bool slow_read(struct slow *slow, struct slice *bytes)
{
  uint64_t used;
  for (int i = 0; i < SLOW_ROWS; i++) {
    if (!get(bytes, 1, &used) || !get(bytes, UINT64_MAX, &slow->us[i])) return false;
    if (!sketch_is_edge(slow->us[i]) || (!used && slow->us[i])) return false;
    slow->used[i] = used == 1;
    slow->rows += used == 1;
  }
  return true;
}

static bool phi_read(struct baseline *baseline, struct slice *bytes)
{
  for (int arm = 0; arm < ARMS_MAX; arm++)
    for (int row = 0; row < BASELINE_ROWS; row++) {
      uint64_t bits;
      if (!varint_get(bytes, &bits)) return false;
      memcpy(&baseline->phi[arm][row], &bits, sizeof bits);
      if (!(baseline->phi[arm][row] >= 1 && baseline->phi[arm][row] < M_INF)) return false;
    }
  return true;
}

static bool name_read(char *name, size_t cap, struct slice *bytes)
{
  uint64_t len, c;
  if (!get(bytes, cap - 1, &len)) return false;
  for (uint64_t i = 0; i < len; i++) {
    if (!get(bytes, 0x7e, &c) || c < 0x20) return false;
    name[i] = (char)c;
  }
  return true;
}

/* Edges are finite and rise. */
static bool feature_read(struct baseline_feature *feature, struct slice *bytes)
{
  struct drift_bins *bins = &feature->bins;
  uint64_t n, value;
  if (!name_read(feature->name, sizeof feature->name, bytes)) return false;
  if (!get(bytes, DRIFT_EDGES, &n)) return false;
  bins->n_edges = (uint32_t)n;
  for (uint32_t i = 0; i < bins->n_edges; i++) {
    if (!get(bytes, UINT32_MAX, &value)) return false;
    uint32_t bits = (uint32_t)value;
    memcpy(&bins->edges[i], &bits, sizeof bits);
    double edge = (double)bins->edges[i];
    if (!(edge > (i ? (double)bins->edges[i - 1] : -M_INF) && edge < M_INF)) return false;
  }
  for (uint32_t i = 0; i < drift_used(bins); i++) {
    if (!get(bytes, UINT32_MAX, &value)) return false;
    bins->rows[i] = (uint32_t)value;
  }
  return true;
}

static bool features_read_all(struct baseline *baseline, struct slice *bytes)
{
  uint64_t n = 0;
  if (!bytes->len) return true; /* of before there were any */
  if (!get(bytes, DRIFT_FEATURES, &n)) return false;
  for (uint64_t i = 0; i < n; i++)
    if (!feature_read(&baseline->features[i], bytes)) return false;
  baseline->n_features = (uint32_t)n;
  return true;
}

enum code baseline_read(struct baseline *baseline, struct slice *bytes, struct err *err)
{
  struct slice at = *bytes;
  uint64_t blocks = 0, n = 0;
  memset(baseline, 0, sizeof *baseline);
  bool fine = slow_read(&baseline->slow, &at) && get(&at, PAST_BLOCKS, &blocks) &&
              get(&at, M_COUNT_MAX, &baseline->requests) && phi_read(baseline, &at) &&
              get(&at, PAST_RECENT, &n);
  for (uint64_t i = 0; fine && i < n; i++) {
    struct baseline_recent *recent = &baseline->recent[i];
    fine = get(&at, M_COUNT_MAX, &recent->requests) && get(&at, recent->requests, &recent->bad);
  }
  fine = fine && features_read_all(baseline, &at);
  if (!fine) return fail(err, E_INVALID_ARGUMENT, "these bytes are no whole baseline");
  baseline->blocks = (uint32_t)blocks;
  baseline->n_recent = (uint32_t)n;
  *bytes = at;
  return OK;
}
