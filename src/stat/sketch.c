/* sketch.c - counting by shifts, adding by loops, and the form at rest.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "stat/sketch.h"

#include "stat/math.h"

uint64_t sketch_edge(uint32_t bucket)
{
  if (bucket >= SKETCH_BUCKETS - 1) return UINT64_MAX;
  if (bucket < SKETCH_SUB) return bucket + 1;
  uint32_t shift = bucket / SKETCH_SUB - 1, sub = bucket % SKETCH_SUB;
  return (uint64_t)(SKETCH_SUB + sub + 1) << shift;
}

bool sketch_is_edge(uint64_t us)
{
  return us == 0 || us == UINT64_MAX || sketch_edge(sketch_bucket(us - 1)) == us;
}

void sketch_add(struct sketch *sketch, uint64_t us)
{
  sketch->count++;
  sketch->at[sketch_bucket(us)]++;
}

void sketch_merge(struct sketch *into, const struct sketch *from)
{
  into->count += from->count;
  for (uint32_t i = 0; i < SKETCH_BUCKETS; i++) into->at[i] += from->at[i];
}

void sketch_merge32(struct sketch *into, const struct sketch32 *from)
{
  uint64_t count = 0;
  for (uint32_t i = 0; i < SKETCH_BUCKETS; i++) {
    count += from->at[i];
    into->at[i] += from->at[i];
  }
  into->count += count;
}

uint64_t sketch_quantile(const struct sketch *sketch, double q)
{
  if (sketch->count == 0) return 0;
  uint64_t rank = (uint64_t)(q * (double)sketch->count), seen = 0;
  if (rank >= sketch->count) rank = sketch->count - 1;
  for (uint32_t i = 0; i < SKETCH_BUCKETS; i++) {
    seen += sketch->at[i];
    if (seen > rank) return sketch_edge(i);
  }
  return UINT64_MAX;
}

uint64_t sketch_above(const struct sketch *sketch, uint64_t edge)
{
  must(sketch_is_edge(edge));
  uint64_t seen = 0;
  if (edge == UINT64_MAX) return 0;
  for (uint32_t i = sketch_bucket(edge); i < SKETCH_BUCKETS; i++) seen += sketch->at[i];
  return seen;
}

uint64_t sketch_below(const struct sketch *sketch, uint64_t edge)
{
  return sketch->count - sketch_above(sketch, edge);
}

void sketch_encode(const struct sketch *sketch, struct varint_out *out)
{
  uint32_t filled = 0, last = 0;
  for (uint32_t i = 0; i < SKETCH_BUCKETS; i++) filled += sketch->at[i] != 0;
  varint_put(out, SKETCH_VERSION);
  varint_put(out, filled);
  for (uint32_t i = 0; i < SKETCH_BUCKETS; i++) {
    if (!sketch->at[i]) continue;
    varint_put(out, i - last);
    varint_put(out, sketch->at[i]);
    last = i;
  }
}

/* One walk over the pairs: with into NULL it checks, else it adds. *count: the sum, with into NULL
 * refused as soon as it passes 2^53. */
static bool pairs_walk(struct sketch *into, struct slice *bytes, uint64_t *count)
{
  uint64_t filled, gap, n, at = 0;
  if (!varint_get(bytes, &filled) || filled > SKETCH_BUCKETS) return false;
  for (uint64_t i = 0; i < filled; i++) {
    if (!varint_get(bytes, &gap) || !varint_get(bytes, &n)) return false;
    if (gap >= SKETCH_BUCKETS || (gap == 0 && i > 0) || n == 0 || n > M_COUNT_MAX) return false;
    at += gap;
    *count += n;
    if (at >= SKETCH_BUCKETS || *count > M_COUNT_MAX) return false;
    if (into) into->at[at] += n;
  }
  return true;
}

enum code sketch_decode(struct sketch *into, struct slice *bytes, struct err *err)
{
  struct slice rest = *bytes;
  uint64_t version, count = into->count;
  if (!varint_get(&rest, &version)) return fail(err, E_INVALID_ARGUMENT, "a sketch is cut short");
  if (version != SKETCH_VERSION)
    return fail(err, E_INVALID_ARGUMENT,
                "a sketch has edges of version %llu, this program those of %d",
                (unsigned long long)version, SKETCH_VERSION);
  struct slice pairs = rest;
  if (!pairs_walk(NULL, &rest, &count))
    return fail(err, E_INVALID_ARGUMENT, "a sketch is malformed");
  must(pairs_walk(into, &pairs, &into->count));
  *bytes = rest;
  return OK;
}
