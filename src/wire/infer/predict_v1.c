/* predict_v1.c - V1 requests and answers over the tensor codec of V2.
 * Thread: any, pure.
 *
 * Every input has one growing `struct data`; rows are appended to it as they come, in one pass. Its
 * levels remember what the first row looked like, so a row of another shape is ragged data.
 * SPDX-License-Identifier: MIT */
#include "wire/infer/predict_v1.h"

#include "base/text.h"
#include "base/utf8.h"
#include "wire/infer/infer_int.h"
#include "wire/json_int.h"

struct predicting {
  struct arena *arena;
  const struct contract *contract;
  struct err *err;
  struct json json;
  struct data *data;              /* one per input of the contract */
  uint32_t n_values[TENSORS_MAX]; /* rows that gave this input a value */
  uint32_t n_rows;
};

/* ---- reading */

static enum code value_read(struct predicting *p, uint32_t k, bool rows, bool named)
{
  struct data *data = &p->data[k];
  if (rows)
    data->where = named ? DATA_ROW_NAME : DATA_ROW;
  else
    data->where = named ? DATA_COLUMN_NAME : DATA_COLUMN;
  data->place = p->n_rows;
  p->n_values[k]++;
  return data_value(data);
}

/* Whether the value that comes is an object whose members are inputs. */
static bool is_by_name(const struct predicting *p)
{
  uint32_t k;
  const struct json *json = &p->json;
  const char *at = json_space(json->at, json->end);
  if (at == json->end || *at != '{') return false;
  if (p->contract->n_inputs != 1 || p->contract->inputs[0].dtype != DT_BYTES) return true;
  at = json_space(at + 1, json->end);
  struct slice rest = slice_of(at, (size_t)(json->end - at));
  return !slice_starts(rest, SLICE("\"b64\"")) ||
         spec_find(p->contract->inputs, 1, SLICE("b64"), &k) != NULL;
}

static enum code missing(struct predicting *p, uint32_t k, bool rows)
{
  struct slice name = p->contract->inputs[k].name;
  fail(p->err, E_INVALID_ARGUMENT, "input \"%.*s\" is missing", SLICE_ARG(name));
  if (rows)
    fail_at(p->err, "instances[%u]", p->n_rows);
  else
    fail_at(p->err, "inputs");
  return E_INVALID_ARGUMENT;
}

static enum code object_read(struct predicting *p, bool rows)
{
  const struct contract *contract = p->contract;
  if (json_next(&p->json) != JSON_OBJECT) return json_refuse(&p->json, "an object");
  while (json_next(&p->json) == JSON_KEY) {
    uint32_t k = 0;
    struct slice name = p->json.text;
    if (!spec_find(contract->inputs, contract->n_inputs, name, &k)) {
      fail(p->err, E_UNKNOWN_TENSOR, "the model has no input \"%.*s\"", SLICE_ARG(name));
      if (rows)
        fail_at(p->err, "instances[%u].%.*s", p->n_rows, SLICE_ARG(name));
      else
        fail_at(p->err, "inputs.%.*s", SLICE_ARG(name));
      return E_UNKNOWN_TENSOR;
    }
    if (value_read(p, k, rows, true) != OK) return p->json.code;
  }
  if (p->json.code != OK) return p->json.code;
  for (uint32_t k = 0; k < contract->n_inputs; k++)
    if (p->n_values[k] != p->n_rows + 1 && (p->n_values[k] || !contract->inputs[k].optional))
      return missing(p, k, rows);
  return OK;
}

static enum code one_read(struct predicting *p, bool rows)
{
  if (is_by_name(p)) return object_read(p, rows);
  if (p->contract->n_inputs == 1) return value_read(p, 0, rows, false);
  fail(p->err, E_WRONG_TYPE, "the model has %u inputs: %s must be an object by input name",
       p->contract->n_inputs, rows ? "each instance" : "inputs");
  return rows ? fail_at(p->err, "instances[%u]", p->n_rows) : fail_at(p->err, "inputs");
}

static enum code rows_read(struct predicting *p)
{
  if (json_next(&p->json) != JSON_ARRAY) return json_refuse(&p->json, "an array");
  while (json_element(&p->json)) {
    enum code code = one_read(p, true);
    if (code != OK) return code;
    p->n_rows++;
  }
  if (p->json.code != OK || p->n_rows) return p->json.code;
  fail(p->err, E_INVALID_ARGUMENT, "instances is empty, send at least one row");
  return fail_at(p->err, "instances");
}

