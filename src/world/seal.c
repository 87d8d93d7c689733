/* seal.c - lays one model, or one version, out in an arena of its own.
 * Thread: control.
 *
 * Every pointer inside leads into that arena, or to something this one holds; but for the seats'
 * (mailboxes and lanes live elsewhere and outlive it: control closes a lane only after the last
 * world naming it is freed).
 * SPDX-License-Identifier: MIT */
#include "world/seal.h"

#include <stddef.h>

#include "base/arena.h"
#include "world/lay_int.h"

struct sealed_version {
  struct kept kept;
  struct arena arena; /* holds this struct, too */
  struct version version;
};

struct sealed_model {
  struct kept kept;
  struct arena arena; /* holds this struct, too */
  struct model model;
  struct sealed_version *copy; /* of a rehearsal; NULL: none */
  void (*left)(void *arg);
  void *arg;
};

/* --- versions --------------------------------------------------------------------------------- */

static struct sealed_version *sealed_version(struct kept *kept)
{
  return (struct sealed_version *)kept;
}

static void version_gone(struct kept *kept)
{
  struct sealed_version *sealed = sealed_version(kept);
  blob_drop(sealed->version.card);
  struct arena arena = sealed->arena; /* out of the memory it is about to free */
  arena_deinit(&arena);
}

static void version_lay(struct arena *arena, const struct version *from, struct version *to)
{
  *to = *from;
  to->reason = lay_text(arena, from->reason);
  to->engine = lay_text(arena, from->engine);
  to->platform = lay_text(arena, from->platform);
  to->note = lay_text(arena, from->note);
  if (to->card) blob_share(to->card);
  bool ready = from->state == VERSION_READY;
  to->contract = (struct contract){0};
  to->seats = NULL;
  to->n_seats = 0;
  if (ready || from->state == VERSION_RESTING)
    must(contract_copy(arena, &from->contract, &to->contract));
  if (!ready) return;
  must(from->n_seats > 0);
  to->n_seats = from->n_seats;
  struct seat *seats = lay_zero(arena, from->n_seats, sizeof *seats);
  memcpy(seats, from->seats, from->n_seats * sizeof *seats);
  to->seats = seats;
}

static struct sealed_version *version_seal(const struct version *from)
{
  struct arena arena;
  size_t bytes = lay_bytes(sizeof(struct sealed_version)) + lay_text_bytes(from->reason) +
                 lay_text_bytes(from->engine) + lay_text_bytes(from->platform) +
                 lay_text_bytes(from->note);
  arena_init(&arena, WORLD_BYTES_MAX, NULL);
  must(arena_room(&arena, bytes)); /* all there is of most: they are not in memory */
  struct sealed_version *sealed = lay_zero(&arena, 1, sizeof *sealed);
  sealed->kept = kept_made(version_gone);
  sealed->arena = arena;
  version_lay(&sealed->arena, from, &sealed->version);
  return sealed;
}

/* --- reading ---------------------------------------------------------------------------------- */

const struct version *model_version_at(const struct model *model, uint32_t place)
{
  if (model->planned) return &model->planned[place];
  return &sealed_version(tree_at(model->tree, place))->version;
}

const struct model *tenant_model(const struct tenant *tenant, uint32_t place)
{
  if (tenant->planned) return &tenant->planned[place];
  return &sealed_model_of(tree_at(tenant->tree, place))->model;
}

/* --- models ----------------------------------------------------------------------------------- */

static void model_gone(struct kept *kept)
{
  struct sealed_model *sealed = sealed_model_of(kept);
  tree_drop(sealed->model.tree);
  if (sealed->copy) kept_drop(&sealed->copy->kept);
  blob_drop(sealed->model.card);
  if (sealed->left) sealed->left(sealed->arg);
  struct arena arena = sealed->arena;
  arena_deinit(&arena);
}

static void versions_lay(const struct model_plan *plan, struct sealed_model *to)
{
  const struct model *from = plan->model;
  struct model *model = &to->model;
  model->planned = NULL;
  model->tree = plan->before ? tree_share(plan->before->model.tree) : NULL;
  model->n_versions = tree_n(model->tree);
  memset(model->n_in, 0, sizeof model->n_in);
  if (plan->before) memcpy(model->n_in, plan->before->model.n_in, sizeof model->n_in);
  for (uint32_t i = 0; i < from->n_versions; i++) {
    uint32_t number = from->planned[i].number, at = model_versions_below(model, number);
    must(i == 0 || from->planned[i - 1].number < number);
    bool have = at < model->n_versions && model_version_at(model, at)->number == number;
    if (have) model->n_in[model_version_at(model, at)->state]--;
    model->n_in[from->planned[i].state]++;
    struct kept *item = &version_seal(&from->planned[i])->kept;
    model->tree = have ? tree_put(model->tree, at, item) : tree_insert(model->tree, at, item);
    model->n_versions += !have;
  }
  for (uint32_t i = 0; i < plan->n_gone; i++) {
    uint32_t at = model_versions_below(model, plan->gone[i]);
    if (at == model->n_versions || model_version_at(model, at)->number != plan->gone[i]) continue;
    model->n_in[model_version_at(model, at)->state]--;
    model->tree = tree_cut(model->tree, at);
    model->n_versions--;
  }
  must(!from->copy || from->copy == from->planned + from->n_versions);
  to->copy = from->copy ? version_seal(from->copy) : NULL;
  model->copy = from->copy ? &to->copy->version : NULL;
}

