/* world.c - lays a plan out in one arena and reads it back.
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

struct world_part {
  struct arena arena; /* holds this struct, too */
  struct tenant tenant;
  struct blob **cards; /* shared while this part lives */
  uint32_t n_cards;
};

struct world {
  struct arena arena; /* holds this struct, too */
  uint64_t serial;
  const struct tenant **tenants;
  uint32_t n_tenants, n_slots, n_releases;
  struct world_names *names;
  bool ready, draining;
  unsigned char hash_key[16];
};

static _Atomic uint64_t worlds_built, worlds_freed;

static void *need(struct arena *arena, size_t n, size_t each)
{
  void *p = arena_zero(arena, n, each);
  must(p); /* WORLD_BYTES_MAX: control's limits are wrong */
  return p;
}

static struct slice text_copy(struct arena *arena, struct slice text)
{
  if (!text.len) return SLICE_NONE;
  struct slice copy = arena_copy(arena, text);
  must(copy.at);
  return copy;
}

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

/* --- building --------------------------------------------------------------------------------- */

static void version_lay(struct arena *arena, const struct version *from, struct version *to)
{
  *to = *from;
  to->reason = text_copy(arena, from->reason);
  to->engine = text_copy(arena, from->engine);
  to->platform = text_copy(arena, from->platform);
  to->note = text_copy(arena, from->note);
  bool ready = from->state == VERSION_READY;
  to->contract = (struct contract){0};
  to->seats = NULL;
  to->n_seats = 0;
  if (ready || from->state == VERSION_RESTING)
    must(contract_copy(arena, &from->contract, &to->contract));
  if (!ready) return;
  must(from->n_seats > 0);
  to->n_seats = from->n_seats;
  struct seat *seats = need(arena, from->n_seats, sizeof *seats);
  memcpy(seats, from->seats, from->n_seats * sizeof *seats);
  to->seats = seats;
}

/* The copy of one of the model's versions: the same place in the copied array. */
static const struct version *version_moved(const struct model *from, const struct version *copies,
                                           const struct version *version)
{
  if (!version) return NULL;
  must(version >= from->versions &&
       version < from->versions + from->n_versions + (from->copy != NULL));
  return copies + (version - from->versions);
}

static const struct split *release_lay(struct arena *arena, const struct model *from,
                                         const struct version *copies)
{
  struct split *to = need(arena, 1, sizeof *to);
  *to = *from->release;
  to->seed = text_copy(arena, to->seed);
  to->sticky_name = text_copy(arena, to->sticky_name);
  to->selector = text_copy(arena, to->selector);
  to->covariate = text_copy(arena, to->covariate);
  to->shadow = version_moved(from, copies, to->shadow);
  must(!to->shadow || to->shadow->state == VERSION_READY);
  for (uint32_t i = 0; i < to->n_segments; i++)
    to->segments[i] = text_copy(arena, to->segments[i]);
  return to;
}

static const struct quotas *quotas_lay(struct arena *arena, const struct quotas *from)
{
  if (!from) return NULL;
  struct quotas *to = need(arena, 1, sizeof *to);
  *to = *from;
  return to;
}

