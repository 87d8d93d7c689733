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

enum code quota_stock_check(const struct catalog_tenant *tenant, const struct catalog_model *model,
                            uint64_t versions, uint64_t bytes, uint64_t waiting, struct err *err)
{
  uint64_t stored = tenant->bytes_live + (tenant->meter ? meter_pending(tenant->meter) : 0);

  must(waiting <= bytes);
  const struct quotas *said = tenant->quotas;
  struct meter *meter = tenant->meter;
  const char *scope = "tenant";
  if ((!model || model->removed) && stock_check(said, meter, QUOTA_models, scope, tenant->name,
                                                tenant->n_models_live, 1, err))
    return err->code;
  if (stock_check(said, meter, QUOTA_versions, scope, tenant->name, tenant->n_versions_live,
                  versions, err) ||
      stock_check(said, meter, QUOTA_stored_bytes, scope, tenant->name, stored,
                  bytes - waiting, err))
    return err->code;
  if (!model || !model->quotas) return OK;
  said = model->quotas;
  meter = model->meter;
  scope = "model";
  if (stock_check(said, meter, QUOTA_versions, scope, model->name, model->n_live, versions, err))
    return err->code;
  return stock_check(said, meter, QUOTA_stored_bytes, scope, model->name, model_bytes(model), bytes,
                     err);
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