/* Where the plan's version is now. */
static const struct version *version_moved(const struct model *from, const struct sealed_model *to,
                                           const struct version *version)
{
  if (!version) return NULL;
  if (version == from->copy) return &to->copy->version;
  must(version >= from->planned && version < from->planned + from->n_versions);
  return model_version(&to->model, version->number);
}

static const struct split *release_lay(const struct model *from, struct sealed_model *sealed)
{
  struct arena *arena = &sealed->arena;
  struct split *to = lay_zero(arena, 1, sizeof *to);
  *to = *from->release;
  to->seed = lay_text(arena, to->seed);
  to->sticky_name = lay_text(arena, to->sticky_name);
  to->selector = lay_text(arena, to->selector);
  to->covariate = lay_text(arena, to->covariate);
  to->shadow = version_moved(from, sealed, to->shadow);
  must(!to->shadow || to->shadow->state == VERSION_READY);
  for (uint32_t i = 0; i < to->n_segments; i++)
    to->segments[i] = lay_text(arena, to->segments[i]);
  return to;
}

static void arms_lay(const struct model *from, struct sealed_model *sealed)
{
  struct model *to = &sealed->model;
  must(from->n_arms <= ARMS_MAX && (from->n_arms > ARM_STABLE) == (from->stable != NULL));
  uint64_t whole = 0;
  for (uint32_t i = 0; i < from->n_arms; i++) {
    const struct version *version = version_moved(from, sealed, from->arms[i].version);
    bool closed = from->release && from->release->closed & ARM_BIT(i);
    must(version ? version_answers(version) : closed || from->arms[i].weight == 0);
    must(!from->release || !version || version->state == VERSION_READY);
    to->arms[i].version = version;
    whole += from->arms[i].weight;
  }
  must(from->n_arms == 0 || whole == WEIGHT_WHOLE);
}

static void aliases_lay(struct arena *arena, const struct model *from, struct model *to)
{
  struct alias *aliases = lay_zero(arena, from->n_aliases, sizeof *aliases);
  for (uint32_t i = 0; i < from->n_aliases; i++) {
    aliases[i] = from->aliases[i];
    aliases[i].name = lay_text(arena, from->aliases[i].name);
    aliases[i].set_by = lay_text(arena, from->aliases[i].set_by);
  }
  to->aliases = aliases;
}

static void model_lay(const struct model_plan *plan, struct sealed_model *sealed)
{
  const struct model *from = plan->model;
  struct arena *arena = &sealed->arena;
  struct model *to = &sealed->model;
  *to = *from;
  to->name = lay_text(arena, from->name);
  if (to->card) blob_share(to->card);
  aliases_lay(arena, from, to);
  versions_lay(plan, sealed);
  to->stable = version_moved(from, sealed, from->stable);
  to->previous = version_moved(from, sealed, from->previous);
  arms_lay(from, sealed);
  to->release = from->release ? release_lay(from, sealed) : NULL;
  to->quotas = lay_quotas(arena, from->quotas);
  to->allow = NULL;
  if (!to->quotas || !to->meter) return;
  struct allowance *allow = lay_zero(arena, 1, sizeof *allow);
  *allow = allowance_of(to->quotas, QUOTA_MODEL, to->name, to->meter);
  to->allow = allow;
}

struct sealed_model *model_seal(const struct model_plan *plan)
{
  struct arena arena;
  arena_init(&arena, WORLD_BYTES_MAX, NULL);
  must(arena_room(&arena, lay_bytes(sizeof(struct sealed_model)) +
                              lay_text_bytes(plan->model->name) +
                              lay_bytes(plan->model->n_aliases * sizeof(struct alias))));
  struct sealed_model *sealed = lay_zero(&arena, 1, sizeof *sealed);
  sealed->kept = kept_made(model_gone);
  sealed->arena = arena;
  sealed->left = plan->left;
  sealed->arg = plan->arg;
  model_lay(plan, sealed);
  return sealed;
}

const struct model *sealed_model_lend(const struct sealed_model *sealed) { return &sealed->model; }

struct kept *sealed_model_kept(struct sealed_model *sealed) { return &sealed->kept; }

struct sealed_model *sealed_model_of(struct kept *kept) { return (struct sealed_model *)kept; }

uint64_t model_flag_mix(const struct model *model)
{
  if (!model->release || !sticky_is_flag(model->release->sticky)) return 0;
  uint64_t mix = (model->slot + UINT64_C(1)) * UINT64_C(0x9e3779b97f4a7c15);
  mix += model->release->number;
  mix ^= (uint64_t)model->release->closed << 32;
  for (uint32_t k = 0; k < model->n_arms; k++)
    mix = (mix ^ mix >> 29) * UINT64_C(0xbf58476d1ce4e5b9) + model->arms[k].weight;
  return mix;
}