static void model_lay(struct arena *arena, const struct model *from, struct model *to)
{
  *to = *from;
  to->name = text_copy(arena, from->name);
  struct alias *aliases = need(arena, from->n_aliases, sizeof *aliases);
  for (uint32_t i = 0; i < from->n_aliases; i++) {
    aliases[i] = from->aliases[i];
    aliases[i].name = text_copy(arena, from->aliases[i].name);
    aliases[i].set_by = text_copy(arena, from->aliases[i].set_by);
  }
  to->aliases = aliases;
  struct version *versions = need(arena, from->n_versions + 1, sizeof *versions);
  for (uint32_t i = 0; i < from->n_versions; i++) {
    must(i == 0 || from->versions[i - 1].number < from->versions[i].number);
    version_lay(arena, &from->versions[i], &versions[i]);
  }
  must(!from->copy || from->copy == from->versions + from->n_versions);
  if (from->copy) version_lay(arena, from->copy, &versions[from->n_versions]);
  to->versions = versions;
  to->copy = version_moved(from, versions, from->copy);
  to->stable = version_moved(from, versions, from->stable);
  to->previous = version_moved(from, versions, from->previous);
  must(from->n_arms <= ARMS_MAX && (from->n_arms > ARM_STABLE) == (from->stable != NULL));
  uint64_t whole = 0;
  for (uint32_t i = 0; i < from->n_arms; i++) {
    const struct version *version = version_moved(from, versions, from->arms[i].version);
    bool closed = from->release && from->release->closed & ARM_BIT(i);
    must(version ? version_answers(version) : closed || from->arms[i].weight == 0);
    must(!from->release || !version || version->state == VERSION_READY);
    to->arms[i].version = version;
    whole += from->arms[i].weight;
  }
  must(from->n_arms == 0 || whole == WEIGHT_WHOLE);
  to->release = from->release ? release_lay(arena, from, versions) : NULL;
  to->quotas = quotas_lay(arena, from->quotas);
  to->allow = NULL;
  if (!to->quotas || !to->meter) return;
  struct allowance *allow = need(arena, 1, sizeof *allow);
  *allow = allowance_of(to->quotas, QUOTA_MODEL, to->name, to->meter);
  to->allow = allow;
}

static void keys_lay(struct arena *arena, const struct tenant *from, struct tenant *to)
{
  struct key *keys = need(arena, from->n_keys, sizeof *keys);
  for (uint32_t i = 0; i < from->n_keys; i++) {
    keys[i] = from->keys[i];
    keys[i].person = text_copy(arena, from->keys[i].person);
    keys[i].note = text_copy(arena, from->keys[i].note);
    keys[i].added_by = text_copy(arena, from->keys[i].added_by);
    struct cidr *cidrs = need(arena, keys[i].n_cidrs, sizeof *cidrs);
    if (keys[i].n_cidrs) memcpy(cidrs, from->keys[i].cidrs, keys[i].n_cidrs * sizeof *cidrs);
    keys[i].cidrs = cidrs;
  }
  to->keys = keys;
}

static uint64_t flags_version(const struct tenant *tenant)
{
  uint64_t mix = 0;
  for (uint32_t i = 0; i < tenant->n_models; i++) {
    const struct model *model = &tenant->models[i];
    if (!model->release || !sticky_is_flag(model->release->sticky)) continue;
    mix = (mix + model->slot + 1) * UINT64_C(0x9e3779b97f4a7c15) + model->release->number;
    mix ^= (uint64_t)model->release->closed << 32;
    for (uint32_t k = 0; k < model->n_arms; k++)
      mix = (mix ^ mix >> 29) * UINT64_C(0xbf58476d1ce4e5b9) + model->arms[k].weight;
  }
  return tenant->flags_seq ^ mix << 24; /* no such release: the number of the event */
}

static void tenant_lay(struct arena *arena, const unsigned char hash_key[16],
                       const struct tenant *from, struct tenant *to)
{
  *to = *from;
  to->name = text_copy(arena, from->name);
  to->about = text_copy(arena, from->about);
  to->added_by = text_copy(arena, from->added_by);
  to->flags = text_copy(arena, from->flags);
  to->flags_version = flags_version(from);
  to->quotas = quotas_lay(arena, from->quotas);
  to->allow = allowance_of(to->quotas, QUOTA_TENANT, to->name, to->meter);
  keys_lay(arena, from, to);
  to->n_buckets = bucket_count(from->n_models);
  uint32_t *buckets = need(arena, to->n_buckets, sizeof *buckets);
  struct model *models = need(arena, from->n_models, sizeof *models);
  for (uint32_t i = 0; i < from->n_models; i++) {
    model_lay(arena, &from->models[i], &models[i]);
    bucket_put(hash_key, buckets, to->n_buckets, models[i].name, i);
  }
  to->models = models;
  to->buckets = buckets;
}

static void card_share(struct blob *card, struct blob **to, uint32_t *n)
{
  if (to) to[*n] = blob_share(card);
  ++*n;
}

