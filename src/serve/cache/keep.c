/* keep.c - entries and whose they are, inside one shard.
 * Thread: any loop, with the shard's lock held; waste_free without it.
 * SPDX-License-Identifier: MIT */
#include "base/mem.h"
#include "serve/cache/shard_int.h"

void waste_free(struct waste *waste)
{
  while (waste->entries) {
    struct entry *entry = waste->entries;
    waste->entries = entry->next;
    blob_drop(entry->blob);
    ungrab(entry);
  }
  while (waste->groups) {
    struct link *group = waste->groups;
    waste->groups = group->next;
    ungrab(group); /* each group begins with its link */
  }
}
_Static_assert(offsetof(struct kept_tenant, link) == 0, "a group is its link");
_Static_assert(offsetof(struct kept_model, link) == 0, "a group is its link");
_Static_assert(offsetof(struct kept_version, link) == 0, "a group is its link");

static void group_waste(struct link *group, struct waste *waste)
{
  list_remove(group);
  group->next = waste->groups;
  waste->groups = group;
}

struct entry *shard_find(struct shard *shard, const struct cache_key *key, uint32_t *mismatches)
{
  struct entry **bucket = buckets_bucket(&shard->table, key->hash[0]);
  for (struct entry *entry = bucket ? *bucket : NULL; entry; entry = entry->next) {
    if (entry->hash[0] != key->hash[0] || entry->hash[1] != key->hash[1]) continue;
    if (slice_eq(key->bytes, slice_of(entry->blob->bytes, entry->key_len))) return entry;
    ++*mismatches;
  }
  return NULL;
}

void shard_use(struct shard *shard, struct entry *entry)
{
  entry->used = ++shard->used;
  list_remove(&entry->by_tenant);
  list_remove(&entry->by_version);
  list_push_front(&entry->of->model->tenant->entries, &entry->by_tenant);
  list_push_front(&entry->of->entries, &entry->by_version);
}

/* --- bytes ------------------------------------------------------------------------------------ */

static void bytes_add(struct cache *cache, struct kept_version *of, uint64_t bytes)
{
  struct kept_tenant *tenant = of->model->tenant;
  of->model->bytes += bytes;
  tenant->bytes += bytes;
  atomic_fetch_add_explicit(&cache->bytes, bytes, memory_order_relaxed);
  if (tenant->meter)
    atomic_fetch_add_explicit(&tenant->meter->cache_bytes, bytes, memory_order_relaxed);
}

static void bytes_give(struct cache *cache, struct kept_version *of, uint64_t bytes)
{
  struct kept_tenant *tenant = of->model->tenant;
  must(of->model->bytes >= bytes && tenant->bytes >= bytes);
  of->model->bytes -= bytes;
  tenant->bytes -= bytes;
  atomic_fetch_sub_explicit(&cache->bytes, bytes, memory_order_relaxed);
  if (tenant->meter)
    atomic_fetch_sub_explicit(&tenant->meter->cache_bytes, bytes, memory_order_relaxed);
}

/* --- out -------------------------------------------------------------------------------------- */

void shard_drop(struct cache *cache, struct shard *shard, struct entry *entry, struct waste *waste)
{
  struct kept_version *version = entry->of;
  struct kept_model *model = version->model;
  struct kept_tenant *tenant = model->tenant;
  buckets_remove(&shard->table, entry);
  list_remove(&entry->by_tenant);
  list_remove(&entry->by_version);
  bytes_give(cache, version, entry->bytes);
  entry->next = waste->entries;
  waste->entries = entry;
  if (!list_empty(&version->entries)) return;
  group_waste(&version->link, waste);
  if (!list_empty(&model->versions)) return;
  group_waste(&model->link, waste);
  if (list_empty(&tenant->models)) group_waste(&tenant->link, waste);
}

void shard_evict(struct cache *cache, struct shard *shard, struct entry *entry,
                 struct waste *waste)
{
  struct meter *meter = entry->of->model->tenant->meter;
  if (meter) atomic_fetch_add_explicit(&meter->cache_evictions, 1, memory_order_relaxed);
  shard_drop(cache, shard, entry, waste);
}

/* --- in --------------------------------------------------------------------------------------- */

static bool name_is(const char *name, uint32_t len, struct slice want)
{
  return slice_eq(slice_of(name, len), want);
}

static uint32_t name_copy(char to[NAME_BYTES], struct slice name)
{
  must(name.len <= NAME_BYTES);
  memcpy(to, name.at, name.len);
  return (uint32_t)name.len;
}