/* What the nesting says: in row form the rows come first. */
static enum code shape_take(struct predicting *p, const struct data *data, bool rows,
                            struct tensor *tensor)
{
  struct shape *shape = &tensor->shape;
  shape->rank = 0;
  if (rows) shape->dims[shape->rank++] = p->n_rows;
  for (uint32_t i = 0; i < data->n_levels && data->levels[i].kind == DATA_ARRAY; i++) {
    if (shape->rank == TENSOR_RANK_MAX)
      return fail(p->err, E_BAD_SHAPE, "input \"%.*s\": more than %d dimensions",
                  SLICE_ARG(tensor->name), TENSOR_RANK_MAX);
    shape->dims[shape->rank++] = data->levels[i].len;
  }
  must(shape_count(shape, &tensor->count) && tensor->count == data->n);
  return OK;
}

static enum code tensors_take(struct predicting *p, bool rows, struct infer_request *request)
{
  const struct contract *contract = p->contract;
  request->inputs = arena_zero(p->arena, contract->n_inputs, sizeof *request->inputs);
  if (!request->inputs && contract->n_inputs)
    return fail(p->err, E_OUT_OF_MEMORY, "the request needs more memory than a call has");
  for (uint32_t k = 0; k < contract->n_inputs; k++) {
    if (!p->n_values[k]) continue;
    struct tensor *tensor = &request->inputs[request->n_inputs++];
    tensor->name = contract->inputs[k].name;
    tensor->dtype = contract->inputs[k].dtype;
    enum code code = shape_take(p, &p->data[k], rows, tensor);
    if (code == OK) code = data_end(&p->data[k], tensor);
    if (code != OK) return code;
  }
  return OK;
}

static enum code body_read(struct predicting *p, enum predict_form *form)
{
  struct json *json = &p->json;
  bool rows = false, columns = false;
  enum code code = OK;
  if (json_next(json) != JSON_OBJECT) return json_refuse(json, "an object");
  while (code == OK && json_next(json) == JSON_KEY) {
    bool row = json_key_is(json, "instances"), column = json_key_is(json, "inputs");
    if ((row && columns) || (column && rows))
      return fail(p->err, E_INVALID_ARGUMENT, "the request has both instances and inputs");
    rows |= row;
    columns |= column;
    code = row ? rows_read(p) : column ? one_read(p, false) : json_skip(json, NULL);
  }
  if (code == OK) code = json_end(json);
  if (code != OK) return code;
  if (!rows && !columns)
    return fail(p->err, E_INVALID_ARGUMENT, "the request has neither instances nor inputs");
  *form = rows ? PREDICT_ROWS : PREDICT_COLUMNS;
  return OK;
}

static enum code specs_check(const struct tensor_spec *specs, uint32_t n, const char *what,
                             struct err *err)
{
  for (uint32_t i = 0; i < n; i++)
    if (!dtype_json(specs[i].dtype))
      return fail(err, E_BAD_DATATYPE,
                  "%s \"%.*s\" is %s, which V1 cannot carry; use /v2 with binary "
                  "tensors",
                  what, SLICE_ARG(specs[i].name), dtype_name(specs[i].dtype));
  return OK;
}

enum code predict_read(struct arena *arena, const struct contract *contract, struct slice json,
                       struct infer_request *request, enum predict_form *form, struct err *err)
{
  struct err unseen;
  struct predicting p = {.arena = arena, .contract = contract, .err = err ? err : &unseen};
  *request = (struct infer_request){0};
  must(contract->n_inputs <= TENSORS_MAX);
  enum code code = specs_check(contract->inputs, contract->n_inputs, "input", p.err);
  if (code == OK) code = specs_check(contract->outputs, contract->n_outputs, "output", p.err);
  if (code != OK) return code;
  p.data = arena_get(arena, contract->n_inputs * sizeof *p.data + 1);
  if (!p.data) return fail(err, E_OUT_OF_MEMORY, "the request needs more memory than a call has");
  json_init(&p.json, arena, json, p.err);
  for (uint32_t k = 0; k < contract->n_inputs; k++) {
    const struct tensor_spec *spec = &contract->inputs[k];
    data_init_free(&p.data[k], spec->name, spec->dtype, arena, p.err);
    p.data[k].json = &p.json;
    p.data[k].b64 = true;
  }
  code = body_read(&p, form);
  return code == OK ? tensors_take(&p, *form == PREDICT_ROWS, request) : code;
}

/* ---- writing */

