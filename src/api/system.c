/* system.c - the server itself: what it is, what it serves, how it is doing.
 * Thread: desk.
 * SPDX-License-Identifier: MIT */
#include "api/handlers_int.h"
#include "api/process_int.h"
#include "api/render_int.h"
#include "api/server/redis_int.h"
#include "base/clock.h"

/* Exactly what works: a name here is a promise (section 1 of the wire contract). */
static const char *const extensions[] = {
    "classification",  "model_repository",    "model_repository(unload_dependents)",
    "schedule_policy", "model_configuration", "binary_tensor_data",
    "parameters",      "statistics",
};

enum desk_step server_metadata(struct ask *ask)
{
  json_t *list = json_array();
  for (size_t i = 0; i < sizeof extensions / sizeof *extensions; i++)
    json_array_append_new(list, json_string(extensions[i]));
  return ask_json(ask, 200,
                  json_pack("{ss,ss,so}", "name", "slipway", "version", ask->desk->opts->version,
                            "extensions", list));
}

enum desk_step system_version(struct ask *ask)
{
  return ask_json(ask, 200,
                  json_pack("{ss,ss}", "name", "slipway", "version", ask->desk->opts->version));
}

/* What a request sees of a running release; NULL: none is. */
static json_t *split_json(const struct model *model)
{
  const struct split *split = model->release;
  if (!split) return NULL;
  uint32_t weight = 0;
  const struct version *candidate = split->shadow;
  for (uint32_t i = 0; i < model->n_arms; i++)
    if (model->arms[i].version && !(split->closed & ARM_BIT(i)) &&
        model->arms[i].version != model->stable) {
      weight += model->arms[i].weight;
      if (!candidate) candidate = model->arms[i].version;
    }
  return json_pack("{so,so,so,sf,sf}", "release", json_integer(split->number), "step",
                   json_integer(split->step), "version",
                   candidate ? json_integer(candidate->number) : json_null(), "weight",
                   (double)weight / WEIGHT_WHOLE, "copied",
                   split->shadow ? (double)split->shadow_weight / WEIGHT_WHOLE : 0.0);
}

/* Versions that fail so often that they get no calls, or a few to try them by; NULL: there are
 * none. */
static json_t *breakers_json(const struct model *model)
{
  json_t *list = NULL;
  for (uint32_t i = 0; i < model->n_versions; i++) {
    const struct version *version = model_version_at(model, i);
    if (version->state != VERSION_READY || version->breaker == BREAKER_CLOSED) continue;
    bool open = version->breaker == BREAKER_OPEN;
    int64_t left_us = version->breaker_until_us - clock_us();
    json_t *item = json_pack("{si,ss,so}", "version", (int)version->number, "state",
                             open ? "open" : "half_open", "tried_in_ms",
                             open ? json_integer(left_us > 0 ? left_us / 1000 : 0) : json_null());
    if (!list) list = json_array();
    json_array_append_new(list, item);
  }
  return list;
}

/* What is in work, what may be as far as loops found out, and what was turned away for it. */
static json_t *load_json(const struct model *model, const struct stats *stats)
{
  uint64_t out = 0, limit = 0, shed = 0, missed = 0;
  for (uint32_t i = 0; i < model->n_versions; i++) {
    const struct version_tally *tally = stats_slot(stats, model_version_at(model, i)->slot);
    out += tally->lent - tally->returned;
    limit += (uint64_t)tally->limit;
    for (int r = 0; r < SHEDS; r++) shed += tally->shed[r];
    for (int s = 0; s < MISSED_STAGES; s++) missed += tally->missed[s];
  }
  return json_pack("{so,so,so,so}", "in_flight", json_u64(out), "limit",
                   limit ? json_u64(limit) : json_null(), "turned_away", json_u64(shed),
                   "deadlines_missed", json_u64(missed));
}

/* model_json and what its versions have answered; percentiles are those of the one that serves. */
static json_t *model_status_json(const struct model *model, const struct stats *stats)
{
  json_t *tree = model_json(model);
  uint64_t requests = 0, failures = 0, hits = 0, misses = 0;
  for (uint32_t i = 0; i < model->n_versions; i++) {
    const struct version_tally *tally = stats_slot(stats, model_version_at(model, i)->slot);
    requests += tally->success.count + tally->fail.count;
    failures += tally->fail.count;
    hits += tally->cache_hit.count;
    misses += tally->cache_miss.count;
  }
  json_object_set_new(tree, "requests", json_u64(requests));
  json_object_set_new(tree, "failures", json_u64(failures));
  json_object_set_new(tree, "load", load_json(model, stats));
  json_t *breakers = breakers_json(model);
  if (breakers) json_object_set_new(tree, "breakers", breakers);
  json_t *split = split_json(model);
  if (split) json_object_set_new(tree, "release", split);
  if (!model->stable) return tree;
  if (model->stable->cache_ttl_us)
    json_object_set_new(
        tree, "cache",
        json_pack("{so,so,sf,so}", "hits", json_u64(hits), "misses", json_u64(misses), "ttl_s",
                  (double)model->stable->cache_ttl_us / 1e6, "bytes_max",
                  json_u64(model->stable->cache_bytes_max)));
  const struct version_tally *stable = stats_slot(stats, model->stable->slot);
  if (model->stable->contract.batches && stable->runs)
    json_object_set_new(tree, "batch",
                        json_pack("{sf,si,so}", "rows_mean",
                                  (double)stable->rows / (double)stable->runs, "delay_us",
                                  (int)stable->delay_us, "runs", json_u64(stable->runs)));
  const struct hist *hist = &stable->total_us;
  if (hist->count)
    json_object_set_new(
        tree, "latency_us",
        json_pack("{so,so,so}", "p50", json_u64(hist_quantile(hist, 0.5)), "p95",
                  json_u64(hist_quantile(hist, 0.95)), "p99", json_u64(hist_quantile(hist, 0.99))));
  return tree;
}

