/* read.c - a V2 request: members in any order, tensors where they come.
 * Thread: any, pure.
 *
 * `data` is parsed where it stands when name, datatype and shape came before it, as all clients
 * send them; else its text is checked, remembered and parsed at the end of the input's object.
 * Strings go the second way always: their text's length bounds the memory they take.
 * SPDX-License-Identifier: MIT */
#include "wire/infer/infer.h"

#include "base/text.h"
#include "wire/infer/infer_int.h"
#include "wire/json_int.h"

enum { LIST_FIRST = 4 };

/* What is known of an input besides its tensor. */
struct part {
  struct slice text; /* of data that could not be parsed yet; len 0: none */
  bool name, shape, json, binary;
  uint64_t binary_bytes;
};

struct reading {
  struct arena *arena;
  struct err *err;
  struct json json;
  struct infer_request *request;
  uint32_t inputs_cap, outputs_cap;
  struct part parts[TENSORS_MAX];
};

enum code infer_split(struct slice body, struct slice header, struct slice *json,
                      struct slice *tail, bool *raw, struct err *err)
{
  uint64_t n = 0;
  *json = body;
  *tail = SLICE_NONE;
  *raw = false;
  if (!header.at) return OK;
  if (!text_read_u64(header, INT64_MAX, &n))
    return fail(err, E_INVALID_ARGUMENT,
                "Inference-Header-Content-Length is \"%.*s\", it must be digits only",
                SLICE_ARG(header));
  if (n > body.len)
    return fail(err, E_BAD_SIZE, "Inference-Header-Content-Length is %llu, the body has %zu bytes",
                (unsigned long long)n, body.len);
  *raw = n == 0;
  *json = slice_of(body.at, (size_t)n);
  *tail = slice_from(body, (size_t)n);
  return OK;
}

/* ---- helpers */

static enum code out_of_memory(struct reading *r)
{
  return fail(r->err, E_OUT_OF_MEMORY, "the request needs more memory than a call has");
}

/* Names the place of an error that has none yet and is not about JSON itself. */
static enum code at_member(struct reading *r, const char *list, uint32_t i, const char *member)
{
  enum code code = r->err->code;
  if (r->err->field[0] || code == E_BAD_JSON || code == E_JSON_TOO_DEEP || code == E_DUPLICATE_KEY)
    return code;
  return fail_at(r->err, "%s[%u]%s%s", list, i, *member ? "." : "", member);
}

/* Room for one more of *n things in a list of at most TENSORS_MAX. */
static enum code list_more(struct reading *r, const char *list, void **at, uint32_t n,
                           uint32_t *cap, size_t each)
{
  if (n == TENSORS_MAX) {
    fail(r->err, E_INVALID_ARGUMENT, "more than %d %s", TENSORS_MAX, list);
    return fail_at(r->err, "%s", list);
  }
  if (n < *cap) return OK;
  uint32_t more = *cap ? *cap * 4 : LIST_FIRST;
  *at = arena_grow(r->arena, *at, *cap * each, more * each);
  *cap = more;
  return *at ? OK : out_of_memory(r);
}

static enum code name_read(struct reading *r, struct slice *name)
{
  if (json_read_str(&r->json, name) != OK) return r->json.code;
  return tensor_name_check(*name, r->err);
}

/* ---- shape, datatype, data */

static enum code dim_read(struct reading *r, uint32_t i, struct tensor *tensor)
{
  int64_t dim;
  bool over;
  struct shape *shape = &tensor->shape;
  if (r->json.code == OK && shape->rank == TENSOR_RANK_MAX)
    return fail(r->err, E_BAD_SHAPE, "input \"%.*s\": more than %d dimensions",
                SLICE_ARG(tensor->name), TENSOR_RANK_MAX);
  if (!json_number_i64(r->json.text, &dim, &over) || dim < 0 || dim > TENSOR_DIM_MAX) {
    fail(r->err, E_BAD_SHAPE, "input \"%.*s\": dimension %.*s is not an integer in 0..2147483647",
         SLICE_ARG(tensor->name), SLICE_ARG(r->json.text));
    return fail_at(r->err, "inputs[%u].shape[%u]", i, shape->rank);
  }
  shape->dims[shape->rank++] = dim;
  return OK;
}

