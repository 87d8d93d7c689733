/* cache.h - answers kept for the next one who asks the same, and runs that several wait for.
 * Thread: any loop; all loops share one cache. cache_new and cache_free: main. cache_budget_set and
 * the readers: any.
 *
 * A key is the canonical form of a request (canon.h); what is kept is a blob: the key and, behind
 * it, the answer's tensors. Only an entry whose key is equal byte for byte is found: its hash alone
 * says where to look.
 *
 * Exception 1 of what threads share (docs/THREADS.md, ADR 0037): shards, each with a leaf mutex
 * that is held for one look-up, one insert or one step of sweeping. A tenant lives in one shard, so
 * that its budget, its order of use and its end are exact under one lock, and no step of one
 * tenant's touches another's entries but to make room.
 *
 * Bytes: an entry counts its key, its answer and its place in the index. Past a model's or its
 * tenant's budget the least recently used of it go; past the budget of all, the least recently used
 * of the tenant that holds the most: shares are equal, so it is the one most above its own.
 * Source: overload rules, section 4.
 * SPDX-License-Identifier: MIT */
#ifndef SERVE_CACHE_CACHE_H
#define SERVE_CACHE_CACHE_H

#include "base/blob.h"
#include "world/meter.h"
#include "world/world.h"

struct cache;

enum { CACHE_ENTRY_MAX = 1 << 20 }; /* key and answer together; more is not kept */

struct cache_key {
  uint64_t hash[2];
  uint32_t shard;
  struct slice bytes; /* canonical; whose memory it is, lives as long as the key is in use */
};

/* Whose an entry is, and what its owner may have. Names are copied. */
struct cache_owner {
  struct slice tenant, model;
  struct meter *meter; /* of the tenant: outlives the cache; NULL: nobody counts */
  uint64_t tenant_max, model_max; /* bytes */
  uint32_t version;    /* its number */
  uint64_t seq;        /* of the event that made it: no other version ever has it */
};

struct cache *cache_new(uint64_t bytes_max);
void cache_free(struct cache *cache); /* after every loop; NULL is fine */
/* Memory that cache_new takes itself. */
uint64_t cache_boot_bytes(void);

/* The key of these bytes: where they are looked for is the secret of this process and its
 * tenant. */
struct cache_key cache_key_of(const struct cache *cache, struct slice tenant, struct slice bytes);

/* The blob kept for this key, one more holder: drop it. NULL: there is none, or its time is over.
 * *mismatches is raised by each entry whose hash is the same and whose key is not. */
struct blob *cache_find(struct cache *cache, const struct cache_key *key, int64_t now_us,
                        uint32_t *mismatches);

/* Keeps a blob (key, then answer) until expires_us; one holder more where it is kept, instead of
 * the entry of an equal key. False: it is too large for one of the budgets, or a world after
 * `serial`, the newest that its loop knows, was swept for already. */
bool cache_fill(struct cache *cache, const struct cache_key *key, const struct cache_owner *owner,
                struct blob *blob, int64_t now_us, int64_t expires_us, uint64_t serial);

/* Gives back what the world no longer answers with, what has expired, and what is above a budget
 * that was lowered: of shards `first`, first + step, ... */
void cache_sweep(struct cache *cache, const struct world *world, uint32_t first, uint32_t step,
                 int64_t now_us);

/* All entries together may take so many bytes from now on; what is above goes with the next fill or
 * sweep. For whoever watches the machine's memory: halve cache_budget_normal, and set it again. */
void cache_budget_set(struct cache *cache, uint64_t bytes_max);
uint64_t cache_budget(const struct cache *cache);
uint64_t cache_budget_normal(const struct cache *cache); /* as cache_new was told */
uint64_t cache_bytes(const struct cache *cache);         /* kept now */

#endif