/* The server as one of several tenants sees it: the sums are of its own. */
static void own_sums_set(json_t *tree, const struct ask *ask, const struct stats *stats)
{
  uint64_t requests = 0, waiting = 0, loading = 0, bytes = 0;
  for (uint32_t i = 0; ask->tenant && i < ask->tenant->n_models; i++) {
    const struct model *model = tenant_model(ask->tenant, i);
    for (uint32_t v = 0; v < model->n_versions; v++) {
      const struct version *version = model_version_at(model, v);
      const struct version_tally *tally = stats_slot(stats, version->slot);
      requests += tally->success.count + tally->fail.count;
      waiting += tally->lent - tally->returned;
      loading += version->state == VERSION_LOADING;
      if (version->state == VERSION_READY) bytes += version->memory_bytes;
    }
  }
  json_object_set_new(tree, "loading", json_u64(loading));
  json_object_set_new(tree, "waiting", json_u64(waiting));
  json_object_set_new(tree, "requests", json_u64(requests));
  json_object_set_new(tree, "resident_bytes", json_u64(bytes));
}

static json_t *server_status_json(const struct ask *ask, const struct stats *stats)
{
  struct process_facts facts;
  process_read(&facts);
  json_t *tree = json_object();
  json_object_set_new(tree, "version", json_string(ask->desk->opts->version));
  json_object_set_new(tree, "ready", json_boolean(world_ready(ask->world)));
  json_object_set_new(tree, "draining", json_boolean(world_draining(ask->world)));
  json_object_set_new(tree, "uptime_s", json_integer(stats->uptime_us / 1000000));
  if (!ask_sees_server(ask)) {
    own_sums_set(tree, ask, stats);
    return tree;
  }
  json_object_set_new(tree, "world", json_u64(world_serial(ask->world)));
  json_object_set_new(tree, "loading", json_u64(stats->models_loading));
  json_object_set_new(tree, "waiting", json_u64(stats->lanes_pending));
  json_object_set_new(tree, "requests", json_u64(stats->tally ? stats->tally->requests : 0));
  json_object_set_new(tree, "resident_bytes", json_u64(facts.resident_bytes));
  const struct pressure_readings *read = &stats->pressure.last;
  if (read->memory_from)
    json_object_set_new(tree, "memory",
                        json_pack("{so,so,ss}", "used_bytes", json_u64(read->memory_used),
                                  "budget_bytes", json_u64(read->memory_max), "from",
                                  read->memory_from));
  if (ask->desk->opts->asks_redis)
    json_object_set_new(tree, "cache_redis", redis_json(stats, clock_us()));
  return tree;
}

static void tree_free(void *tree) { json_decref(tree); }

/* One model's release in control's own words: the running one, or how the last one ended. */
static enum desk_step status_release(struct ask *ask, struct letter_release *letter)
{
  json_t *tree = ask->state, *model = json_array_get(json_object_get(tree, "models"), 0);
  if (letter->err.code == OK) {
    json_t *release = json_parse(blob_lend(letter->json), &ask->err);
    if (!release) return ask_fail(ask);
    json_object_set_new(model, "release", release);
  }
  ask->state = NULL;
  return ask_json(ask, 200, tree);
}

static enum desk_step status_of_one(struct ask *ask, const struct stats *stats, struct slice name)
{
  const struct model *model = ask->tenant ? world_model(ask->world, ask->tenant, name) : NULL;
  if (!model) {
    fail(&ask->err, E_MODEL_NOT_FOUND, "model '%.*s' is not known; 'slipway push' makes one",
         SLICE_ARG(name));
    return ask_fail(ask);
  }
  ask->state = json_pack("{so,s[o]}", "server", server_status_json(ask, stats), "models",
                         model_status_json(model, stats));
  ask->state_free = tree_free;
  return release_ask(ask, &name, 1, status_release);
}

static enum desk_step status_then(struct ask *ask, const struct stats *stats)
{
  struct slice only;
  if (!ask_query(ask, "model", &only)) return ask_fail(ask);
  if (only.at) return status_of_one(ask, stats, only);
  json_t *list = json_array();
  for (uint32_t i = 0; ask->tenant && i < ask->tenant->n_models; i++)
    json_array_append_new(list, model_status_json(tenant_model(ask->tenant, i), stats));
  return ask_json(ask, 200,
                  json_pack("{so,so}", "server", server_status_json(ask, stats), "models", list));
}

enum desk_step system_status(struct ask *ask) { return stats_recent(ask, status_then); }
