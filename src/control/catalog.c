/* catalog.c - folding events. Each kind of event has one function that checks first and changes
 * after, so a refused event leaves nothing behind.
 * Thread: control (main before it starts). Pure.
 * SPDX-License-Identifier: MIT */
#include "control/catalog.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "control/catalog_int.h"
#include "control/flag.h"
#include "control/quota.h"
#include "control/registry/fold.h"
#include "control/registry/owned.h"
#include "control/release/fold.h"
#include "control/tenant.h"
#include "world/state.h"

#define CATALOG_BYTES_MAX ((size_t)1 << 36) /* no limit of its own: each tenant's quotas are */

static void *need(struct arena *arena, size_t n, size_t each)
{
  void *p = arena_zero(arena, n, each);
  must(p);
  return p;
}

void *catalog_room(struct catalog *catalog, size_t n, size_t each)
{
  return need(&catalog->arena, n, each);
}

struct slice catalog_keep(struct catalog *catalog, struct slice text)
{
  if (!text.len) return SLICE_NONE;
  struct slice copy = arena_copy(&catalog->arena, text);
  must(copy.at);
  return copy;
}

void *catalog_grow(struct catalog *catalog, void *array, uint32_t n, uint32_t *cap, size_t each)
{
  if (n < *cap) return array;
  uint32_t more = *cap ? 2 * *cap : 4;
  void *moved = need(&catalog->arena, more, each);
  if (n) memcpy(moved, array, n * each);
  *cap = more;
  return moved;
}

struct catalog *catalog_new(const unsigned char hash_key[16])
{
  struct catalog *catalog = grab_zero(1, sizeof *catalog);
  arena_init(&catalog->arena, CATALOG_BYTES_MAX, NULL);
  memcpy(catalog->hash_key, hash_key, sizeof catalog->hash_key);
  return catalog;
}

void catalog_free(struct catalog *catalog)
{
  if (!catalog) return;
  for (uint32_t i = 0; i < catalog->n_tenants; i++) {
    ungrab(catalog->tenants[i]->flags_text);
    owned_free(catalog->tenants[i]);
  }
  registry_free(catalog);
  once_free(catalog);
  arena_deinit(&catalog->arena);
  ungrab(catalog);
}

/* --- looking up ------------------------------------------------------------------------------- */

static uint32_t name_at(const struct catalog *catalog, struct slice name)
{
  uint32_t mask = catalog->names_cap - 1, at = (uint32_t)siphash(catalog->hash_key, name) & mask;
  while (catalog->names[at] && !slice_eq(catalog->names[at]->name, name)) at = (at + 1) & mask;
  return at;
}

struct catalog_tenant *catalog_tenant_ever(const struct catalog *catalog, struct slice name)
{
  return catalog->names_cap ? catalog->names[name_at(catalog, name)] : NULL;
}

struct catalog_tenant *catalog_tenant(const struct catalog *catalog, struct slice name)
{
  struct catalog_tenant *tenant = catalog_tenant_ever(catalog, name);
  return tenant && !tenant->removed_seq ? tenant : NULL;
}

