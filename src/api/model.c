/* model.c - models: V2 metadata and readiness, the older V1 forms, and the control plane's view.
 * Thread: desk.
 * SPDX-License-Identifier: MIT */
#include "api/handlers_int.h"
#include "api/page.h"
#include "api/render_int.h"

enum { MODELS_PAGE = 1000, MODELS_PAGE_MAX = 10000, SHOWN_VERSIONS = 20 };

/* ---- trees ---- */

static json_t *shape_json(const struct tensor_spec *spec)
{
  json_t *dims = json_array();
  if (spec->rank_free)
    json_array_append_new(dims, json_integer(-1));
  else
    for (uint32_t i = 0; i < spec->shape.rank; i++)
      json_array_append_new(dims, json_integer(spec->shape.dims[i]));
  return dims;
}

static json_t *specs_json(const struct tensor_spec *specs, uint32_t n)
{
  json_t *list = json_array();
  for (uint32_t i = 0; i < n; i++) {
    json_t *item = json_object();
    json_object_set_new(item, "name", json_slice(specs[i].name));
    json_object_set_new(item, "datatype", json_string(dtype_name(specs[i].dtype)));
    json_object_set_new(item, "shape", shape_json(&specs[i]));
    json_array_append_new(list, item);
  }
  return list;
}

static json_t *ready_versions_json(const struct model *model)
{
  json_t *list = json_array();
  for (uint32_t i = 0; i < model->n_versions; i++) {
    const struct version *version = model_version_at(model, i);
    if (version_answers(version))
      json_array_append_new(list, json_sprintf("%u", version->number));
  }
  return list;
}

json_t *metadata_json(const struct model *model, const struct version *version)
{
  json_t *tree = json_object();
  json_object_set_new(tree, "name", json_slice(model->name));
  json_object_set_new(tree, "versions", ready_versions_json(model));
  json_object_set_new(tree, "platform", json_slice(version->platform));
  json_object_set_new(tree, "inputs",
                      specs_json(version->contract.inputs, version->contract.n_inputs));
  json_object_set_new(tree, "outputs",
                      specs_json(version->contract.outputs, version->contract.n_outputs));
  return tree;
}

/* Mostly there is none: a model may have a million versions, and lists show a hundred models. */
static const struct version *newest_in(const struct model *model, enum version_state state)
{
  for (uint32_t i = model->n_in[state] ? model->n_versions : 0; i-- > 0;) {
    const struct version *version = model_version_at(model, i);
    if (version->state == state) return version;
  }
  return NULL;
}

const struct version *model_state_of(const struct model *model, enum version_state *state)
{
  *state = VERSION_STORED;
  if (model->stable) {
    *state = model->stable->state;
    return model->stable;
  }
  const struct version *loading = newest_in(model, VERSION_LOADING);
  if (loading) {
    *state = VERSION_LOADING;
    return loading;
  }
  const struct version *said = newest_in(model, VERSION_FAILED);
  if (said) *state = VERSION_FAILED;
  return said ? said : model_newest(model);
}

static json_t *number_or_null(const struct version *version)
{
  return version ? json_integer(version->number) : json_null();
}

void card_set(json_t *tree, const struct blob *card)
{
  struct err err;
  json_t *said = card ? json_parse(blob_lend(card), &err) : NULL;
  json_object_update(tree, said);
  json_decref(said);
}

static json_t *aliases_json(const struct model *model)
{
  json_t *tree = json_object();
  for (uint32_t i = 0; i < model->n_aliases; i++) {
    json_t *name = json_slice(model->aliases[i].name);
    json_object_set_new(tree, json_string_value(name), json_integer(model->aliases[i].version));
    json_decref(name);
  }
  return tree;
}

json_t *model_json(const struct model *model)
{
  enum version_state state;
  const struct version *about = model_state_of(model, &state);
  const struct version *stable = model->stable;
  const struct version *newest = model_newest(model);
  json_t *tree = json_object();
  json_object_set_new(tree, "name", json_slice(model->name));
  json_object_set_new(tree, "state", json_string(version_state_name(state)));
  json_object_set_new(tree, "reason", json_slice(about ? about->reason : SLICE_NONE));
  json_object_set_new(tree, "serving", number_or_null(stable));
  json_object_set_new(tree, "previous", number_or_null(model->previous));
  json_object_set_new(tree, "loading", number_or_null(newest_in(model, VERSION_LOADING)));
  json_object_set_new(tree, "newest", number_or_null(newest));
  json_object_set_new(tree, "versions", json_integer(model->n_versions));
  json_object_set_new(tree, "engine", json_slice(about ? about->engine : SLICE_NONE));
  json_object_set_new(tree, "memory_bytes", json_u64(stable ? stable->memory_bytes : 0));
  json_object_set_new(tree, "created_at", json_time(model->created_ms));
  card_set(tree, model->card);
  json_object_set_new(tree, "aliases", aliases_json(model));
  if (!newest || newest->state != VERSION_FAILED || newest == about) return tree;
  /* The old version serves on while the newest was refused: say so. */
  json_t *refused = json_object();
  json_object_set_new(refused, "version", json_integer(newest->number));
  json_object_set_new(refused, "reason", json_slice(newest->reason));
  json_object_set_new(tree, "refused", refused);
  return tree;
}