static struct kept_tenant *tenant_of(struct shard *shard, const struct cache_owner *owner,
                                     struct spare *spare)
{
  for (struct link *link = shard->tenants.next; link != &shard->tenants; link = link->next) {
    struct kept_tenant *tenant = LIST_OF(link, struct kept_tenant, link);
    if (name_is(tenant->name, tenant->len, owner->tenant)) return tenant;
  }
  struct kept_tenant *tenant = spare->tenant;
  if (!tenant) return NULL;
  spare->tenant = NULL;
  *tenant = (struct kept_tenant){.meter = owner->meter};
  tenant->len = name_copy(tenant->name, owner->tenant);
  list_init(&tenant->models);
  list_init(&tenant->entries);
  list_push_front(&shard->tenants, &tenant->link);
  return tenant;
}

static struct kept_model *model_of(struct kept_tenant *tenant, const struct cache_owner *owner,
                                   struct spare *spare)
{
  for (struct link *link = tenant->models.next; link != &tenant->models; link = link->next) {
    struct kept_model *model = LIST_OF(link, struct kept_model, link);
    if (name_is(model->name, model->len, owner->model)) return model;
  }
  struct kept_model *model = spare->model;
  spare->model = NULL;
  *model = (struct kept_model){.tenant = tenant};
  model->len = name_copy(model->name, owner->model);
  list_init(&model->versions);
  list_push_front(&tenant->models, &model->link);
  return model;
}

struct kept_version *shard_owner(struct shard *shard, const struct cache_owner *owner,
                                 struct spare *spare)
{
  bool spares = spare->tenant && spare->model && spare->version;
  struct kept_tenant *tenant = tenant_of(shard, owner, spares ? spare : &(struct spare){0});
  if (!tenant) return NULL;
  tenant->max = owner->tenant_max;
  for (struct link *at = tenant->models.next; at != &tenant->models; at = at->next) {
    struct kept_model *model = LIST_OF(at, struct kept_model, link);
    for (struct link *link = model->versions.next; link != &model->versions; link = link->next) {
      struct kept_version *version = LIST_OF(link, struct kept_version, link);
      if (version->seq != owner->seq) continue;
      list_remove(&model->link); /* who is asked for is found soon the next time */
      list_push_front(&tenant->models, &model->link);
      return version;
    }
  }
  if (!spares) return NULL;
  struct kept_version *version = spare->version;
  spare->version = NULL;
  *version = (struct kept_version){.seq = owner->seq, .number = owner->version};
  version->model = model_of(tenant, owner, spare);
  list_init(&version->entries);
  list_push_front(&version->model->versions, &version->link);
  return version;
}

void shard_add(struct cache *cache, struct shard *shard, struct entry *entry,
               struct kept_version *of)
{
  entry->of = of;
  entry->used = ++shard->used;
  buckets_add(&shard->table, entry);
  list_push_front(&of->model->tenant->entries, &entry->by_tenant);
  list_push_front(&of->entries, &entry->by_version);
  bytes_add(cache, of, entry->bytes);
}

/* --- who goes first --------------------------------------------------------------------------- */

static struct entry *model_oldest(const struct kept_model *model)
{
  struct entry *oldest = NULL;
  for (struct link *link = model->versions.next; link != &model->versions; link = link->next) {
    const struct kept_version *version = LIST_OF(link, struct kept_version, link);
    struct entry *last = LIST_OF(version->entries.prev, struct entry, by_version);
    if (version->entries.prev == &version->entries) continue;
    if (!oldest || last->used < oldest->used) oldest = last;
  }
  return oldest;
}

struct entry *tenant_oldest(const struct kept_tenant *tenant)
{
  return LIST_OF(tenant->entries.prev, struct entry, by_tenant);
}

bool shard_fit(struct cache *cache, struct shard *shard, struct kept_version *of,
               uint64_t model_max, struct waste *waste)
{
  struct kept_model *model = of->model;
  struct kept_tenant *tenant = model->tenant;
  for (int n = 0; n < DROPS_MAX; n++) {
    if (model->bytes > model_max) shard_evict(cache, shard, model_oldest(model), waste);
    else if (tenant->bytes > tenant->max) shard_evict(cache, shard, tenant_oldest(tenant), waste);
    else return false;
  }
  return true;
}

struct kept_tenant *shard_largest(const struct shard *shard)
{
  struct kept_tenant *largest = NULL;
  for (struct link *link = shard->tenants.next; link != &shard->tenants; link = link->next) {
    struct kept_tenant *tenant = LIST_OF(link, struct kept_tenant, link);
    if (!largest || tenant->bytes > largest->bytes) largest = tenant;
  }
  return largest;
}

void shard_top(struct shard *shard)
{
  const struct kept_tenant *largest = shard_largest(shard);
  atomic_store_explicit(&shard->top, largest ? largest->bytes : 0, memory_order_relaxed);
}
