/* quota.c - folding limits, checking stock.
 * Thread: control (main before it starts).
 * SPDX-License-Identifier: MIT */
#include "control/quota.h"

#include <inttypes.h>

#include "control/catalog_int.h"

struct meter *quota_meter(struct catalog *catalog)
{
  struct arena *arena = catalog->meters ? catalog->meters : &catalog->arena;
  char *at = arena_zero(arena, 1, sizeof(struct meter) + METER_LINE);
  must(at);
  return (struct meter *)(void *)(at + (-(uintptr_t)at & (METER_LINE - 1)));
}

enum code quota_fact_check(const struct quotas *said, enum quota_scope scope, struct slice fact,
                           struct err *err)
{
  struct quotas next = said ? *said : (struct quotas){{0}};
  return quotas_read(&next, scope, fact, err);
}

enum code quota_fold(struct catalog *catalog, struct quotas **said, enum quota_scope scope,
                     struct slice fact, struct err *err)
{
  struct quotas next = *said && fact.len ? **said : (struct quotas){{0}};
  if (quotas_read(&next, scope, fact, err)) return err->code;
  if (!*said) *said = catalog_room(catalog, 1, sizeof **said);
  **said = next;
  return OK;
}

/* --- stock ------------------------------------------------------------------------------------ */

static uint64_t model_bytes(const struct catalog_model *model)
{
  uint64_t sum = 0;
  for (uint32_t i = 0; i < model->n_versions; i++)
    if (!model->versions[i].removed) sum += model->versions[i].bytes;
  return sum;
}

enum code quota_tenant_stock(const struct quotas *said, const struct catalog_tenant *tenant,
                             struct slice name, struct stock_more more, struct err *err)
{
  static const struct catalog_tenant none;
  if (!tenant) tenant = &none;
  struct meter *meter = tenant->meter;
  uint64_t stored = tenant->bytes_live + (meter ? meter_pending(meter) : 0);
  const char *scope = "tenant";
  must(more.waiting <= more.bytes);
  if ((more.models && stock_check(said, meter, QUOTA_models, scope, name, tenant->n_models_live,
                                  more.models, err)) ||
      stock_check(said, meter, QUOTA_versions, scope, name, tenant->n_versions_live, more.versions,
                  err))
    return err->code;
  return stock_check(said, meter, QUOTA_stored_bytes, scope, name, stored,
                     more.bytes - more.waiting, err);
}

enum code quota_model_stock(const struct quotas *said, const struct catalog_model *model,
                            struct slice name, struct stock_more more, struct err *err)
{
  static const struct catalog_model none;
  if (!model) model = &none;
  if (stock_check(said, model->meter, QUOTA_versions, "model", name, model->n_live, more.versions,
                  err))
    return err->code;
  return stock_check(said, model->meter, QUOTA_stored_bytes, "model", name, model_bytes(model),
                     more.bytes, err);
}

enum code quota_stock_check(const struct catalog_tenant *tenant, const struct catalog_model *model,
                            uint64_t versions, uint64_t bytes, uint64_t waiting, struct err *err)
{
  const struct stock_more more = {!model || model->removed, versions, bytes, waiting};
  if (quota_tenant_stock(tenant->quotas, tenant, tenant->name, more, err)) return err->code;
  if (!model || !model->quotas) return OK;
  return quota_model_stock(model->quotas, model, model->name, more, err);
}

static bool stock_said(const struct quotas *said)
{
  for (int id = 0; said && id < QUOTAS; id++)
    if (said->said[id] && quota_row((enum quota_id)id)->kind == QUOTA_STOCK) return true;
  return false;
}

bool quota_in_line(const struct catalog *catalog, const struct letter_command *command,
                   const struct event *written)
{
  bool adds = command->kind == COMMAND_PUSH || command->kind == COMMAND_MODEL_ADD;
  bool added = written->kind == EVENT_MODEL_CREATED || written->kind == EVENT_VERSION_PUSHED;
  if (!adds || !added || !slice_eq(written->tenant, command->event.tenant)) return false;
  const struct catalog_tenant *tenant = catalog_tenant(catalog, written->tenant);
  return tenant && stock_said(tenant->quotas);
}

void quota_digest(const struct quotas *said, struct sha256 *sha)
{
  char text[QUOTAS_TEXT_MAX];
  size_t len = said ? quotas_write(said, text) : 0;
  if (len) digest_text(sha, slice_of(text, len));
}
