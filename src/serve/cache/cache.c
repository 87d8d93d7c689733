/* cache.c - look-ups, fills, and what goes when: the doors of the cache.
 * Thread: any loop; see cache.h.
 * SPDX-License-Identifier: MIT */
#include "serve/cache/cache.h"

#include "base/mem.h"
#include "base/rand.h"
#include "serve/cache/shard_int.h"

/* What an entry takes beside its key and answer: itself, the heads of two blocks of the heap, its
 * bucket. */
enum { ENTRY_OVERHEAD = sizeof(struct entry) + sizeof(struct blob) + 2 * 16 + sizeof(void *) };

struct cache *cache_new(uint64_t bytes_max)
{
  char *at = grab_zero(1, sizeof(struct cache) + 64);
  struct cache *cache = (struct cache *)(void *)(at + (-(uintptr_t)at & 63));
  cache->base = at;
  rand_secret(cache->secret, sizeof cache->secret);
  atomic_init(&cache->bytes_max, bytes_max);
  cache->bytes_normal = bytes_max;
  for (int i = 0; i < SHARDS; i++) {
    struct shard *shard = &cache->shards[i];
    must(pthread_mutex_init(&shard->lock, NULL) == 0);
    list_init(&shard->tenants);
    for (int k = 0; k < FLIGHT_BUCKETS; k++) list_init(&shard->flights[k]);
  }
  return cache;
}

void cache_free(struct cache *cache)
{
  if (!cache) return;
  for (int i = 0; i < SHARDS; i++) {
    struct shard *shard = &cache->shards[i];
    struct waste waste = {0};
    while (!list_empty(&shard->tenants)) {
      struct kept_tenant *tenant = LIST_OF(shard->tenants.next, struct kept_tenant, link);
      shard_drop(cache, shard, LIST_OF(tenant->entries.next, struct entry, by_tenant), &waste);
    }
    waste_free(&waste);
    buckets_deinit(&shard->table);
    pthread_mutex_destroy(&shard->lock);
  }
  must(atomic_load(&cache->bytes) == 0);
  ungrab(cache->base);
}

uint64_t cache_boot_bytes(void) { return sizeof(struct cache) + 64; }

/* The tenant's salt is what the secret makes of its name. */
struct cache_key cache_key_of(const struct cache *cache, struct slice tenant, struct slice bytes)
{
  struct cache_key key = {.bytes = bytes};
  unsigned char salt[16];
  uint64_t half[2];
  siphash128(cache->secret, tenant, half);
  memcpy(salt, half, sizeof salt);
  key.shard = (uint32_t)(half[0] % SHARDS);
  siphash128(salt, bytes, key.hash);
  return key;
}

void cache_budget_set(struct cache *cache, uint64_t bytes_max)
{
  atomic_store_explicit(&cache->bytes_max, bytes_max, memory_order_relaxed);
}

uint64_t cache_budget(const struct cache *cache)
{
  return atomic_load_explicit(&cache->bytes_max, memory_order_relaxed);
}

uint64_t cache_budget_normal(const struct cache *cache) { return cache->bytes_normal; }

uint64_t cache_bytes(const struct cache *cache)
{
  return atomic_load_explicit(&cache->bytes, memory_order_relaxed);
}

/* --- look-ups --------------------------------------------------------------------------------- */

struct blob *shard_look(struct cache *cache, struct shard *shard, const struct cache_key *key,
                        int64_t now_us, struct waste *waste, uint32_t *mismatches)
{
  struct entry *entry = shard_find(shard, key, mismatches);
  if (!entry) return NULL;
  if (entry->expires_us <= now_us) {
    shard_drop(cache, shard, entry, waste);
    return NULL;
  }
  shard_use(shard, entry);
  return blob_share(entry->blob);
}

struct blob *cache_find(struct cache *cache, const struct cache_key *key, int64_t now_us,
                        uint32_t *mismatches)
{
  struct shard *shard = &cache->shards[key->shard];
  struct waste waste = {0};
  shard_lock(shard);
  struct blob *blob = shard_look(cache, shard, key, now_us, &waste, mismatches);
  shard_unlock(shard);
  waste_free(&waste);
  return blob;
}

/* --- room ------------------------------------------------------------------------------------- */

static struct shard *fullest(struct cache *cache)
{
  struct shard *most = NULL;
  uint64_t top = 0;
  for (int i = 0; i < SHARDS; i++) {
    uint64_t bytes = atomic_load_explicit(&cache->shards[i].top, memory_order_relaxed);
    if (bytes > top) top = bytes, most = &cache->shards[i];
  }
  return most;
}