static enum code shape_read(struct reading *r, uint32_t i, struct tensor *tensor)
{
  struct json *json = &r->json;
  enum json_kind kind;
  if (json_next(json) != JSON_ARRAY) return json_refuse(json, "an array of dimensions");
  while ((kind = json_next(json)) == JSON_NUMBER)
    if (dim_read(r, i, tensor) != OK) return r->err->code;
  if (kind != JSON_ARRAY_END) return json_refuse(json, "an array of integers");
  r->parts[i].shape = true;
  if (shape_count(&tensor->shape, &tensor->count)) return OK;
  return fail(r->err, E_BAD_SHAPE, "input \"%.*s\": the shape has more elements than 2^63",
              SLICE_ARG(tensor->name));
}

static enum code datatype_read(struct reading *r, struct tensor *tensor)
{
  struct slice name;
  if (json_read_str(&r->json, &name) != OK) return r->json.code;
  tensor->dtype = dtype_named(name);
  if (tensor->dtype != DT_NONE) return OK;
  return fail(r->err, E_BAD_DATATYPE, "input \"%.*s\": there is no datatype \"%.*s\"",
              SLICE_ARG(tensor->name), SLICE_ARG(name));
}

/* Parses the array json stands before. */
static enum code values_read(struct reading *r, struct json *json, uint32_t i,
                             struct tensor *tensor)
{
  struct data data;
  const struct slice name = tensor->name;
  if (!dtype_json(tensor->dtype))
    return fail(r->err, E_BAD_DATATYPE,
                "input \"%.*s\": %s travels binary only; send it with binary_data_size",
                SLICE_ARG(name), dtype_name(tensor->dtype));
  enum code code = data_init(&data, json, tensor, i, r->arena, r->err);
  if (code == OK) code = data_value(&data);
  if (code == OK) code = data_end(&data, tensor);
  if (code == OK && tensor->shape.rank && data.levels[0].kind == DATA_SCALAR)
    return fail(r->err, E_WRONG_TYPE, "input \"%.*s\": data is not an array", SLICE_ARG(name));
  return code;
}

static enum code data_read(struct reading *r, uint32_t i, struct tensor *tensor)
{
  struct part *part = &r->parts[i];
  struct json *json = &r->json;
  bool known = part->name && part->shape && tensor->dtype != DT_NONE;
  json->at = json_space(json->at, json->end);
  bool array = json->at < json->end && *json->at == '[';
  part->json = true;
  if (known && array && tensor->dtype != DT_BYTES) return values_read(r, json, i, tensor);
  if (json_skip(json, &part->text) != OK) return json->code;
  if (slice_eq(part->text, SLICE("null"))) part->json = false, part->text = SLICE_NONE;
  return OK;
}

static enum code data_read_late(struct reading *r, uint32_t i, struct tensor *tensor)
{
  struct json json;
  struct slice text = r->parts[i].text;
  json_init(&json, r->arena, text, r->err);
  json.string_max = r->json.string_max;
  json.origin = (size_t)(text.at - r->json.begin);
  if (values_read(r, &json, i, tensor) != OK) return at_member(r, "inputs", i, "data");
  return OK;
}

/* ---- parameters */

static enum code input_param(struct reading *r, uint32_t i, const struct infer_param *param)
{
  bool over;
  struct part *part = &r->parts[i];
  if (param_is_reserved(param->key)) return param_refuse(param, r->err);
  if (!slice_eq(param->key, SLICE("binary_data_size"))) return OK;
  if (param->kind != INFER_PARAM_NUMBER) return param_wrong(param, "an unsigned integer", r->err);
  if (!json_number_u64(param->value, &part->binary_bytes, &over)) {
    if (!over) return param_wrong(param, "an unsigned integer", r->err);
    return fail(r->err, E_BAD_SIZE, "binary_data_size is %.*s, more or less than any tensor has",
                SLICE_ARG(param->value));
  }
  part->binary = true;
  return OK;
}

static enum code input_params(struct reading *r, uint32_t i)
{
  struct infer_param param;
  uint32_t n = 0;
  enum code code = params_begin(&r->json, &n);
  while (code == OK && param_next(&r->json, &param, &n, &code)) {
    code = input_param(r, i, &param);
    if (code != OK) fail_at(r->err, "inputs[%u].parameters.%.*s", i, SLICE_ARG(param.key));
  }
  return code;
}