/* ---- V2 ---- */

static json_t *ready_names(const struct ask *ask)
{
  json_t *names = json_array();
  for (uint32_t i = 0; ask->tenant && i < ask->tenant->n_models; i++) {
    const struct model *model = tenant_model(ask->tenant, i);
    if (model->stable) json_array_append_new(names, json_slice(model->name));
  }
  return names;
}

enum desk_step model_names(struct ask *ask)
{
  return ask_json(ask, 200, json_pack("{so}", "models", ready_names(ask)));
}

enum desk_step model_metadata(struct ask *ask)
{
  const struct model *model = ask_model(ask, 0);
  const struct version *version = model ? ask_known_version(ask, model) : NULL;
  if (!version) return ask_fail(ask);
  return ask_json(ask, 200, metadata_json(model, version));
}

enum desk_step model_config(struct ask *ask)
{
  const struct model *model = ask_model(ask, 0);
  const struct version *version = model ? ask_known_version(ask, model) : NULL;
  if (!version) return ask_fail(ask);
  return ask_json(ask, 200, config_json(model, version));
}

/* Known but not loaded is 503 here, where other routes say 404: a probe asks "not yet?". */
enum desk_step model_ready(struct ask *ask)
{
  const struct model *model = ask_model(ask, 0);
  if (!model) return ask_fail(ask);
  const struct version *version = model->stable;
  if (ask_has_version(ask)) {
    uint32_t number = 0;
    if (!ask->ref.at && !ask_version_number(ask, 1, &number)) return ask_fail(ask);
    version = ask->ref.at ? ask_version(ask, model, ask->ref) : model_version(model, number);
    if (!version && ask->err.code) return ask_fail(ask);
    if (!version) {
      fail(&ask->err, E_VERSION_NOT_FOUND, "model '%.*s' has no version %.*s",
           SLICE_ARG(model->name), SLICE_ARG(ask->letter->params[1]));
      return ask_fail(ask);
    }
    if (!version_answers(version)) {
      fail(&ask->err, E_NOT_READY, "version %u of model '%.*s' is %s", version->number,
           SLICE_ARG(model->name), version_state_name(version->state));
      return ask_fail(ask);
    }
  }
  if (!version) return ask_ready_version(ask, model), ask_fail(ask);
  return ask_json(ask, 200, json_pack("{so,sb}", "name", json_slice(model->name), "ready", 1));
}

/* ---- V1 ---- */

enum desk_step v1_models(struct ask *ask) { return model_names(ask); }

/* One answer for two readers: kserve looks at `ready`, TensorFlow Serving's clients at the list. */
enum desk_step v1_model(struct ask *ask)
{
  const struct model *model = ask_model(ask, 0);
  const struct version *version = model ? ask_ready_version(ask, model) : NULL;
  if (!version) return ask_fail(ask);
  json_t *status =
      json_pack("{so,ss,s{ss,ss}}", "version", json_sprintf("%u", version->number), "state",
                "AVAILABLE", "status", "error_code", "OK", "error_message", "");
  return ask_json(ask, 200,
                  json_pack("{so,sb,s[o]}", "name", json_slice(model->name), "ready", 1,
                            "model_version_status", status));
}

/* ---- the control plane ---- */

/* Index of the first model after the name. */
static uint32_t models_after(const struct tenant *tenant, struct slice name)
{
  bool there;
  uint32_t at = tenant_models_below(tenant, name, &there);
  return at + there;
}

enum desk_step model_list(struct ask *ask)
{
  struct page page;
  if (!page_read(ask, MODELS_PAGE, MODELS_PAGE_MAX, &page)) return ask_fail(ask);
  json_t *list = json_array();
  struct slice last = SLICE_NONE;
  const struct tenant *tenant = ask->tenant;
  uint32_t i = tenant && page.place.at ? models_after(tenant, page.place) : 0;
  for (; tenant && i < tenant->n_models && page.limit > 0; i++, page.limit--)
    json_array_append_new(list, model_json(tenant_model(tenant, i)));
  if (tenant && i && i < tenant->n_models) last = tenant_model(tenant, i - 1)->name;
  return ask_json(ask, 200, json_pack("{so,so}", "models", list, "next", page_next(ask, last)));
}

enum desk_step model_show(struct ask *ask)
{
  const struct model *model = ask_model(ask, 0);
  if (!model) return ask_fail(ask);
  json_t *tree = model_json(model), *list = json_array();
  uint32_t shown = 0;
  for (uint32_t i = model->n_versions; i-- > 0 && shown < SHOWN_VERSIONS; shown++)
    json_array_append_new(list, version_json(model_version_at(model, i)));
  json_object_set_new(tree, "newest_versions", list);
  ask_etag(ask, model);
  if (model->stable) {
    const struct contract *contract = &model->stable->contract;
    json_object_set_new(tree, "inputs", specs_json(contract->inputs, contract->n_inputs));
    json_object_set_new(tree, "outputs", specs_json(contract->outputs, contract->n_outputs));
  }
  return ask_json(ask, 200, tree);
}