/* Of the tenant that holds the most, a few entries at a time, until all together fit. */
static void all_fit(struct cache *cache)
{
  struct shard *shard;
  while (cache_bytes(cache) > cache_budget(cache) && (shard = fullest(cache))) {
    struct waste waste = {0};
    shard_lock(shard);
    struct kept_tenant *tenant = shard_largest(shard);
    for (int n = 0; tenant && n < DROPS_MAX && cache_bytes(cache) > cache_budget(cache); n++) {
      bool last = tenant->entries.next == tenant->entries.prev;
      shard_evict(cache, shard, tenant_oldest(tenant), &waste);
      if (last || n % 8 == 7) tenant = shard_largest(shard);
    }
    shard_top(shard);
    shard_unlock(shard);
    waste_free(&waste);
  }
}

/* --- fills ------------------------------------------------------------------------------------ */

static struct entry *entry_new(const struct cache_key *key, struct blob *blob, int64_t expires_us)
{
  struct entry *entry = grab_zero(1, sizeof *entry);
  memcpy(entry->hash, key->hash, sizeof entry->hash);
  entry->blob = blob_share(blob);
  entry->expires_us = expires_us;
  entry->key_len = (uint32_t)key->bytes.len;
  entry->bytes = (uint32_t)(blob->len + ENTRY_OVERHEAD);
  return entry;
}

static bool fits(const struct cache *cache, const struct cache_owner *owner,
                 const struct blob *blob)
{
  uint64_t bytes = blob->len + ENTRY_OVERHEAD;
  return blob->len <= CACHE_ENTRY_MAX && bytes <= owner->tenant_max && bytes <= owner->model_max &&
         bytes <= cache_budget(cache);
}

/* OVER: kept, and more has to make room for it than may go at once. */
enum filled { FILLED, FILLED_NOT, FILLED_OVER, FILL_NEEDS_ROOM, FILL_NEEDS_GROUPS };

static enum filled fill_try(struct cache *cache, const struct cache_key *key,
                            const struct cache_owner *owner, struct entry *entry, uint64_t serial,
                            struct spare *spare, struct waste *waste)
{
  struct shard *shard = &cache->shards[key->shard];
  uint32_t ignored = 0;
  if (serial < shard->swept) return FILLED_NOT;
  if (!shard->table.n_segments) return FILL_NEEDS_ROOM;
  struct kept_version *of = shard_owner(shard, owner, spare);
  if (!of) return FILL_NEEDS_GROUPS;
  struct entry *old = shard_find(shard, key, &ignored);
  shard_add(cache, shard, entry, of);
  if (old) shard_drop(cache, shard, old, waste);
  bool over = shard_fit(cache, shard, of, owner->model_max, waste);
  uint64_t bytes = of->model->tenant->bytes;
  if (bytes > atomic_load_explicit(&shard->top, memory_order_relaxed))
    atomic_store_explicit(&shard->top, bytes, memory_order_relaxed);
  if (over) return FILLED_OVER;
  return buckets_wants(&shard->table) ? FILL_NEEDS_ROOM : FILLED;
}

/* The rest of what has to make room: a budget was lowered, or one large entry is worth many. */
static void owner_fit(struct cache *cache, struct shard *shard, const struct cache_owner *owner)
{
  for (bool over = true; over;) {
    struct waste waste = {0};
    shard_lock(shard);
    struct kept_version *of = shard_owner(shard, owner, &(struct spare){0});
    over = of && shard_fit(cache, shard, of, owner->model_max, &waste);
    shard_unlock(shard);
    waste_free(&waste);
  }
}

static void table_grow(struct shard *shard)
{
  shard_lock(shard);
  uint32_t n = buckets_wants(&shard->table);
  shard_unlock(shard);
  if (!n) return;
  struct entry **segment = grab_zero(n, sizeof *segment);
  shard_lock(shard);
  bool given = buckets_give(&shard->table, segment, n);
  shard_unlock(shard);
  if (!given) ungrab(segment);
}

bool cache_fill(struct cache *cache, const struct cache_key *key, const struct cache_owner *owner,
                struct blob *blob, int64_t now_us, int64_t expires_us, uint64_t serial)
{
  struct shard *shard = &cache->shards[key->shard];
  struct waste waste = {0};
  struct spare spare = {0};
  if (!fits(cache, owner, blob) || expires_us <= now_us) return false;
  struct entry *entry = entry_new(key, blob, expires_us);
  enum filled filled;
  bool in = false;
  do {
    shard_lock(shard);
    filled = fill_try(cache, key, owner, entry, serial, &spare, &waste);
    in = entry->of != NULL;
    shard_unlock(shard);
    if (filled == FILL_NEEDS_ROOM) table_grow(shard);
    if (filled == FILL_NEEDS_GROUPS)
      spare = (struct spare){grab(sizeof *spare.tenant), grab(sizeof *spare.model),
                             grab(sizeof *spare.version)};
  } while (!in && filled != FILLED_NOT);
  if (!in) {
    blob_drop(entry->blob);
    ungrab(entry);
  }
  ungrab(spare.tenant);
  ungrab(spare.model);
  ungrab(spare.version);
  waste_free(&waste);
  if (filled == FILLED_OVER) owner_fit(cache, shard, owner);
  if (cache_bytes(cache) > cache_budget(cache)) all_fit(cache);
  return in;
}

