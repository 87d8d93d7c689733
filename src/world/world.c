/* world.c - puts parts together as a world, with tables of all names, and reads it back.
 * Thread: control builds and frees; any reads, once sealed.
 *
 * Every pointer inside a world leads into its own arena, a part's or the names', but for the seats'
 * (mailboxes and lanes live elsewhere and outlive it: control closes a lane only after the last
 * world naming it is freed).
 * Names are found through open-addressing tables keyed with the plan's SipHash key, so that nobody
 * who chooses names can make them collide.
 * SPDX-License-Identifier: MIT */
#include "world/world.h"

#include <stdatomic.h>

#include "base/arena.h"
#include "world/lay_int.h"
#include "world/trie.h"

/* Where names and keys are: places, not pointers, so that worlds with other parts share it. */
struct key_place {
  uint32_t tenant, key; /* tenant: index + 1, 0 empty */
};

struct world_names {
  struct arena arena; /* holds this struct, too */
  uint32_t holders;   /* worlds */
  uint32_t *buckets;  /* over tenants: index + 1, 0 empty */
  uint32_t n_buckets;
  struct key_place *keys; /* over the keys of all tenants */
  uint32_t n_key_buckets;
};

struct world {
  struct arena arena; /* holds this struct, too */
  uint64_t serial;
  const struct tenant **tenants;
  struct world_part **own; /* made of the plan's tenants; NULL: parts are lent */
  uint32_t n_tenants, n_slots, n_releases;
  struct world_names *names;
  bool ready, draining;
  uint32_t pressure;
  unsigned char hash_key[16];
};

static _Atomic uint64_t worlds_built, worlds_freed;

/* --- tables of names -------------------------------------------------------------------------- */

static uint32_t bucket_count(uint32_t n)
{
  uint32_t count = 4;
  if (n == 0) return 0;
  while (count < 2 * n) count *= 2;
  return count;
}

static void bucket_put(const unsigned char hash_key[16], uint32_t *buckets, uint32_t n_buckets,
                       struct slice name, uint32_t index)
{
  uint32_t mask = n_buckets - 1, at = (uint32_t)siphash(hash_key, name) & mask;
  while (buckets[at]) at = (at + 1) & mask;
  buckets[at] = index + 1;
}

/* --- tables over all tenants ------------------------------------------------------------------ */

/* A request brings a key, and its tenant follows from that. */
static void keys_put(struct world_names *names, const struct world *world, uint32_t index)
{
  const struct tenant *tenant = world->tenants[index];
  for (uint32_t k = 0; k < tenant->n_keys; k++) {
    uint32_t mask = names->n_key_buckets - 1;
    uint32_t at = (uint32_t)siphash(world->hash_key, key_id(&tenant->keys[k])) & mask;
    while (names->keys[at].tenant) at = (at + 1) & mask;
    names->keys[at] = (struct key_place){index + 1, k};
  }
}

static struct world_names *names_build(const struct world *world)
{
  struct arena arena;
  arena_init(&arena, WORLD_BYTES_MAX, NULL);
  struct world_names *names = lay_zero(&arena, 1, sizeof *names);
  names->arena = arena;
  names->holders = 1;
  uint32_t n_keys = 0;
  for (uint32_t i = 0; i < world->n_tenants; i++) n_keys += world->tenants[i]->n_keys;
  names->n_buckets = bucket_count(world->n_tenants);
  names->n_key_buckets = bucket_count(n_keys);
  names->buckets = lay_zero(&names->arena, names->n_buckets, sizeof *names->buckets);
  names->keys = lay_zero(&names->arena, names->n_key_buckets, sizeof *names->keys);
  for (uint32_t i = 0; i < world->n_tenants; i++) {
    bucket_put(world->hash_key, names->buckets, names->n_buckets, world->tenants[i]->name, i);
    keys_put(names, world, i);
  }
  return names;
}

static void names_drop(struct world_names *names)
{
  if (--names->holders) return;
  struct arena arena = names->arena;
  arena_deinit(&arena);
}

/* Whether the tables of a world with `a` in that place hold for one with `b` there. */
static bool named_alike(const struct tenant *a, const struct tenant *b)
{
  if (a == b) return true;
  if (a->n_keys != b->n_keys || !slice_eq(a->name, b->name)) return false;
  for (uint32_t i = 0; i < a->n_keys; i++)
    if (memcmp(a->keys[i].id, b->keys[i].id, KEY_ID_LEN) != 0) return false;
  return true;
}

static struct world_names *names_of(const struct world *world, const struct world *before)
{
  if (!before || before->n_tenants != world->n_tenants) return names_build(world);
  must(memcmp(before->hash_key, world->hash_key, sizeof world->hash_key) == 0);
  for (uint32_t i = 0; i < world->n_tenants; i++)
    if (!named_alike(before->tenants[i], world->tenants[i])) return names_build(world);
  before->names->holders++;
  return before->names;
}

