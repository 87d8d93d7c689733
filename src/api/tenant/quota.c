/* quota.c - limits and their use: shown, set, as metrics.
 * Thread: desk.
 * SPDX-License-Identifier: MIT */
#include "api/tenant/quota_int.h"

#include <inttypes.h>
#include <stdio.h>

#include "api/handlers_int.h"
#include "api/metrics_int.h"
#include "base/clock.h"

/* ---- what is used ---- */

static uint64_t resident_of(const struct model *model)
{
  uint64_t sum = 0;
  for (uint32_t i = 0; i < model->n_versions; i++) {
    const struct version *version = model_version_at(model, i);
    if (version->state == VERSION_READY) sum += version->memory_bytes;
  }
  return sum;
}

static uint64_t tenant_used(const struct tenant *tenant, enum quota_id id, int64_t now_us)
{
  uint64_t sum = 0;
  switch (id) {
    case QUOTA_models: return tenant->n_models;
    case QUOTA_versions: return tenant->n_stored;
    case QUOTA_stored_bytes:
      return tenant->stored_bytes + (tenant->meter ? meter_pending(tenant->meter) : 0);
    case QUOTA_resident_bytes:
      for (uint32_t i = 0; i < tenant->n_models; i++) sum += resident_of(tenant_model(tenant, i));
      return sum;
    default: return tenant->meter ? meter_used(tenant->meter, id, now_us) : QUOTA_UNLIMITED;
  }
}

static uint64_t model_used(const struct model *model, enum quota_id id, int64_t now_us)
{
  uint64_t sum = 0;
  switch (id) {
    case QUOTA_versions: return model->n_versions;
    case QUOTA_stored_bytes:
      for (uint32_t i = 0; i < model->n_versions; i++) sum += model_version_at(model, i)->bytes;
      return sum;
    case QUOTA_resident_bytes: return resident_of(model);
    default: return model->meter ? meter_used(model->meter, id, now_us) : QUOTA_UNLIMITED;
  }
}

/* One limit of somebody, with what is used of it. */
struct use {
  const struct quota_row *row;
  enum quota_id id;
  bool said;
  uint64_t value, used, refused; /* QUOTA_UNLIMITED: not limited, not counted */
};

static bool use_of(enum quota_id id, enum quota_scope scope, const struct quotas *quotas,
                   const struct meter *meter, uint64_t used, struct use *use)
{
  const struct quota_row *row = quota_row(id);
  *use = (struct use){.row = row, .id = id, .value = quota_value(quotas, id), .used = used};
  use->said = quotas && quotas->said[id];
  if (meter) use->refused = atomic_load_explicit(&meter->refused[id], memory_order_relaxed);
  bool counted = row->kind == QUOTA_STOCK || use->value != QUOTA_UNLIMITED;
  if (row->kind == QUOTA_BURST || !counted) use->used = QUOTA_UNLIMITED;
  return (row->scope & scope) != 0;
}

static bool tenant_use(const struct tenant *tenant, enum quota_id id, int64_t now_us,
                       struct use *use)
{
  return use_of(id, QUOTA_TENANT, tenant->quotas, tenant->meter, tenant_used(tenant, id, now_us),
                use);
}

static bool model_use(const struct model *model, enum quota_id id, int64_t now_us, struct use *use)
{
  return use_of(id, QUOTA_MODEL, model->quotas, model->meter, model_used(model, id, now_us), use);
}

/* ---- as JSON ---- */

static json_t *number_or_null(uint64_t value)
{
  return value == QUOTA_UNLIMITED ? json_null() : json_u64(value);
}

static void use_add(json_t *to, const struct use *use)
{
  json_object_set_new(to, use->row->name,
                      json_pack("{so,sb,so,so,ss}", "limit", number_or_null(use->value), "said",
                                use->said, "used", number_or_null(use->used), "refused",
                                json_u64(use->refused), "unit", use->row->unit));
}

json_t *quotas_tenant_json(const struct tenant *tenant)
{
  int64_t now_us = clock_us();
  json_t *tree = json_object();
  struct use use;
  for (int id = 0; id < QUOTAS; id++)
    if (tenant_use(tenant, (enum quota_id)id, now_us, &use)) use_add(tree, &use);
  return tree;
}

json_t *quotas_model_json(const struct model *model)
{
  int64_t now_us = clock_us();
  json_t *tree = json_object();
  struct use use;
  for (int id = 0; id < QUOTAS; id++)
    if (model_use(model, (enum quota_id)id, now_us, &use)) use_add(tree, &use);
  return tree;
}