static enum code output_params(struct reading *r, uint32_t i, struct infer_ask *ask)
{
  struct infer_param param;
  uint32_t n = 0;
  enum code code = params_begin(&r->json, &n);
  while (code == OK && param_next(&r->json, &param, &n, &code)) {
    bool binary;
    uint64_t classes;
    if (param_is_reserved(param.key)) {
      code = param_refuse(&param, r->err);
    } else if (slice_eq(param.key, SLICE("binary_data"))) {
      code = param_bool(&param, &binary, r->err);
      if (code == OK) ask->form = binary ? INFER_BINARY : INFER_JSON;
    } else if (slice_eq(param.key, SLICE("classification"))) {
      code = param_u64(&param, INFER_CLASSES_MAX, &classes, r->err);
      if (code == OK) ask->classification = (uint32_t)classes;
    }
    if (code != OK) fail_at(r->err, "outputs[%u].parameters.%.*s", i, SLICE_ARG(param.key));
  }
  return code;
}

/* ---- inputs and outputs */

static enum code input_member(struct reading *r, uint32_t i, struct tensor *tensor,
                              const char **member)
{
  struct json *json = &r->json;
  enum code code;
  if (json_key_is(json, *member = "data")) return data_read(r, i, tensor);
  if (json_key_is(json, *member = "shape")) return shape_read(r, i, tensor);
  if (json_key_is(json, *member = "datatype")) return datatype_read(r, tensor);
  if (json_key_is(json, *member = "parameters")) return input_params(r, i);
  if (!json_key_is(json, *member = "name")) return json_skip(json, NULL);
  code = name_read(r, &tensor->name);
  r->parts[i].name = true;
  return code;
}

/* All members are known: is it a tensor? */
static enum code input_check(struct reading *r, uint32_t i, struct tensor *tensor)
{
  const struct part *part = &r->parts[i];
  const struct slice name = tensor->name;
  if (!part->name) return fail(r->err, E_INVALID_ARGUMENT, "input %u has no name", i);
  if (tensor->dtype == DT_NONE)
    return fail(r->err, E_BAD_DATATYPE, "input \"%.*s\" has no datatype", SLICE_ARG(name));
  if (!part->shape)
    return fail(r->err, E_BAD_SHAPE, "input \"%.*s\" has no shape", SLICE_ARG(name));
  if (part->json == part->binary)
    return fail(r->err, E_INVALID_ARGUMENT, "input \"%.*s\" has %s data %s binary_data_size",
                SLICE_ARG(name), part->json ? "both" : "neither", part->json ? "and" : "nor");
  if (tensor_is_named(r->request->inputs, i, name))
    return fail(r->err, E_INVALID_ARGUMENT, "input \"%.*s\" is given twice", SLICE_ARG(name));
  return part->text.len ? data_read_late(r, i, tensor) : OK;
}

static enum code input_read(struct reading *r)
{
  struct infer_request *request = r->request;
  uint32_t i = request->n_inputs;
  void *list = request->inputs;
  if (list_more(r, "inputs", &list, i, &r->inputs_cap, sizeof *request->inputs) != OK)
    return r->err->code;
  request->inputs = list;
  struct tensor *tensor = &request->inputs[i];
  *tensor = (struct tensor){0};
  r->parts[i] = (struct part){0};
  const char *member = "";
  while (json_next(&r->json) == JSON_KEY)
    if (input_member(r, i, tensor, &member) != OK) return at_member(r, "inputs", i, member);
  if (r->json.code != OK) return r->json.code;
  if (input_check(r, i, tensor) != OK) return at_member(r, "inputs", i, "");
  request->n_inputs++;
  return OK;
}

static enum code output_member(struct reading *r, uint32_t i, struct infer_ask *ask,
                               const char **member)
{
  if (json_key_is(&r->json, *member = "name")) return name_read(r, &ask->name);
  if (json_key_is(&r->json, *member = "parameters")) return output_params(r, i, ask);
  return json_skip(&r->json, NULL);
}

static enum code output_read(struct reading *r)
{
  struct infer_request *request = r->request;
  uint32_t i = request->n_outputs;
  void *list = request->outputs;
  if (list_more(r, "outputs", &list, i, &r->outputs_cap, sizeof *request->outputs) != OK)
    return r->err->code;
  request->outputs = list;
  struct infer_ask *ask = &request->outputs[i];
  *ask = (struct infer_ask){0};
  const char *member = "";
  while (json_next(&r->json) == JSON_KEY)
    if (output_member(r, i, ask, &member) != OK) return at_member(r, "outputs", i, member);
  if (r->json.code != OK) return r->json.code;
  enum code code = OK;
  if (!ask->name.len) code = fail(r->err, E_INVALID_ARGUMENT, "output %u has no name", i);
  for (uint32_t k = 0; k < i && code == OK; k++)
    if (slice_eq(request->outputs[k].name, ask->name))
      code =
          fail(r->err, E_INVALID_ARGUMENT, "output \"%.*s\" is asked twice", SLICE_ARG(ask->name));
  if (code != OK) return at_member(r, "outputs", i, "");
  request->n_outputs++;
  return OK;
}