/* --- sweeping --------------------------------------------------------------------------------- */

static bool version_is_over(const struct world *world, const struct kept_version *is)
{
  const struct kept_model *of = is->model;
  const struct tenant *tenant =
      world_tenant(world, slice_of(of->tenant->name, of->tenant->len));
  const struct model *model =
      tenant ? world_model(world, tenant, slice_of(of->name, of->len)) : NULL;
  const struct version *version = model ? model_version(model, is->number) : NULL;
  return !version || version->seq != is->seq || !version_answers(version) ||
         !version->cache_ttl_us;
}

/* What should go of this version; NULL: nothing more. Entries stand in order of use, so what nobody
 * asked for since it expired stands last. */
static struct entry *version_due(const struct kept_version *version, int64_t now_us)
{
  if (version->entries.prev == &version->entries) return NULL;
  struct entry *last = LIST_OF(version->entries.prev, struct entry, by_version);
  return version->over || last->expires_us <= now_us ? last : NULL;
}

static struct kept_version *tenant_due(const struct kept_tenant *tenant, int64_t now_us)
{
  for (struct link *at = tenant->models.next; at != &tenant->models; at = at->next) {
    const struct kept_model *model = LIST_OF(at, struct kept_model, link);
    for (struct link *link = model->versions.next; link != &model->versions; link = link->next) {
      struct kept_version *version = LIST_OF(link, struct kept_version, link);
      if (version_due(version, now_us)) return version;
    }
  }
  return NULL;
}

static void tenant_look(struct kept_tenant *tenant, const struct world *world, uint64_t round)
{
  if (tenant->looked == round) return;
  tenant->looked = round;
  const struct tenant *is = world_tenant(world, slice_of(tenant->name, tenant->len));
  if (is) tenant->max = quota_value(is->quotas, QUOTA_cache_bytes);
  for (struct link *at = tenant->models.next; at != &tenant->models; at = at->next) {
    struct kept_model *model = LIST_OF(at, struct kept_model, link);
    for (struct link *link = model->versions.next; link != &model->versions; link = link->next) {
      struct kept_version *version = LIST_OF(link, struct kept_version, link);
      version->over = version_is_over(world, version);
    }
  }
}

/* One tenant that this round has not seen; false: there is none. It is seen once it has nothing
 * more to give back. */
static bool sweep_step(struct cache *cache, struct shard *shard, const struct world *world,
                       uint64_t round, int64_t now_us, struct waste *waste)
{
  struct kept_tenant *tenant = NULL;
  for (struct link *link = shard->tenants.next; link != &shard->tenants; link = link->next) {
    tenant = LIST_OF(link, struct kept_tenant, link);
    if (tenant->round != round) break;
    tenant = NULL;
  }
  if (!tenant) return false;
  tenant_look(tenant, world, round);
  /* Empty, it is on no list any more, but lies in the waste still. */
  for (int n = 0; n < DROPS_MAX && !list_empty(&tenant->entries); n++) {
    struct kept_version *due = tenant_due(tenant, now_us);
    struct entry *entry = NULL;
    for (; due && n < DROPS_MAX && (entry = version_due(due, now_us)); n++)
      shard_drop(cache, shard, entry, waste);
    if (due) continue;
    if (tenant->bytes <= tenant->max) {
      tenant->round = round;
      break;
    }
    shard_evict(cache, shard, tenant_oldest(tenant), waste);
  }
  return true;
}

void cache_sweep(struct cache *cache, const struct world *world, uint32_t first, uint32_t step,
                 int64_t now_us)
{
  uint64_t serial = world_serial(world);
  uint64_t round = atomic_fetch_add_explicit(&cache->rounds, 1, memory_order_relaxed) + 1;
  for (uint32_t i = first; i < SHARDS; i += step) {
    struct shard *shard = &cache->shards[i];
    bool more = true;
    while (more) {
      struct waste waste = {0};
      shard_lock(shard);
      if (serial > shard->swept) shard->swept = serial;
      more = serial == shard->swept &&
             sweep_step(cache, shard, world, round, now_us, &waste);
      if (!more) shard_top(shard);
      shard_unlock(shard);
      waste_free(&waste);
    }
  }
  if (cache_bytes(cache) > cache_budget(cache)) all_fit(cache);
}
