/* config.c - a version's configuration in the shape of Triton's ModelConfig.
 * Thread: desk.
 * Only what is true of the version is said; members that mean nothing here are left out, which
 * perf_analyzer and tritonclient accept.
 * Source: section 8 of the wire contract; Triton's model_config.proto for names and enums.
 * SPDX-License-Identifier: MIT */
#include "api/ask_int.h"
#include "api/render_int.h"

/* dims do not hold the batch dimension where the model batches. */
static json_t *dims_json(const struct tensor_spec *spec, bool batches)
{
  json_t *dims = json_array();
  if (spec->rank_free)
    json_array_append_new(dims, json_integer(-1));
  else
    for (uint32_t i = batches ? 1 : 0; i < spec->shape.rank; i++)
      json_array_append_new(dims, json_integer(spec->shape.dims[i]));
  return dims;
}

static json_t *ios_json(const struct tensor_spec *specs, uint32_t n, bool batches, bool inputs)
{
  json_t *list = json_array();
  for (uint32_t i = 0; i < n; i++) {
    json_t *item = json_object();
    json_object_set_new(item, "name", json_slice(specs[i].name));
    json_object_set_new(item, "data_type", json_string(dtype_config(specs[i].dtype)));
    if (inputs) json_object_set_new(item, "format", json_string("FORMAT_NONE"));
    json_object_set_new(item, "dims", dims_json(&specs[i], batches));
    if (inputs) json_object_set_new(item, "optional", json_boolean(specs[i].optional));
    json_array_append_new(list, item);
  }
  return list;
}

static json_t *policy_json(const struct model *model)
{
  json_t *versions = json_array();
  for (uint32_t i = 0; i < model->n_versions; i++) {
    const struct version *version = model_version_at(model, i);
    if (version_answers(version)) json_array_append_new(versions, json_integer(version->number));
  }
  return json_pack("{s{so}}", "specific", "versions", versions);
}

json_t *config_json(const struct model *model, const struct version *version)
{
  const struct contract *contract = &version->contract;
  const struct batch_spec *batch = &version->batch;
  bool batches = contract->batches;
  uint32_t rows_max = !batches ? 0 : batch->rows_max ? batch->rows_max : CONFIG_ROWS_MAX;
  json_t *tree = json_object();
  json_object_set_new(tree, "name", json_slice(model->name));
  json_object_set_new(tree, "platform", json_slice(version->platform));
  json_object_set_new(tree, "backend", json_slice(version->engine));
  json_object_set_new(tree, "version_policy", policy_json(model));
  json_object_set_new(tree, "max_batch_size", json_integer(rows_max));
  json_object_set_new(tree, "input", ios_json(contract->inputs, contract->n_inputs, batches, true));
  json_object_set_new(tree, "output",
                      ios_json(contract->outputs, contract->n_outputs, batches, false));
  json_object_set_new(tree, "instance_group",
                      json_pack("[{so,ss,si}]", "name",
                                json_sprintf("%.*s_0", (int)model->name.len, model->name.at),
                                "kind", "KIND_CPU", "count", (int)version->n_seats));
  if (batches && batch->rows_max != 1) {
    json_t *preferred = json_array();
    for (uint32_t i = 0; i < batch->n_preferred; i++)
      json_array_append_new(preferred, json_integer(batch->preferred[i]));
    json_object_set_new(tree, "dynamic_batching",
                        json_pack("{so}", "preferred_batch_size", preferred));
  }
  json_object_set_new(tree, "model_transaction_policy", json_pack("{sb}", "decoupled", 0));
  json_object_set_new(tree, "response_cache", json_pack("{sb}", "enable", 0));
  json_object_set_new(tree, "parameters", json_object());
  return tree;
}