enum desk_step quota_list(struct ask *ask)
{
  const struct tenant *tenant = ask->tenant;
  json_t *models = json_object();
  if (!tenant) {
    fail(&ask->err, E_NOT_FOUND, "there is no such tenant");
    json_decref(models);
    return ask_fail(ask);
  }
  for (uint32_t i = 0; i < tenant->n_models; i++) {
    const struct model *model = tenant_model(tenant, i);
    if (model->quotas)
      json_object_setn_new(models, model->name.at, model->name.len, quotas_model_json(model));
  }
  return ask_json(ask, 200, json_pack("{so,so,so}", "tenant", json_slice(tenant->name), "quotas",
                                      quotas_tenant_json(tenant), "models", models));
}

static enum desk_step model_answer(struct ask *ask, uint64_t seq)
{
  const struct model *model = ask_model(ask, 0);
  if (!model) return ask_fail(ask);
  json_t *tree = json_pack("{so,so}", "model", json_slice(model->name), "quotas",
                           quotas_model_json(model));
  if (seq) json_object_set_new(tree, "seq", json_u64(seq));
  return ask_json(ask, 200, tree);
}

enum desk_step quota_model(struct ask *ask) { return model_answer(ask, 0); }

/* ---- setting ---- */

/* A value as quota_read wants it. */
static bool value_text(struct ask *ask, const char *name, const json_t *value, char *to, size_t cap)
{
  if (json_is_integer(value)) {
    snprintf(to, cap, "%" PRId64, (int64_t)json_integer_value(value));
  } else if (json_is_null(value)) {
    snprintf(to, cap, "default");
  } else if (json_is_string(value) && json_string_length(value) < cap) {
    return slice_to_str(slice_of(json_string_value(value), json_string_length(value)), to, cap) ||
           (snprintf(to, cap, "?"), true);
  } else {
    bool number = json_is_real(value);
    fail(&ask->err, number || json_is_string(value) ? E_VALUE_OUT_OF_RANGE : E_WRONG_TYPE,
         "%s takes a whole number from 1 to %" PRIu64 ", \"unlimited\", or null for its default",
         name, quota_row(quota_named(slice_str(name), false))->most);
    fail_at(&ask->err, "quotas.%s", name);
    return false;
  }
  return true;
}

static bool limits_known(struct ask *ask, json_t *object)
{
  const char *key;
  json_t *value;
  json_object_foreach(object, key, value)
  {
    if (quota_named(slice_str(key), false) != QUOTAS) continue;
    fail(&ask->err, E_INVALID_ARGUMENT, "there is no quota '%.64s'; GET /api/v1/quotas lists them",
         key);
    fail_at(&ask->err, "quotas.%.64s", key);
    return false;
  }
  return true;
}

bool quotas_fact_read(struct ask *ask, const json_t *of, enum quota_scope scope,
                      struct slice *fact)
{
  json_t *object = json_object_get(of, "quotas");
  char text[40], all[QUOTAS_TEXT_MAX];
  uint64_t value;
  size_t len = 0;
  *fact = SLICE_NONE;
  if (!object) return true;
  if (!json_is_object(object) || json_object_size(object) == 0) {
    fail(&ask->err, E_WRONG_TYPE, "'quotas' is an object of limits, {\"models\": 5}");
    fail_at(&ask->err, "quotas");
    return false;
  }
  if (!limits_known(ask, object)) return false;
  for (int i = 0; i < QUOTAS; i++) {
    enum quota_id id = (enum quota_id)i;
    const char *name = quota_row(id)->name;
    const json_t *member = json_object_get(object, name);
    if (!member) continue;
    if (!value_text(ask, name, member, text, sizeof text)) return false;
    if (quota_scope_check(id, scope, &ask->err) ||
        quota_read(id, slice_str(text), &value, &ask->err)) {
      fail_at(&ask->err, "quotas.%s", name);
      return false;
    }
    len += (size_t)snprintf(all + len, sizeof all - len, "%s%s=", len ? " " : "", name);
    len += value == 0                 ? (size_t)snprintf(all + len, sizeof all - len, "default")
           : value == QUOTA_UNLIMITED ? (size_t)snprintf(all + len, sizeof all - len, "unlimited")
                                      : (size_t)snprintf(all + len, sizeof all - len, "%" PRIu64,
                                                         value);
    must(len < sizeof all);
  }
  *fact = arena_copy(&ask->arena, slice_of(all, len));
  must(fact->at);
  return true;
}

