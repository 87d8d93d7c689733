/* stats.c - the statistics extension: counters of versions, all of one answer from one snapshot.
 * Thread: desk.
 * Source: section 8 of the wire contract; Triton's statistics extension for what each count means.
 * SPDX-License-Identifier: MIT */
#include "api/handlers_int.h"
#include "api/render_int.h"

static json_t *span_json(const struct span *span)
{
  return json_pack("{so,so}", "count", json_u64(span->count), "ns", json_u64(span->ns));
}

static json_t *batches_json(const struct version_tally *tally)
{
  json_t *list = json_array();
  for (int i = 0; i < TALLY_BATCH_SIZES; i++) {
    const struct batch_tally *batch = &tally->batches[i];
    if (!batch->rows) continue;
    json_array_append_new(
        list, json_pack("{so,so,so,so}", "batch_size", json_u64(batch->rows), "compute_input",
                        span_json(&batch->input), "compute_infer", span_json(&batch->infer),
                        "compute_output", span_json(&batch->output)));
  }
  return list;
}

json_t *stats_json(const struct model *model, const struct version *version,
                   const struct version_tally *tally)
{
  static const struct {
    const char *name;
    size_t at;
  } spans[] = {
      {"success", offsetof(struct version_tally, success)},
      {"fail", offsetof(struct version_tally, fail)},
      {"queue", offsetof(struct version_tally, queue)},
      {"compute_input", offsetof(struct version_tally, input)},
      {"compute_infer", offsetof(struct version_tally, infer)},
      {"compute_output", offsetof(struct version_tally, output)},
      {"cache_hit", offsetof(struct version_tally, cache_hit)},
      {"cache_miss", offsetof(struct version_tally, cache_miss)},
  };
  json_t *inference = json_object(), *memory = json_array(), *tree = json_object();
  for (size_t i = 0; i < sizeof spans / sizeof *spans; i++) {
    const void *span = (const char *)tally + spans[i].at;
    json_object_set_new(inference, spans[i].name, span_json(span));
  }
  if (version->state == VERSION_READY)
    json_array_append_new(memory, json_pack("{ss,si,so}", "type", "CPU", "id", 0, "byte_size",
                                            json_u64(version->memory_bytes)));
  json_object_set_new(tree, "name", json_slice(model->name));
  json_object_set_new(tree, "version", json_sprintf("%u", version->number));
  json_object_set_new(tree, "last_inference", json_integer(tally->last_wall_ms));
  json_object_set_new(tree, "inference_count", json_u64(tally->rows));
  json_object_set_new(tree, "execution_count", json_u64(tally->runs));
  json_object_set_new(tree, "inference_stats", inference);
  json_object_set_new(tree, "response_stats", json_object());
  json_object_set_new(tree, "batch_stats", batches_json(tally));
  json_object_set_new(tree, "memory_usage", memory);
  return tree;
}

static void model_stats_add(json_t *list, const struct model *model, const struct stats *stats)
{
  for (uint32_t i = 0; i < model->n_versions; i++) {
    const struct version *version = model_version_at(model, i);
    if (version->state != VERSION_READY && version->slot == SLOT_NONE) continue;
    json_array_append_new(list, stats_json(model, version, stats_slot(stats, version->slot)));
  }
}

static enum desk_step stats_all_then(struct ask *ask, const struct stats *stats)
{
  json_t *list = json_array();
  for (uint32_t i = 0; ask->tenant && i < ask->tenant->n_models; i++)
    model_stats_add(list, tenant_model(ask->tenant, i), stats);
  return ask_json(ask, 200, json_pack("{so}", "model_stats", list));
}

enum desk_step stats_all(struct ask *ask) { return stats_fresh(ask, stats_all_then); }

static enum desk_step stats_model_then(struct ask *ask, const struct stats *stats)
{
  const struct model *model = ask_model(ask, 0);
  if (!model) return ask_fail(ask);
  json_t *list = json_array();
  if (ask_has_version(ask)) {
    const struct version *version = ask_ready_version(ask, model);
    if (!version) {
      json_decref(list);
      return ask_fail(ask);
    }
    json_array_append_new(list, stats_json(model, version, stats_slot(stats, version->slot)));
  } else {
    model_stats_add(list, model, stats);
  }
  return ask_json(ask, 200, json_pack("{so}", "model_stats", list));
}

/* What can be refused is refused before a pulse is asked for. */
enum desk_step stats_model(struct ask *ask)
{
  const struct model *model = ask_model(ask, 0);
  if (!model) return ask_fail(ask);
  if (ask_has_version(ask) && !ask_ready_version(ask, model)) return ask_fail(ask);
  return stats_fresh(ask, stats_model_then);
}
