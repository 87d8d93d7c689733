/* model_json.c - reads model.json.
 * Thread: job.
 * SPDX-License-Identifier: MIT */
#include "infer/model_json.h"

#include "base/utf8.h"

static json_t *json_parse(const struct model_source *source, json_error_t *where)
{
  const struct model_file *file = source_file(source, SLICE("model.json"));
  if (!file || file->bytes.len > MODEL_JSON_BYTES_MAX) return NULL;
  return json_loadb(file->bytes.at, file->bytes.len, JSON_REJECT_DUPLICATES, where);
}

bool model_json_names(const struct model_source *source, const char *engine)
{
  json_error_t where;
  json_t *root = json_parse(source, &where);
  const char *name = json_string_value(json_object_get(root, "engine"));
  bool is = name && strcmp(name, engine) == 0;
  json_decref(root);
  return is;
}

static enum code json_check(const json_t *root, const char *engine, const char *const *known,
                            struct err *err)
{
  const char *key;
  json_t *value;
  if (!json_is_object(root)) return fail(err, E_MODEL_REJECTED, "model.json is not a JSON object");
  const json_t *name = json_object_get(root, "engine");
  if (name && (!json_is_string(name) || strcmp(json_string_value(name), engine) != 0))
    return fail(err, E_MODEL_REJECTED, "\"engine\" in model.json is not \"%s\"", engine);
  json_object_foreach((json_t *)root, key, value)
  {
    size_t i = 0;
    while (known[i] && strcmp(known[i], key) != 0) i++;
    if (!known[i])
      return fail(err, E_MODEL_REJECTED,
                  "model.json has the member \"%.64s\", which engine %s does not know", key,
                  engine);
  }
  return OK;
}

enum code model_json_read(const struct model_source *source, const char *engine,
                          const char *const *known, json_t **root, struct err *err)
{
  json_error_t where;
  const struct model_file *file = source_file(source, SLICE("model.json"));
  if (!file)
    return fail(err, E_MODEL_REJECTED, "there is no model.json: engine %s needs one", engine);
  if (file->bytes.len > MODEL_JSON_BYTES_MAX)
    return fail(err, E_MODEL_REJECTED, "model.json is larger than %d MiB",
                MODEL_JSON_BYTES_MAX >> 20);
  *root = json_parse(source, &where);
  if (!*root)
    return fail(err, E_MODEL_REJECTED,
                "model.json is not JSON with unique keys: see line %d, column %d", where.line,
                where.column);
  if (json_check(*root, engine, known, err) == OK) return OK;
  json_decref(*root);
  *root = NULL;
  return err->code;
}

static enum code shape_read(const json_t *json, const char *at, struct shape *shape,
                            struct err *err)
{
  if (!json_is_array(json) || json_array_size(json) > TENSOR_RANK_MAX)
    return fail(err, E_MODEL_REJECTED, "%s.shape is not an array of at most %d numbers", at,
                TENSOR_RANK_MAX);
  shape->rank = (uint32_t)json_array_size(json);
  for (uint32_t i = 0; i < shape->rank; i++) {
    const json_t *dim = json_array_get(json, i);
    json_int_t value = json_integer_value(dim);
    if (!json_is_integer(dim) || value < -1 || value > TENSOR_DIM_MAX)
      return fail(err, E_MODEL_REJECTED,
                  "%s.shape[%u] is not a dimension: a whole number, or -1 for any", at, i);
    shape->dims[i] = value;
  }
  return OK;
}

static enum code spec_read(const json_t *json, const char *at, struct arena *arena,
                           struct tensor_spec *spec, struct err *err)
{
  const char *key;
  json_t *value;
  const char *name = json_string_value(json_object_get(json, "name"));
  const char *datatype = json_string_value(json_object_get(json, "datatype"));
  if (!name || !*name) return fail(err, E_MODEL_REJECTED, "%s has no name", at);
  spec->dtype = dtype_named(slice_str(datatype));
  if (spec->dtype == DT_NONE)
    return fail(err, E_MODEL_REJECTED, "%s has no datatype like \"FP32\", \"INT64\" or \"BYTES\"",
                at);
  spec->optional = json_is_true(json_object_get(json, "optional"));
  json_object_foreach((json_t *)json, key, value)
  {
    if (strcmp(key, "name") && strcmp(key, "datatype") && strcmp(key, "shape") &&
        strcmp(key, "optional"))
      return fail(err, E_MODEL_REJECTED, "%s has the member \"%.64s\", which is not known", at,
                  key);
  }
  spec->name = arena_copy(arena, slice_str(name));
  if (!spec->name.at) return fail(err, E_OUT_OF_MEMORY, "model.json does not fit into memory");
  return shape_read(json_object_get(json, "shape"), at, &spec->shape, err);
}

enum code model_json_specs(const json_t *root, const char *field, struct arena *arena,
                           struct tensor_spec **specs, uint32_t *n, struct err *err)
{
  const json_t *all = json_object_get(root, field);
  size_t count = json_array_size(all);
  if (count < 1 || count > TENSORS_MAX)
    return fail(err, E_MODEL_REJECTED, "\"%s\" in model.json is not an array of 1 to %d tensors",
                field, TENSORS_MAX);
  *specs = arena_zero(arena, count, sizeof **specs);
  if (!*specs) return fail(err, E_OUT_OF_MEMORY, "model.json does not fit into memory");
  for (uint32_t i = 0; i < count; i++) {
    char at[ERR_FIELD_MAX];
    uint32_t twin;
    snprintf(at, sizeof at, "%s[%u] in model.json", field, i);
    if (spec_read(json_array_get(all, i), at, arena, &(*specs)[i], err) != OK) return err->code;
    if (spec_find(*specs, i, (*specs)[i].name, &twin))
      return fail(err, E_MODEL_REJECTED, "%s has the name of %s[%u]", at, field, twin);
  }
  *n = (uint32_t)count;
  return OK;
}

enum code model_json_labels(const json_t *root, const char *field, struct arena *arena,
                            const struct slice **labels, uint32_t *n, struct err *err)
{
  const json_t *all = json_object_get(root, field);
  *labels = NULL;
  *n = 0;
  if (!all) return OK;
  size_t count = json_array_size(all);
  struct slice *texts = arena_zero(arena, count, sizeof *texts);
  if (!texts) return fail(err, E_OUT_OF_MEMORY, "model.json does not fit into memory");
  for (size_t i = 0; i < count; i++) {
    const json_t *text = json_array_get(all, i);
    texts[i] = arena_copy(arena, slice_of(json_string_value(text), json_string_length(text)));
    if (!json_is_string(text) || !texts[i].at)
      return fail(err, E_MODEL_REJECTED, "%s[%zu] in model.json is not a string", field, i);
  }
  if (count == 0)
    return fail(err, E_MODEL_REJECTED, "\"%s\" in model.json is not an array of strings", field);
  *labels = texts;
  *n = (uint32_t)count;
  return OK;
}

bool specs_batch(const struct tensor_spec *specs, uint32_t n)
{
  for (uint32_t i = 0; i < n; i++)
    if (specs[i].rank_free || specs[i].shape.rank == 0 || specs[i].shape.dims[0] != -1)
      return false;
  return true;
}