static enum code list_read(struct reading *r, const char *list, enum code (*read)(struct reading *))
{
  struct json *json = &r->json;
  enum json_kind kind = json_next(json);
  if (kind == JSON_NULL && read == output_read) return OK;
  if (kind == JSON_ARRAY) {
    while ((kind = json_next(json)) == JSON_OBJECT)
      if (read(r) != OK) return r->err->code;
    if (kind == JSON_ARRAY_END) return OK;
  }
  json->key = slice_str(list);
  enum code code = json_refuse(json, "an array of objects");
  if (code == E_WRONG_TYPE) fail_at(r->err, "%s", list);
  return code;
}

/* ---- the whole */

static enum code id_read(struct reading *r)
{
  enum json_kind kind = json_next(&r->json);
  if (kind == JSON_NULL) return OK;
  if (kind != JSON_STRING) {
    enum code code = json_refuse(&r->json, "a string");
    return code == E_WRONG_TYPE ? fail_at(r->err, "id") : code;
  }
  r->request->id = r->json.text;
  if (r->request->id.len <= INFER_ID_MAX) return OK;
  fail(r->err, E_INVALID_ARGUMENT, "the id has more than %d bytes", INFER_ID_MAX);
  return fail_at(r->err, "id");
}

/* Hands the bytes after the JSON part to the binary inputs, in order. */
static enum code tail_share(struct reading *r, struct slice tail)
{
  struct infer_request *request = r->request;
  uint64_t all = tail.len;
  for (uint32_t i = 0; i < request->n_inputs; i++) {
    struct tensor *tensor = &request->inputs[i];
    uint64_t bytes = r->parts[i].binary_bytes;
    if (!r->parts[i].binary) continue;
    if (bytes > tail.len) {
      fail(
          r->err, E_BAD_SIZE,
          "input \"%.*s\": binary_data_size is %llu, %zu of the %llu bytes after the JSON are left",
          SLICE_ARG(tensor->name), (unsigned long long)bytes, tail.len, (unsigned long long)all);
      return fail_at(r->err, "inputs[%u].parameters.binary_data_size", i);
    }
    enum code code = binary_take(r->arena, tensor, slice_of(tail.at, (size_t)bytes), r->err);
    if (code != OK) return at_member(r, "inputs", i, "parameters.binary_data_size");
    tail = slice_from(tail, (size_t)bytes);
  }
  if (tail.len == 0) return OK;
  return fail(r->err, E_BAD_SIZE,
              "%zu bytes are left over after the JSON and the binary inputs; check "
              "Inference-Header-Content-Length and binary_data_size",
              tail.len);
}

static enum code request_read(struct reading *r)
{
  struct json *json = &r->json;
  bool inputs = false;
  enum code code = OK;
  if (json_next(json) != JSON_OBJECT) return json_refuse(json, "an object");
  while (code == OK && json_next(json) == JSON_KEY) {
    if (json_key_is(json, "inputs"))
      code = list_read(r, "inputs", input_read), inputs = true;
    else if (json_key_is(json, "outputs"))
      code = list_read(r, "outputs", output_read);
    else if (json_key_is(json, "parameters"))
      code = request_params(json, r->arena, r->request, r->err);
    else if (json_key_is(json, "id"))
      code = id_read(r);
    else
      code = json_skip(json, NULL);
  }
  if (code == OK) code = json_end(json);
  if (code != OK || inputs) return code;
  fail(r->err, E_INVALID_ARGUMENT,
       "the request has no inputs; \"instances\" go to /v1/models/MODEL:predict");
  return fail_at(r->err, "inputs");
}

enum code infer_read(struct arena *arena, struct slice json, struct slice tail,
                     struct infer_request *request, struct err *err)
{
  struct err unseen;
  struct reading r;
  *request = (struct infer_request){0};
  r.arena = arena;
  r.err = err ? err : &unseen;
  r.request = request;
  r.inputs_cap = r.outputs_cap = 0;
  json_init(&r.json, arena, json, r.err);
  enum code code = request_read(&r);
  return code == OK ? tail_share(&r, tail) : code;
}
