/* shard_int.h - a shard of the cache: what its mutex guards.
 * Thread: any loop, with the shard's lock held.
 * The lock is a leaf: while it is held nothing is called that locks, waits or takes memory. Memory
 * is taken before and given back after.
 * SPDX-License-Identifier: MIT */
#ifndef SERVE_CACHE_SHARD_INT_H
#define SERVE_CACHE_SHARD_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/hash.h"
#include "base/list.h"
#include "serve/cache/cache.h"
#include "serve/cache/buckets_int.h"

enum { SHARDS = 64, FLIGHT_BUCKETS = 256, NAME_BYTES = 64 };
enum { DROPS_MAX = 64 }; /* entries that leave a shard while its lock is held once */

/* What is kept of a version, of a model, of a tenant. */
struct kept_tenant {
  struct link link; /* shard->tenants */
  struct link models, entries; /* entries: last used first */
  uint64_t bytes, max;
  struct meter *meter;
  uint64_t round;  /* of the sweep that saw it last */
  uint64_t looked; /* of the sweep that last compared it with its world */
  uint32_t len;
  char name[NAME_BYTES];
};

struct kept_model {
  struct link link; /* tenant->models */
  struct link versions;
  struct kept_tenant *tenant;
  uint64_t bytes;
  uint32_t len;
  char name[NAME_BYTES];
};

struct kept_version {
  struct link link; /* model->versions */
  struct link entries;
  struct kept_model *model;
  uint64_t seq;
  uint32_t number;
  bool over; /* the newest world has it no more */
};

struct entry {
  struct entry *next; /* in its bucket; then in the heap of what is to be freed */
  uint64_t hash[2];
  struct link by_tenant, by_version;
  struct kept_version *of;
  struct blob *blob;
  int64_t expires_us;
  uint64_t used; /* the shard's count when it was used last */
  uint32_t key_len, bytes;
};

struct shard {
  _Alignas(64) pthread_mutex_t lock;
  struct buckets table;
  struct link tenants;
  uint64_t used;  /* counts uses */
  uint64_t swept; /* the newest world that was swept for */
  _Atomic uint64_t top; /* bytes of the tenant that holds the most: read without the lock */
  struct link flights[FLIGHT_BUCKETS]; /* those that lead */
};

struct cache {
  char *base; /* what was grabbed */
  unsigned char secret[16];
  _Atomic uint64_t bytes, bytes_max;
  _Atomic uint64_t rounds;
  uint64_t bytes_normal;
  struct shard shards[SHARDS];
};

/* What leaves a shard, to be freed without its lock. */
struct waste {
  struct entry *entries;
  struct link *groups; /* by next */
};
void waste_free(struct waste *waste);

static inline bool key_is(const struct cache_key *key, const uint64_t hash[2], struct slice bytes)
{
  return key->hash[0] == hash[0] && key->hash[1] == hash[1] && slice_eq(key->bytes, bytes);
}

static inline void shard_lock(struct shard *shard) { pthread_mutex_lock(&shard->lock); }
static inline void shard_unlock(struct shard *shard) { pthread_mutex_unlock(&shard->lock); }

/* cache.c: an entry as cache_find gives it, with the lock held. */
struct blob *shard_look(struct cache *cache, struct shard *shard, const struct cache_key *key,
                        int64_t now_us, struct waste *waste, uint32_t *mismatches);

/* keep.c: all with the lock held. */
struct entry *shard_find(struct shard *shard, const struct cache_key *key, uint32_t *mismatches);
void shard_use(struct shard *shard, struct entry *entry); /* it was used: it goes last */
/* Takes an entry out of everything, into the waste; what is empty then, too. */
void shard_drop(struct cache *cache, struct shard *shard, struct entry *entry, struct waste *waste);
/* The same of an entry that has to make room: counted. */
void shard_evict(struct cache *cache, struct shard *shard, struct entry *entry,
                 struct waste *waste);
/* Groups that a fill may need and does not find. */
struct spare {
  struct kept_tenant *tenant;
  struct kept_model *model;
  struct kept_version *version;
};
/* Whose the entry will be; NULL: a group is missing that `spare` has none for. */
struct kept_version *shard_owner(struct shard *shard, const struct cache_owner *owner,
                                 struct spare *spare);
void shard_add(struct cache *cache, struct shard *shard, struct entry *entry,
               struct kept_version *of);
/* Evicts what is above the budget of this version's model, or tenant, DROPS_MAX at most; what came
 * last fits by itself and stays. True: there is more to evict. */
bool shard_fit(struct cache *cache, struct shard *shard, struct kept_version *of,
               uint64_t model_max, struct waste *waste);
struct entry *tenant_oldest(const struct kept_tenant *tenant); /* the least recently used */
struct kept_tenant *shard_largest(const struct shard *shard);
void shard_top(struct shard *shard);

#endif
