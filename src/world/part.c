/* part.c - what a tenant is: a head, laid out anew when it changes, and two ways to its models.
 * Thread: control.
 * SPDX-License-Identifier: MIT */
#include "world/part.h"

#include "base/arena.h"
#include "base/mem.h"
#include "world/lay_int.h"
#include "world/trie.h"

/* Name, keys, limits, flags: what lies in the tenant itself. */
struct head {
  struct kept kept;
  struct arena arena; /* holds this struct, too */
  struct tenant tenant; /* without its models */
};

struct world_part {
  struct kept kept;
  struct head *head;
  uint64_t flag_mix; /* of all models */
  unsigned char hash_key[16];
  struct tenant tenant;
};

/* --- heads ------------------------------------------------------------------------------------ */

static void head_gone(struct kept *kept)
{
  struct arena arena = ((struct head *)kept)->arena; /* out of the memory it is about to free */
  arena_deinit(&arena);
}

static void keys_lay(struct arena *arena, const struct tenant *from, struct tenant *to)
{
  struct key *keys = lay_zero(arena, from->n_keys, sizeof *keys);
  for (uint32_t i = 0; i < from->n_keys; i++) {
    keys[i] = from->keys[i];
    keys[i].person = lay_text(arena, from->keys[i].person);
    keys[i].note = lay_text(arena, from->keys[i].note);
    keys[i].added_by = lay_text(arena, from->keys[i].added_by);
    struct cidr *cidrs = lay_zero(arena, keys[i].n_cidrs, sizeof *cidrs);
    if (keys[i].n_cidrs) memcpy(cidrs, from->keys[i].cidrs, keys[i].n_cidrs * sizeof *cidrs);
    keys[i].cidrs = cidrs;
  }
  to->keys = keys;
}

static struct head *head_lay(const struct tenant *from)
{
  struct arena arena;
  arena_init(&arena, WORLD_BYTES_MAX, NULL);
  must(arena_room(&arena, lay_bytes(sizeof(struct head)) + lay_text_bytes(from->name) +
                              lay_text_bytes(from->about) + lay_text_bytes(from->added_by) +
                              lay_text_bytes(from->flags) +
                              lay_bytes(from->n_keys * sizeof(struct key))));
  struct head *head = lay_zero(&arena, 1, sizeof *head);
  struct tenant *to = &head->tenant;
  head->kept = kept_made(head_gone);
  *to = *from;
  to->name = lay_text(&arena, from->name);
  to->about = lay_text(&arena, from->about);
  to->added_by = lay_text(&arena, from->added_by);
  to->flags = lay_text(&arena, from->flags);
  to->quotas = lay_quotas(&arena, from->quotas);
  to->allow = allowance_of(to->quotas, QUOTA_TENANT, to->name, to->meter);
  keys_lay(&arena, from, to);
  to->planned = NULL;
  to->tree = NULL;
  to->names = NULL;
  to->n_models = 0;
  head->arena = arena;
  return head;
}

/* --- parts ------------------------------------------------------------------------------------ */

static void part_gone(struct kept *kept)
{
  struct world_part *part = (struct world_part *)kept;
  trie_drop(part->tenant.names);
  tree_drop(part->tenant.tree);
  kept_drop(&part->head->kept);
  ungrab(part);
}

struct world_part *world_part_new(const struct tenant *head, const unsigned char hash_key[16])
{
  struct world_part *part = grab_zero(1, sizeof *part);
  part->kept = kept_made(part_gone);
  memcpy(part->hash_key, hash_key, sizeof part->hash_key);
  part->head = head_lay(head);
  part->tenant = part->head->tenant;
  part->tenant.flags_version = part->tenant.flags_seq;
  return part;
}

struct world_part *world_part_next(const struct world_part *before, const struct tenant *head)
{
  struct world_part *part = grab(sizeof *part);
  *part = *before;
  part->kept = kept_made(part_gone);
  part->tenant.tree = tree_share(before->tenant.tree);
  part->tenant.names = trie_share(before->tenant.names);
  if (!head) {
    kept_share(&part->head->kept);
    return part;
  }
  part->head = head_lay(head);
  struct tenant was = part->tenant;
  part->tenant = part->head->tenant;
  part->tenant.tree = was.tree;
  part->tenant.names = was.names;
  part->tenant.n_models = was.n_models;
  part->tenant.flags_version = part->tenant.flags_seq ^ part->flag_mix << 24;
  return part;
}

struct world_part *world_part_share(struct world_part *part)
{
  kept_share(&part->kept);
  return part;
}

void world_part_drop(struct world_part *part)
{
  if (part) kept_drop(&part->kept);
}

static uint64_t name_hash(const void *arg, const void *model)
{
  return siphash(arg, ((const struct model *)model)->name);
}

static void mix_change(struct world_part *part, uint64_t change)
{
  part->flag_mix += change;
  part->tenant.flags_version = part->tenant.flags_seq ^ part->flag_mix << 24;
}

struct sealed_model *world_part_model(const struct world_part *part, struct slice name)
{
  bool there;
  uint32_t at = tenant_models_below(&part->tenant, name, &there);
  return there ? sealed_model_of(tree_at(part->tenant.tree, at)) : NULL;
}

void world_part_put(struct world_part *part, struct sealed_model *sealed)
{
  const struct model *model = sealed_model_lend(sealed);
  struct tenant *tenant = &part->tenant;
  struct trie_hash hashes = {name_hash, part->hash_key};
  bool there;
  uint32_t at = tenant_models_below(tenant, model->name, &there);
  uint64_t mix = model_flag_mix(model);
  if (there) mix -= model_flag_mix(tenant_model(tenant, at));
  tenant->names =
      trie_put(tenant->names, siphash(part->hash_key, model->name), model, hashes);
  struct kept *item = sealed_model_kept(sealed);
  tenant->tree =
      there ? tree_put(tenant->tree, at, item) : tree_insert(tenant->tree, at, item);
  tenant->n_models += !there;
  mix_change(part, mix);
}

void world_part_cut(struct world_part *part, struct slice name)
{
  struct tenant *tenant = &part->tenant;
  bool there;
  uint32_t at = tenant_models_below(tenant, name, &there);
  if (!there) return;
  mix_change(part, 0 - model_flag_mix(tenant_model(tenant, at)));
  tenant->names = trie_cut(tenant->names, siphash(part->hash_key, name));
  tenant->tree = tree_cut(tenant->tree, at);
  tenant->n_models--;
}

void world_part_stock(struct world_part *part, uint64_t n_stored, uint64_t bytes)
{
  part->tenant.n_stored = n_stored;
  part->tenant.stored_bytes = bytes;
}

struct world_part *world_part_build(const struct tenant *plan, const unsigned char hash_key[16])
{
  struct world_part *part = world_part_new(plan, hash_key);
  for (uint32_t i = 0; i < plan->n_models; i++)
    world_part_put(part, model_seal(&(struct model_plan){.model = &plan->planned[i]}));
  return part;
}

const struct tenant *world_part_tenant(const struct world_part *part) { return &part->tenant; }