/* Cards are blobs that the catalog may let go of while a world still shows them. Returns how many
 * there are; shares them where `to` has the room. */
static uint32_t cards_share(const struct tenant *tenant, struct blob **to)
{
  uint32_t n = 0;
  for (uint32_t m = 0; m < tenant->n_models; m++) {
    const struct model *model = &tenant->models[m];
    if (model->card) card_share(model->card, to, &n);
    for (uint32_t v = 0; v < model->n_versions + (model->copy != NULL); v++) {
      struct blob *card = model->versions[v].card;
      if (card) card_share(card, to, &n);
    }
  }
  return n;
}

struct world_part *world_part_build(const struct tenant *plan, const unsigned char hash_key[16])
{
  struct arena arena;
  arena_init(&arena, WORLD_BYTES_MAX, NULL);
  struct world_part *part = need(&arena, 1, sizeof *part);
  part->arena = arena;
  tenant_lay(&part->arena, hash_key, plan, &part->tenant);
  part->n_cards = cards_share(&part->tenant, NULL);
  part->cards = need(&part->arena, part->n_cards, sizeof *part->cards);
  cards_share(&part->tenant, part->cards);
  return part;
}

/* The arena is moved out of the memory it is about to free. */
void world_part_free(struct world_part *part)
{
  for (uint32_t i = 0; i < part->n_cards; i++) blob_drop(part->cards[i]);
  struct arena arena = part->arena;
  arena_deinit(&arena);
}

const struct tenant *world_part_tenant(const struct world_part *part) { return &part->tenant; }

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
  struct world_names *names = need(&arena, 1, sizeof *names);
  names->arena = arena;
  names->holders = 1;
  uint32_t n_keys = 0;
  for (uint32_t i = 0; i < world->n_tenants; i++) n_keys += world->tenants[i]->n_keys;
  names->n_buckets = bucket_count(world->n_tenants);
  names->n_key_buckets = bucket_count(n_keys);
  names->buckets = need(&names->arena, names->n_buckets, sizeof *names->buckets);
  names->keys = need(&names->arena, names->n_key_buckets, sizeof *names->keys);
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
  struct world *world = need(&arena, 1, sizeof *world);
  world->arena = arena;
  world->serial = serial;
  world->n_slots = plan->n_slots;
  world->n_releases = plan->n_releases;
  world->ready = plan->ready;
  world->draining = plan->draining;
  memcpy(world->hash_key, plan->hash_key, sizeof world->hash_key);
  world->n_tenants = plan->n_tenants;
  world->tenants = need(&world->arena, plan->n_tenants, sizeof *world->tenants);
  for (uint32_t i = 0; i < plan->n_tenants; i++) {
    if (plan->parts) {
      world->tenants[i] = &plan->parts[i]->tenant;
      continue;
    }
    struct tenant *tenant = need(&world->arena, 1, sizeof *tenant);
    tenant_lay(&world->arena, world->hash_key, &plan->tenants[i], tenant);
    world->tenants[i] = tenant;
  }
  world->names = names_of(world, plan->before);
  atomic_fetch_add_explicit(&worlds_built, 1, memory_order_relaxed);
  return world;
}

void world_free(struct world *world)
{
  if (!world) return;
  names_drop(world->names);
  struct arena arena = world->arena; /* out of the memory it is about to free */
  arena_deinit(&arena);
  atomic_fetch_add_explicit(&worlds_freed, 1, memory_order_relaxed);
}

/* --- reading ---------------------------------------------------------------------------------- */

uint64_t world_serial(const struct world *world) { return world->serial; }
bool world_ready(const struct world *world) { return world->ready; }
bool world_draining(const struct world *world) { return world->draining; }
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
  if (!tenant->n_buckets) return NULL;
  uint32_t mask = tenant->n_buckets - 1, at = (uint32_t)siphash(world->hash_key, name) & mask;
  for (; tenant->buckets[at]; at = (at + 1) & mask) {
    const struct model *model = &tenant->models[tenant->buckets[at] - 1];
    if (slice_eq(model->name, name)) return model;
  }
  return NULL;
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