/* Where a model of that name is or would be. */
static uint32_t model_place(const struct catalog_tenant *tenant, struct slice name)
{
  uint32_t low = 0, high = tenant->n_models;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (state_name_order(tenant->models[middle]->name, name) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

struct catalog_model *catalog_model_like(const struct catalog_tenant *tenant, struct slice name)
{
  uint32_t at = model_place(tenant, name);
  if (at == tenant->n_models || state_name_order(tenant->models[at]->name, name) != 0) return NULL;
  return tenant->models[at];
}

struct catalog_model *catalog_model(const struct catalog_tenant *tenant, struct slice name)
{
  struct catalog_model *model = catalog_model_like(tenant, name);
  return model && !model->removed && slice_eq(model->name, name) ? model : NULL;
}

const struct catalog_version *catalog_version(const struct catalog_model *model, uint32_t number)
{
  if (number < 1 || number > model->n_versions || model->versions[number - 1].removed) return NULL;
  return &model->versions[number - 1];
}

uint32_t catalog_previous(const struct catalog_model *model)
{
  return model->n_backs ? model->backs[model->n_backs - 1] : 0;
}

/* --- growing ---------------------------------------------------------------------------------- */

struct catalog_tenant *tenant_grow(struct catalog *catalog, struct slice name)
{
  struct catalog_tenant *tenant = need(&catalog->arena, 1, sizeof *tenant);
  tenant->name = catalog_keep(catalog, name);
  tenant->slot = catalog->n_tenants;
  tenant->meter = quota_meter(catalog);
  catalog->tenants = catalog_grow(catalog, catalog->tenants, catalog->n_tenants,
                                  &catalog->tenants_cap, sizeof *catalog->tenants);
  catalog->tenants[catalog->n_tenants++] = tenant;
  if (catalog->n_tenants * 2 > catalog->names_cap) { /* all again, into a table twice as large */
    catalog->names_cap = catalog->names_cap ? catalog->names_cap * 2 : 8;
    catalog->names = need(&catalog->arena, catalog->names_cap, sizeof *catalog->names);
    for (uint32_t i = 0; i + 1 < catalog->n_tenants; i++)
      catalog->names[name_at(catalog, catalog->tenants[i]->name)] = catalog->tenants[i];
  }
  catalog->names[name_at(catalog, tenant->name)] = tenant;
  return tenant;
}

static void tenant_add(struct catalog *catalog, const struct event *event)
{
  struct catalog_tenant *tenant = tenant_grow(catalog, event->tenant);
  tenant->about = catalog_keep(catalog, event->note);
  tenant->added_by = catalog_keep(catalog, event->actor);
  tenant->added_ms = event->wall_ms;
}

struct catalog_model *model_grow(struct catalog *catalog, struct catalog_tenant *tenant,
                                 struct slice name)
{
  struct catalog_model *model = need(&catalog->arena, 1, sizeof *model);
  uint32_t at = model_place(tenant, name);
  model->name = catalog_keep(catalog, name);
  model->tenant = tenant;
  model->slot = catalog->n_models;
  catalog->models = catalog_grow(catalog, catalog->models, catalog->n_models, &catalog->models_cap,
                                 sizeof *catalog->models);
  catalog->models[catalog->n_models++] = model;
  tenant->models = catalog_grow(catalog, tenant->models, tenant->n_models, &tenant->models_cap,
                                sizeof *tenant->models);
  memmove(&tenant->models[at + 1], &tenant->models[at],
          (tenant->n_models - at) * sizeof *tenant->models);
  tenant->models[at] = model;
  tenant->n_models++;
  return model;
}

static void model_add(struct catalog *catalog, struct catalog_tenant *tenant,
                      const struct event *event)
{
  struct catalog_model *model = catalog_model_like(tenant, event->model);
  if (model) {
    model_revive(model, event);
    return;
  }
  model = model_grow(catalog, tenant, event->model);
  model->created_ms = event->wall_ms;
  model->changed_seq = event->seq;
  tenant->n_models_live++;
}

static uint64_t fact_bytes(const struct event *event, const char *name)
{
  int64_t bytes = event_fact_int(event, name, 0);
  return bytes > 0 ? (uint64_t)bytes : 0;
}

static void version_add(struct catalog *catalog, struct catalog_model *model,
                        const struct event *event)
{
  model->versions = catalog_grow(catalog, model->versions, model->n_versions, &model->versions_cap,
                                 sizeof *model->versions);
  struct catalog_version *version = &model->versions[model->n_versions++];
  struct event_file *files = need(&catalog->arena, event->n_files, sizeof *files);
  *version =
      (struct catalog_version){.number = event->version,
                               .engine = catalog_keep(catalog, event->engine),
                               .note = catalog_keep(catalog, event->note),
                               .actor = catalog_keep(catalog, event->actor),
                               .files = files,
                               .n_files = event->n_files,
                               .digest = event_manifest(event),
                               .inspected = catalog_keep(catalog, event_fact(event, "inspected")),
                               .memory_bytes = fact_bytes(event, "memory_bytes"),
                               .memory_peak_bytes = fact_bytes(event, "memory_peak_bytes"),
                               .pushed_ms = event->wall_ms,
                               .seq = event->seq};
  for (uint32_t i = 0; i < event->n_files; i++) {
    files[i] = event->files[i];
    files[i].name = catalog_keep(catalog, event->files[i].name);
    version->bytes += files[i].bytes;
  }
  version_dress(model, version, event);
  model->changed_seq = event->seq;
  model->n_live++;
  model->tenant->n_versions_live++;
  model->tenant->bytes_live += version->bytes;
  owned_add(model->tenant, version);
}

/* --- switching -------------------------------------------------------------------------------- */

void model_back_push(struct catalog_model *model, uint32_t number)
{
  if (!number || catalog_previous(model) == number) return;
  if (model->n_backs == BACKS_MAX) {
    memmove(model->backs, model->backs + 1, (BACKS_MAX - 1) * sizeof *model->backs);
    model->n_backs--;
  }
  model->backs[model->n_backs++] = number;
}

void model_back_pop(struct catalog_model *model, uint32_t number)
{
  for (uint32_t i = model->n_backs; i > 0; i--)
    if (model->backs[i - 1] == number) {
      model->n_backs = i - 1;
      return;
    }
}

void model_switch(struct catalog_model *model, uint32_t number, const struct event *event)
{
  model->serving = number;
  model->switched_seq = model->changed_seq = event->seq;
  model->switched_ms = event->wall_ms;
  model->asked = 0;
  if (!number) return;
  struct catalog_version *version = &model->versions[number - 1];
  version->refused = OK;
  version->reason = SLICE_NONE;
}

static void refuse(struct catalog *catalog, struct catalog_model *model, const struct event *event)
{
  struct catalog_version *version = &model->versions[event->version - 1];
  version->refused = event->code ? event->code : E_MODEL_LOAD_FAILED;
  version->reason = catalog_keep(catalog, event->reason);
  model->asked = 0; /* one switch at a time: whichever this decided, it was the newest wish */
}

/* --- the fold --------------------------------------------------------------------------------- */

enum code catalog_misfit(const struct event *event, struct err *err, const char *why)
{
  return fail(err, E_INTERNAL, "event %" PRIu64 " (%s) does not fit the ones before: %s",
              event->seq, event_name(event->kind), why);
}

/* Everything that can be wrong with an event about a model that is there. */
static enum code model_event_check(const struct catalog_model *model, const struct event *event,
                                   struct err *err)
{
  bool known = catalog_version(model, event->version) != NULL;
  switch (event->kind) {
    case EVENT_VERSION_PUSHED:
      if (event->version != model->n_versions + 1)
        return catalog_misfit(event, err, "wrong number");
      if (!event->n_files) return catalog_misfit(event, err, "no files");
      return OK;
    case EVENT_VERSION_RETIRED:
      if (!event->version || event->version != model->serving)
        return catalog_misfit(event, err, "it does not serve");
      return OK;
    default: return known ? OK : catalog_misfit(event, err, "no such version");
  }
}

static void model_event_apply(struct catalog *catalog, struct catalog_model *model,
                              const struct event *event)
{
  switch (event->kind) {
    case EVENT_VERSION_PUSHED: version_add(catalog, model, event); return;
    case EVENT_VERSION_DEPLOYED:
      if (model->serving != event->version) model_back_push(model, model->serving);
      model_switch(model, event->version, event);
      break;
    case EVENT_ROLLED_BACK:
      model_back_pop(model, event->version);
      model_switch(model, event->version, event);
      break;
    case EVENT_VERSION_RETIRED:
      model_back_push(model, model->serving);
      model_switch(model, 0, event);
      break;
    case EVENT_VERSION_REFUSED: refuse(catalog, model, event); break;
    case EVENT_DEPLOY_ASKED:
    case EVENT_ROLLBACK_ASKED:
      model->asked = event->version;
      model->asked_kind = event->kind;
      model->asked_actor = catalog_keep(catalog, event->actor);
      break;
    default: must(!"an event kind without a fold");
  }
  if (event->kind == EVENT_VERSION_DEPLOYED || event->kind == EVENT_ROLLED_BACK ||
      event->kind == EVENT_VERSION_RETIRED)
    release_overtaken(model);
}

enum code catalog_apply(struct catalog *catalog, const struct event *event, struct err *err)
{
  must(event->kind > EVENT_NONE && event->kind < EVENT_KINDS);
  bool flags = event->kind == EVENT_FLAGS_SET || event->kind == EVENT_FLAG_REMOVED;
  if (event->seq != catalog->seq + 1) return catalog_misfit(event, err, "wrong sequence number");
  struct catalog_tenant *tenant = catalog_tenant(catalog, event->tenant);
  struct catalog_model *model = NULL;
  if (tenant && event->idempotency.len && once_find(catalog, tenant, event->idempotency))
    return catalog_misfit(event, err, "its idempotency key has been used");
  if (event->kind == EVENT_TENANT_CREATED) {
    if (catalog_tenant_ever(catalog, event->tenant) || !event->tenant.len)
      return catalog_misfit(event, err, "the tenant exists");
    tenant_add(catalog, event);
    tenant = catalog_tenant(catalog, event->tenant);
  } else if (!tenant) {
    return catalog_misfit(event, err, "no such tenant");
  } else if (tenant_event_is(event->kind)) {
    if (tenant_fold(catalog, tenant, event, err)) return err->code;
  } else if (flags) {
    if (flag_fold(tenant, event, err)) return err->code;
  } else if (key_event_is(event->kind)) {
    if (key_event_apply(catalog, tenant, event, err)) return err->code;
  } else if (event->kind == EVENT_MODEL_CREATED) {
    model = catalog_model_like(tenant, event->model);
    if (!event->model.len || (model && !(model->removed && slice_eq(model->name, event->model))))
      return catalog_misfit(event, err, "the model exists");
    model_add(catalog, tenant, event);
    model = catalog_model(tenant, event->model);
  } else {
    model = catalog_model(tenant, event->model);
    if (event->kind == EVENT_FREEZE_SET || event->kind == EVENT_FREEZE_LIFTED) {
      if (freeze_fold(catalog, tenant, event, err)) return err->code;
    } else if (!model) {
      return catalog_misfit(event, err, "no such model");
    } else if (registry_event_is(event->kind)) {
      if (registry_fold(catalog, model, event, err)) return err->code;
    } else if (event->kind >= EVENT_RELEASE_STARTED) {
      if (release_fold(catalog, model, event, err)) return err->code;
    } else {
      if (model_event_check(model, event, err)) return err->code;
      model_event_apply(catalog, model, event);
    }
  }
  if (event->idempotency.len) once_fold(catalog, tenant, model, event);
  catalog->seq = event->seq;
  return OK;
}

/* --- one canonical form ----------------------------------------------------------------------- */

void digest_number(struct sha256 *sha, uint64_t number)
{
  char text[24];
  int len = snprintf(text, sizeof text, "%" PRIu64 ";", number);
  sha256_add(sha, slice_of(text, (size_t)len));
}

void digest_text(struct sha256 *sha, struct slice text)
{
  digest_number(sha, text.len);
  sha256_add(sha, text);
}

static void add_version(struct sha256 *sha, const struct catalog_version *version)
{
  digest_number(sha, version->number);
  digest_text(sha, version->engine);
  digest_text(sha, version->note);
  digest_text(sha, version->actor);
  digest_text(sha, slice_of((const char *)version->digest.at, SHA256_LEN));
  digest_number(sha, version->bytes);
  digest_number(sha, (uint64_t)version->pushed_ms);
  digest_number(sha, version->seq);
  digest_text(sha, slice_str(code_name(version->refused)));
  digest_text(sha, version->reason);
  registry_version_digest(sha, version);
}

static void add_model(struct sha256 *sha, const struct catalog_model *model)
{
  digest_text(sha, model->name);
  digest_number(sha, model->slot);
  digest_number(sha, model->n_versions);
  for (uint32_t i = 0; i < model->n_versions; i++) add_version(sha, &model->versions[i]);
  digest_number(sha, model->serving);
  digest_number(sha, model->switched_seq);
  digest_number(sha, (uint64_t)model->switched_ms);
  digest_number(sha, model->n_backs);
  for (uint32_t i = 0; i < model->n_backs; i++) digest_number(sha, model->backs[i]);
  digest_number(sha, model->asked);
  if (model->asked) {
    digest_text(sha, slice_str(event_name(model->asked_kind)));
    digest_text(sha, model->asked_actor);
  }
  release_digest(sha, model);
  registry_digest(sha, model);
}

struct digest catalog_digest(const struct catalog *catalog)
{
  struct sha256 sha;
  sha256_init(&sha);
  digest_number(&sha, catalog->seq);
  digest_number(&sha, catalog->n_tenants);
  for (uint32_t i = 0; i < catalog->n_tenants; i++) {
    const struct catalog_tenant *tenant = catalog->tenants[i];
    digest_text(&sha, tenant->name);
    digest_number(&sha, tenant->n_models);
    for (uint32_t k = 0; k < tenant->n_models; k++) add_model(&sha, tenant->models[k]);
    keyring_digest(&tenant->keyring, &sha);
    tenant_digest(tenant, &sha);
    if (!tenant->flags.len) continue;
    digest_number(&sha, tenant->flags_seq);
    digest_text(&sha, tenant->flags);
  }
  once_digest(&sha, catalog);
  freeze_digest(&sha, catalog);
  return sha256_end(&sha);
}