static void b64_out(struct json_out *out, struct slice bytes)
{
  json_out_open(out, '{');
  json_out_raw(out, SLICE("\"b64\":\""));
  if (!json_out_room(out, BASE64_LEN(bytes.len) + 1)) return;
  out->len += base64_write(bytes, out->at + out->len);
  json_out_raw(out, SLICE("\"}"));
}

/* Where a tensor has been written up to: elements, and bytes of BYTES. */
struct cursor {
  uint64_t n;
  size_t bytes;
};

static void element_out(struct json_out *out, const struct tensor *tensor, struct cursor *cursor)
{
  uint64_t i = cursor->n++;
  if (tensor->dtype != DT_BYTES) {
    value_out(out, tensor, i);
    return;
  }
  struct slice text = tensor_bytes_next(tensor, &cursor->bytes);
  if (utf8_valid(text))
    json_out_str(out, text);
  else
    b64_out(out, text);
}

/* The nested arrays of the dimensions from `first` on: an odometer, one wheel per dimension. */
static void nested_out(struct json_out *out, const struct tensor *tensor, uint32_t first,
                       struct cursor *cursor)
{
  const struct shape *shape = &tensor->shape;
  int64_t wheel[TENSOR_RANK_MAX];
  uint32_t dim = first;
  if (first == shape->rank) {
    element_out(out, tensor, cursor);
    return;
  }
  json_out_open(out, '[');
  wheel[dim] = 0;
  while (!out->full) {
    if (wheel[dim] == shape->dims[dim]) {
      json_out_close(out, ']');
      if (dim-- == first) break;
      wheel[dim]++;
    } else if (dim + 1 < shape->rank) {
      json_out_open(out, '[');
      wheel[++dim] = 0;
    } else {
      element_out(out, tensor, cursor);
      wheel[dim]++;
    }
  }
}

static enum code dtypes_check(const struct tensor *outputs, uint32_t n, struct err *err)
{
  for (uint32_t i = 0; i < n; i++)
    if (!dtype_json(outputs[i].dtype))
      return fail(err, E_BAD_DATATYPE,
                  "output \"%.*s\" is %s, which V1 cannot carry; use /v2 with "
                  "binary tensors",
                  SLICE_ARG(outputs[i].name), dtype_name(outputs[i].dtype));
  return OK;
}

static enum code rows_check(const struct tensor *outputs, uint32_t n, struct err *err)
{
  for (uint32_t i = 0; i < n; i++) {
    const struct shape *shape = &outputs[i].shape;
    if (shape->rank && shape->dims[0] == outputs[0].shape.dims[0]) continue;
    return fail(err, E_BAD_MODEL_OUTPUT,
                "output \"%.*s\" does not have one entry per row; use the "
                "column form or /v2",
                SLICE_ARG(outputs[i].name));
  }
  return OK;
}

static void row_out(struct json_out *out, const struct tensor *outputs, uint32_t n, uint32_t first,
                    struct cursor *cursors)
{
  if (n == 1) {
    nested_out(out, &outputs[0], first, &cursors[0]);
    return;
  }
  json_out_open(out, '{');
  for (uint32_t i = 0; i < n; i++) {
    json_out_key_of(out, outputs[i].name);
    nested_out(out, &outputs[i], first, &cursors[i]);
  }
  json_out_close(out, '}');
}

enum code predict_write(struct arena *arena, enum predict_form form, const struct tensor *outputs,
                        uint32_t n_outputs, struct slice *json, struct err *err)
{
  struct json_out out;
  must(n_outputs <= TENSORS_MAX);
  struct cursor cursors[TENSORS_MAX] = {{0, 0}};
  enum code code = dtypes_check(outputs, n_outputs, err);
  if (code == OK && form == PREDICT_ROWS) code = rows_check(outputs, n_outputs, err);
  if (code != OK) return code;
  json_out_init(&out, arena, 0);
  json_out_open(&out, '{');
  json_out_key(&out, form == PREDICT_ROWS ? "predictions" : "outputs");
  if (form == PREDICT_ROWS) {
    int64_t rows = n_outputs ? outputs[0].shape.dims[0] : 0;
    json_out_open(&out, '[');
    for (int64_t i = 0; i < rows && !out.full; i++) row_out(&out, outputs, n_outputs, 1, cursors);
    json_out_close(&out, ']');
  } else {
    row_out(&out, outputs, n_outputs, 0, cursors);
  }
  json_out_close(&out, '}');
  if (out.full) return fail(err, E_OUT_OF_MEMORY, "the answer needs more memory than a call has");
  *json = json_out_lend(&out);
  return OK;
}