static enum desk_step model_was_set(struct ask *ask)
{
  ask->err = ask->command.err;
  if (ask->err.code != OK) return ask_fail(ask);
  return model_answer(ask, ask->command.seq);
}

enum desk_step quota_model_set(struct ask *ask)
{
  struct event *event = &ask->command.event;
  struct event_fact *facts = arena_zero(&ask->arena, 1, sizeof *facts);
  struct slice fact;
  must(facts);
  const struct model *model = ask_model(ask, 0);
  if (!model || !ask_body(ask) || !ask_members(ask, "quotas", NULL) ||
      !quotas_fact_read(ask, ask->body, QUOTA_MODEL, &fact))
    return ask_fail(ask);
  if (!fact.at) {
    fail(&ask->err, E_INVALID_ARGUMENT, "say which: {\"quotas\": {\"requests_per_second\": 100}}");
    fail_at(&ask->err, "quotas");
    return ask_fail(ask);
  }
  facts[0] = (struct event_fact){SLICE("quotas"), fact};
  *event = (struct event){.model = arena_copy(&ask->arena, model->name)};
  must(event->model.at);
  event->facts = facts;
  event->n_facts = 1;
  ask->command.kind = COMMAND_MODEL_SET;
  return ask_command(ask, model_was_set);
}

/* ---- uploads ---- */

/* Counted first and judged then: of two that come at once at most one finds the last room. */
bool quota_upload(struct ask *ask, uint64_t n, uint64_t declared)
{
  const struct tenant *tenant = ask->tenant;
  if (!tenant || !tenant->meter) return true;
  meter_pending_add(tenant->meter, n);
  uint64_t used = tenant_used(tenant, QUOTA_stored_bytes, 0) - n;
  if (stock_check(tenant->quotas, tenant->meter, QUOTA_stored_bytes, "tenant", tenant->name, used,
                  n > declared ? n : declared, &ask->err) == OK)
    return true;
  meter_pending_give(tenant->meter, n);
  return false;
}

void quota_upload_give(struct ask *ask, uint64_t bytes)
{
  if (ask->tenant && ask->tenant->meter && bytes)
    meter_pending_give(ask->tenant->meter, bytes);
}

struct meter *quota_meter_of(const struct ask *ask)
{
  return ask->tenant ? ask->tenant->meter : NULL;
}

/* ---- as metrics ---- */

enum { FAMILIES = 3 };
static const struct {
  const char *name, *type, *help;
} families[FAMILIES] = {
    {"slipway_quota_limit", "gauge", "what the tenant, or a model of its, may"},
    {"slipway_quota_used", "gauge", "how much of that is in use; rates: of the last second"},
    {"slipway_quota_refused_total", "counter", "what was refused for it"},
};

static void use_write(struct buf *to, int family, struct slice model, const struct use *use)
{
  uint64_t value = family == 0 ? use->value : family == 1 ? use->used : use->refused;
  if (use->value == QUOTA_UNLIMITED || value == QUOTA_UNLIMITED) return;
  buf_print(to, "%s{limit=\"%s\"", families[family].name, use->row->name);
  if (model.at) {
    buf_add(to, SLICE(",model="));
    metrics_label(to, model);
  }
  buf_print(to, "} %" PRIu64 "\n", value);
}

void quota_metrics_write(struct buf *to, const struct metrics_view *view)
{
  const struct tenant *tenant = view->tenant;
  int64_t now_us = clock_us();
  struct use use;
  for (int family = 0; tenant && family < FAMILIES; family++) {
    uint32_t models = 0;
    metrics_head(to, families[family].name, families[family].type, families[family].help);
    for (int id = 0; id < QUOTAS; id++)
      if (tenant_use(tenant, (enum quota_id)id, now_us, &use))
        use_write(to, family, SLICE_NONE, &use);
    for (uint32_t i = 0; i < tenant->n_models && models < METRICS_QUOTA_MODELS; i++) {
      const struct model *model = tenant_model(tenant, i);
      if (!model->quotas) continue;
      models++;
      for (int id = 0; id < QUOTAS; id++)
        if (model_use(model, (enum quota_id)id, now_us, &use))
          use_write(to, family, model->name, &use);
    }
  }
}
