/* buckets.c - entries by hash.
 * Thread: any loop, with the shard's lock held.
 * SPDX-License-Identifier: MIT */
#include "serve/cache/buckets_int.h"

#include "base/mem.h"
#include "serve/cache/shard_int.h"

static uint32_t segment_len(uint32_t segment)
{
  return segment ? (uint32_t)BUCKETS_FIRST << (segment - 1) : BUCKETS_FIRST;
}

static struct entry **bucket_at(const struct buckets *table, uint32_t at)
{
  if (at < BUCKETS_FIRST) return &table->segments[0][at];
  uint32_t segment = 32 - (uint32_t)__builtin_clz(at / BUCKETS_FIRST);
  return &table->segments[segment][at - ((uint32_t)BUCKETS_FIRST << (segment - 1))];
}

struct entry **buckets_bucket(const struct buckets *table, uint64_t hash)
{
  if (!table->n_buckets) return NULL;
  uint32_t whole = 1u << (31 - __builtin_clz(table->n_buckets)); /* the power of two below */
  uint32_t at = (uint32_t)hash & (2 * whole - 1);
  return bucket_at(table, at < table->n_buckets ? at : at & (whole - 1));
}

/* One bucket more: those of the one it splits from that belong to it move. */
static void split(struct buckets *table)
{
  uint32_t from = table->n_buckets - (1u << (31 - __builtin_clz(table->n_buckets)));
  struct entry *entry = *bucket_at(table, from);
  *bucket_at(table, from) = NULL;
  table->n_buckets++;
  while (entry) {
    struct entry *next = entry->next, **to = buckets_bucket(table, entry->hash[0]);
    entry->next = *to;
    *to = entry;
    entry = next;
  }
}

static uint32_t room(const struct buckets *table)
{
  return table->n_segments ? (uint32_t)BUCKETS_FIRST << (table->n_segments - 1) : 0;
}

void buckets_add(struct buckets *table, struct entry *entry)
{
  must(table->n_segments > 0);
  struct entry **bucket = buckets_bucket(table, entry->hash[0]);
  entry->next = *bucket;
  *bucket = entry;
  table->n_entries++;
  if (table->n_entries > table->n_buckets && table->n_buckets < room(table)) split(table);
}

void buckets_remove(struct buckets *table, struct entry *entry)
{
  struct entry **at = buckets_bucket(table, entry->hash[0]);
  while (*at != entry) at = &(*at)->next;
  *at = entry->next;
  table->n_entries--;
}

uint32_t buckets_wants(const struct buckets *table)
{
  bool full = table->n_entries >= room(table);
  return full && table->n_segments < BUCKETS_SEGMENTS ? segment_len(table->n_segments) : 0;
}

bool buckets_give(struct buckets *table, struct entry **segment, uint32_t n)
{
  if (buckets_wants(table) != n) return false;
  table->segments[table->n_segments++] = segment;
  if (!table->n_buckets) table->n_buckets = BUCKETS_FIRST;
  return true;
}

void buckets_deinit(struct buckets *table)
{
  for (uint32_t i = 0; i < table->n_segments; i++) ungrab(table->segments[i]);
}