/* --- worlds ----------------------------------------------------------------------------------- */

struct world *world_build(const struct world_plan *plan, uint64_t serial)
{
  struct arena arena;
  arena_init(&arena, WORLD_BYTES_MAX, NULL);
  struct world *world = lay_zero(&arena, 1, sizeof *world);
  world->arena = arena;
  world->serial = serial;
  world->n_slots = plan->n_slots;
  world->n_releases = plan->n_releases;
  world->ready = plan->ready;
  world->draining = plan->draining;
  world->pressure = plan->pressure;
  memcpy(world->hash_key, plan->hash_key, sizeof world->hash_key);
  world->n_tenants = plan->n_tenants;
  world->tenants = lay_zero(&world->arena, plan->n_tenants, sizeof *world->tenants);
  if (!plan->parts) world->own = lay_zero(&world->arena, plan->n_tenants, sizeof *world->own);
  for (uint32_t i = 0; i < plan->n_tenants; i++) {
    if (world->own) world->own[i] = world_part_build(&plan->tenants[i], world->hash_key);
    world->tenants[i] = world_part_tenant(world->own ? world->own[i] : plan->parts[i]);
  }
  world->names = names_of(world, plan->before);
  atomic_fetch_add_explicit(&worlds_built, 1, memory_order_relaxed);
  return world;
}

void world_free(struct world *world)
{
  if (!world) return;
  names_drop(world->names);
  for (uint32_t i = 0; world->own && i < world->n_tenants; i++) world_part_drop(world->own[i]);
  struct arena arena = world->arena; /* out of the memory it is about to free */
  arena_deinit(&arena);
  atomic_fetch_add_explicit(&worlds_freed, 1, memory_order_relaxed);
}

/* --- reading ---------------------------------------------------------------------------------- */

uint64_t world_serial(const struct world *world) { return world->serial; }
bool world_ready(const struct world *world) { return world->ready; }
bool world_draining(const struct world *world) { return world->draining; }

bool world_presses(const struct world *world, enum pressure_action action)
{
  return world->pressure & ACTION_BIT(action);
}

uint32_t world_slots(const struct world *world) { return world->n_slots; }
uint32_t world_releases(const struct world *world) { return world->n_releases; }
uint32_t world_tenants(const struct world *world) { return world->n_tenants; }

const struct tenant *world_tenant_at(const struct world *world, uint32_t index)
{
  must(index < world->n_tenants);
  return world->tenants[index];
}

const struct tenant *world_tenant(const struct world *world, struct slice name)
{
  const struct world_names *names = world->names;
  if (!names->n_buckets) return NULL;
  uint32_t mask = names->n_buckets - 1, at = (uint32_t)siphash(world->hash_key, name) & mask;
  for (; names->buckets[at]; at = (at + 1) & mask) {
    const struct tenant *tenant = world->tenants[names->buckets[at] - 1];
    if (slice_eq(tenant->name, name)) return tenant;
  }
  return NULL;
}

const struct tenant *world_tenant_slot(const struct world *world, uint32_t slot)
{
  uint32_t low = 0, high = world->n_tenants; /* ascending: in order of creation, less the removed */
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (world->tenants[middle]->slot < slot)
      low = middle + 1;
    else
      high = middle;
  }
  return low < world->n_tenants && world->tenants[low]->slot == slot ? world->tenants[low] : NULL;
}

const struct model *world_model(const struct world *world, const struct tenant *tenant,
                                struct slice name)
{
  if (!tenant->names) return NULL;
  const struct model *model = trie_find(tenant->names, siphash(world->hash_key, name));
  return model && slice_eq(model->name, name) ? model : NULL;
}

const struct key *world_key(const struct world *world, struct slice id,
                            const struct tenant **tenant)
{
  const struct world_names *names = world->names;
  if (!names->n_key_buckets) return NULL;
  uint32_t mask = names->n_key_buckets - 1, at = (uint32_t)siphash(world->hash_key, id) & mask;
  for (; names->keys[at].tenant; at = (at + 1) & mask) {
    const struct tenant *whose = world->tenants[names->keys[at].tenant - 1];
    const struct key *key = &whose->keys[names->keys[at].key];
    if (!slice_eq(key_id(key), id)) continue;
    *tenant = whose;
    return key;
  }
  return NULL;
}

uint64_t world_count_built(void)
{
  return atomic_load_explicit(&worlds_built, memory_order_relaxed);
}

uint64_t world_count_freed(void)
{
  return atomic_load_explicit(&worlds_freed, memory_order_relaxed);
}
