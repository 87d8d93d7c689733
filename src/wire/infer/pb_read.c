/* pb_read.c - a ModelInferRequest: counted once, then read member by member.
 * Thread: any, pure.
 *
 * Which datatype travels typed in which member of InferTensorContents is one table; the numbers
 * are the descriptor's.
 * SPDX-License-Identifier: MIT */
#include "wire/infer/infer_pb.h"

#include <math.h>

#include "base/text.h"
#include "base/utf8.h"
#include "wire/infer/infer_int.h"
#include "wire/pb.h"

enum {
  REQUEST_NAME = 1,
  REQUEST_VERSION,
  REQUEST_ID,
  REQUEST_PARAMETER,
  REQUEST_INPUT,
  REQUEST_OUTPUT,
  REQUEST_RAW
};
enum { INPUT_NAME = 1, INPUT_DATATYPE, INPUT_SHAPE, INPUT_PARAMETER, INPUT_CONTENTS };
enum { OUTPUT_NAME = 1, OUTPUT_PARAMETER };
enum { ENTRY_KEY = 1, ENTRY_VALUE };
enum { VALUE_BOOL = 1, VALUE_INT64, VALUE_STRING, VALUE_DOUBLE, VALUE_UINT64 };

struct reading {
  struct arena *arena;
  struct err *err;
  struct infer_request *request;
  struct infer_pb_target *target;
  uint32_t n_params, n_raw, n_typed;
  struct slice inputs[TENSORS_MAX]; /* messages, until their values are read */
  struct slice raw[TENSORS_MAX];
};

/* ---- helpers */

static enum code garbled(struct reading *r, const char *message, uint32_t number)
{
  if (!number) return fail(r->err, E_INVALID_ARGUMENT, "a %s is not protobuf", message);
  return fail(r->err, E_INVALID_ARGUMENT, "field %u of a %s has another wire type", number,
              message);
}

static enum code text_take(struct reading *r, const struct pb_field *field, const char *message,
                           struct slice *to)
{
  if (field->wire != PB_BYTES) return garbled(r, message, field->number);
  if (!utf8_valid(field->bytes))
    return fail(r->err, E_INVALID_ARGUMENT, "field %u of a %s is not UTF-8", field->number,
                message);
  *to = field->bytes;
  return OK;
}

static enum code out_of_memory(struct reading *r)
{
  return fail(r->err, E_OUT_OF_MEMORY, "the request needs more memory than a call has");
}

/* Names the place of an error that has none yet. */
static enum code at_item(struct reading *r, const char *list, uint32_t i)
{
  return r->err->field[0] ? r->err->code : fail_at(r->err, "%s[%u]", list, i);
}

/* ---- parameters */

static enum code number_text(struct reading *r, struct infer_param *param,
                             size_t (*print)(char *to, uint64_t bits), uint64_t bits)
{
  char *text = arena_get(r->arena, TEXT_NUMBER_MAX);
  if (!text) return out_of_memory(r);
  param->kind = INFER_PARAM_NUMBER;
  param->value = slice_of(text, print(text, bits));
  return OK;
}

static size_t print_i64(char *to, uint64_t bits) { return text_print_i64(to, (int64_t)bits); }

static size_t print_f64(char *to, uint64_t bits)
{
  double value;
  memcpy(&value, &bits, sizeof value);
  return text_print_f64(to, value);
}

static enum code double_value(struct reading *r, struct infer_param *param, uint64_t bits)
{
  double value;
  memcpy(&value, &bits, sizeof value);
  if (isfinite(value)) return number_text(r, param, print_f64, bits);
  param->kind = INFER_PARAM_STRING; /* as JSON has it: there is no such number */
  param->value = isnan(value) ? SLICE("NaN") : value > 0 ? SLICE("Infinity") : SLICE("-Infinity");
  return OK;
}

static enum code value_field(struct reading *r, const struct pb_field *field,
                             struct infer_param *param)
{
  static const char message[] = "InferParameter";
  bool varint = field->wire == PB_VARINT;
  switch (field->number) {
    case VALUE_BOOL:
      param->kind = INFER_PARAM_BOOL;
      param->value = field->value ? SLICE("true") : SLICE("false");
      return varint ? OK : garbled(r, message, field->number);
    case VALUE_INT64:
      if (!varint) return garbled(r, message, field->number);
      return number_text(r, param, print_i64, field->value);
    case VALUE_UINT64:
      if (!varint) return garbled(r, message, field->number);
      return number_text(r, param, text_print_u64, field->value);
    case VALUE_STRING:
      param->kind = INFER_PARAM_STRING;
      return text_take(r, field, message, &param->value);
    case VALUE_DOUBLE:
      if (field->wire != PB_FIXED64) return garbled(r, message, field->number);
      return double_value(r, param, field->value);
    default: return OK;
  }
}

static enum code value_read(struct reading *r, struct slice message, struct infer_param *param)
{
  struct pb pb = pb_of(message);
  struct pb_field field;
  while (pb_next(&pb, &field))
    if (value_field(r, &field, param)) return r->err->code;
  return pb.at == pb.end ? OK : garbled(r, "InferParameter", 0);
}

/* An entry of a map<string, InferParameter>. */
static enum code entry_read(struct reading *r, const struct pb_field *entry, const char *message,
                            struct infer_param *param)
{
  struct pb pb = pb_of(entry->bytes);
  struct pb_field field;
  *param = (struct infer_param){0};
  if (entry->wire != PB_BYTES) return garbled(r, message, entry->number);
  if (r->n_params++ == INFER_PARAMS_MAX)
    return fail(r->err, E_INVALID_ARGUMENT, "more than %d parameters", INFER_PARAMS_MAX);
  while (pb_next(&pb, &field)) {
    if (field.number == ENTRY_KEY && text_take(r, &field, "parameter", &param->key))
      return r->err->code;
    if (field.number != ENTRY_VALUE) continue;
    if (field.wire != PB_BYTES) return garbled(r, "parameter", field.number);
    if (value_read(r, field.bytes, param)) return r->err->code;
  }
  if (pb.at != pb.end) return garbled(r, "parameter", 0);
  if (param->value.at) return OK;
  return fail(r->err, E_WRONG_TYPE, "parameter \"%.*s\" has no value", SLICE_ARG(param->key));
}

static enum code request_entry(struct reading *r, const struct pb_field *field)
{
  struct infer_param param;
  if (entry_read(r, field, "ModelInferRequest", &param)) return fail_at(r->err, "parameters");
  if (request_param(r->arena, r->request, &param, r->err))
    return fail_at(r->err, "parameters.%.*s", SLICE_ARG(param.key));
  return OK;
}

static enum code input_entry(struct reading *r, const struct pb_field *field)
{
  struct infer_param param;
  if (entry_read(r, field, "InferInputTensor", &param)) return r->err->code;
  return param_is_reserved(param.key) ? param_refuse(&param, r->err) : OK;
}

static enum code output_entry(struct reading *r, const struct pb_field *field,
                              struct infer_ask *ask)
{
  struct infer_param param;
  uint64_t classes;
  if (entry_read(r, field, "InferRequestedOutputTensor", &param)) return r->err->code;
  if (param_is_reserved(param.key)) return param_refuse(&param, r->err);
  if (!slice_eq(param.key, SLICE("classification"))) return OK;
  if (param_u64(&param, INFER_CLASSES_MAX, &classes, r->err)) return r->err->code;
  ask->classification = (uint32_t)classes;
  return OK;
}

/* ---- inputs */

static enum code dim_add(struct reading *r, struct tensor *tensor, uint64_t value)
{
  struct shape *shape = &tensor->shape;
  if (shape->rank == TENSOR_RANK_MAX)
    return fail(r->err, E_BAD_SHAPE, "input \"%.*s\": more than %d dimensions",
                SLICE_ARG(tensor->name), TENSOR_RANK_MAX);
  if (value > TENSOR_DIM_MAX)
    return fail(r->err, E_BAD_SHAPE, "input \"%.*s\": dimension %lld is not in 0..2147483647",
                SLICE_ARG(tensor->name), (long long)value);
  shape->dims[shape->rank++] = (int64_t)value;
  return OK;
}

static enum code dims_read(struct reading *r, struct tensor *tensor, const struct pb_field *field)
{
  if (field->wire == PB_VARINT) return dim_add(r, tensor, field->value);
  if (field->wire != PB_BYTES) return garbled(r, "InferInputTensor", field->number);
  struct pb packed = pb_of(field->bytes);
  uint64_t value;
  while (packed.at != packed.end) {
    if (!pb_varint(&packed, &value)) return garbled(r, "shape", 0);
    if (dim_add(r, tensor, value)) return r->err->code;
  }
  return OK;
}

static enum code datatype_read(struct reading *r, struct tensor *tensor,
                               const struct pb_field *field)
{
  struct slice name;
  if (text_take(r, field, "InferInputTensor", &name)) return r->err->code;
  tensor->dtype = dtype_named(name);
  if (tensor->dtype != DT_NONE) return OK;
  return fail(r->err, E_BAD_DATATYPE, "input \"%.*s\": there is no datatype \"%.*s\"",
              SLICE_ARG(tensor->name), SLICE_ARG(name));
}

static enum code input_field(struct reading *r, struct tensor *tensor, const struct pb_field *field)
{
  switch (field->number) {
    case INPUT_NAME: return text_take(r, field, "InferInputTensor", &tensor->name);
    case INPUT_DATATYPE: return datatype_read(r, tensor, field);
    case INPUT_SHAPE: return dims_read(r, tensor, field);
    case INPUT_PARAMETER: return input_entry(r, field);
    case INPUT_CONTENTS:
      r->n_typed++;
      return field->wire == PB_BYTES ? OK : garbled(r, "InferInputTensor", field->number);
    default: return OK;
  }
}

static enum code input_read(struct reading *r, uint32_t i, struct tensor *tensor)
{
  struct pb pb = pb_of(r->inputs[i]);
  struct pb_field field;
  while (pb_next(&pb, &field))
    if (input_field(r, tensor, &field)) return r->err->code;
  if (pb.at != pb.end) return garbled(r, "InferInputTensor", 0);
  if (tensor_name_check(tensor->name, r->err)) return r->err->code;
  if (tensor_is_named(r->request->inputs, i, tensor->name))
    return fail(r->err, E_INVALID_ARGUMENT, "input \"%.*s\" is given twice",
                SLICE_ARG(tensor->name));
  if (tensor->dtype == DT_NONE)
    return fail(r->err, E_BAD_DATATYPE, "input \"%.*s\" has no datatype", SLICE_ARG(tensor->name));
  if (shape_count(&tensor->shape, &tensor->count)) return OK;
  return fail(r->err, E_BAD_SHAPE, "input \"%.*s\": the shape has more elements than 2^63",
              SLICE_ARG(tensor->name));
}

/* ---- outputs */

static enum code output_read(struct reading *r, uint32_t i, struct slice message)
{
  struct infer_ask *ask = &r->request->outputs[i];
  struct pb pb = pb_of(message);
  struct pb_field field;
  *ask = (struct infer_ask){.form = INFER_BINARY};
  while (pb_next(&pb, &field)) {
    if (field.number == OUTPUT_NAME &&
        text_take(r, &field, "InferRequestedOutputTensor", &ask->name))
      return r->err->code;
    if (field.number == OUTPUT_PARAMETER && output_entry(r, &field, ask)) return r->err->code;
  }
  if (pb.at != pb.end) return garbled(r, "InferRequestedOutputTensor", 0);
  if (tensor_name_check(ask->name, r->err)) return r->err->code;
  for (uint32_t k = 0; k < i; k++)
    if (slice_eq(r->request->outputs[k].name, ask->name))
      return fail(r->err, E_INVALID_ARGUMENT, "output \"%.*s\" is asked twice",
                  SLICE_ARG(ask->name));
  return OK;
}

/* ---- values */

static enum code values_raw(struct reading *r)
{
  struct infer_request *request = r->request;
  if (r->n_typed)
    return fail(r->err, E_INVALID_ARGUMENT,
                "inputs are raw_input_contents and contents; send all of them one way");
  if (r->n_raw != request->n_inputs)
    return fail(r->err, E_BAD_SIZE, "raw_input_contents has %u entries for %u inputs", r->n_raw,
                request->n_inputs);
  for (uint32_t i = 0; i < request->n_inputs; i++)
    if (binary_take(r->arena, &request->inputs[i], r->raw[i], r->err))
      return at_item(r, "raw_input_contents", i);
  return OK;
}

static enum code request_values(struct reading *r)
{
  if (r->n_raw) return values_raw(r);
  for (uint32_t i = 0; i < r->request->n_inputs; i++)
    if (typed_take(r->arena, r->inputs[i], INPUT_CONTENTS, &r->request->inputs[i], r->err))
      return at_item(r, "inputs", i);
  return OK;
}

/* ---- the whole */

static enum code id_take(struct reading *r, const struct pb_field *field)
{
  enum code code = text_take(r, field, "ModelInferRequest", &r->request->id);
  if (code == OK && field->bytes.len > INFER_ID_MAX)
    code = fail(r->err, E_INVALID_ARGUMENT, "the id has more than %d bytes", INFER_ID_MAX);
  return code == OK ? OK : fail_at(r->err, "id");
}

static enum code input_add(struct reading *r, const struct pb_field *field)
{
  struct infer_request *request = r->request;
  uint32_t i = request->n_inputs;
  r->inputs[i] = field->bytes;
  request->inputs[i] = (struct tensor){0};
  if (input_read(r, i, &request->inputs[i])) return at_item(r, "inputs", i);
  request->n_inputs++;
  return OK;
}

static enum code output_add(struct reading *r, const struct pb_field *field)
{
  uint32_t i = r->request->n_outputs;
  if (output_read(r, i, field->bytes)) return at_item(r, "outputs", i);
  r->request->n_outputs++;
  return OK;
}

static enum code request_field(struct reading *r, const struct pb_field *field)
{
  static const char message[] = "ModelInferRequest";
  if (field->number <= REQUEST_RAW && field->wire != PB_BYTES)
    return garbled(r, message, field->number);
  switch (field->number) {
    case REQUEST_NAME: return text_take(r, field, message, &r->target->model_name);
    case REQUEST_VERSION: return text_take(r, field, message, &r->target->model_version);
    case REQUEST_ID: return id_take(r, field);
    case REQUEST_PARAMETER: return request_entry(r, field);
    case REQUEST_INPUT: return input_add(r, field);
    case REQUEST_OUTPUT: return output_add(r, field);
    case REQUEST_RAW: r->raw[r->n_raw++] = field->bytes; return OK;
    default: return OK;
  }
}

/* Room for what the message lists, and whether it is a message at all. */
static enum code lists_make(struct reading *r, struct slice message)
{
  uint32_t counts[REQUEST_RAW + 1] = {0};
  struct pb pb = pb_of(message);
  struct pb_field field;
  while (pb_next(&pb, &field))
    if (field.number >= REQUEST_INPUT && field.number <= REQUEST_RAW &&
        ++counts[field.number] > TENSORS_MAX)
      return fail(r->err, E_INVALID_ARGUMENT, "more than %d inputs or outputs", TENSORS_MAX);
  if (pb.at != pb.end) return garbled(r, "ModelInferRequest", 0);
  r->request->inputs = arena_get(r->arena, counts[REQUEST_INPUT] * sizeof(struct tensor) + 1);
  r->request->outputs = arena_get(r->arena, counts[REQUEST_OUTPUT] * sizeof(struct infer_ask) + 1);
  return r->request->inputs && r->request->outputs ? OK : out_of_memory(r);
}

enum code infer_pb_read(struct arena *arena, struct slice message, struct infer_pb_target *target,
                        struct infer_request *request, struct err *err)
{
  struct err unseen;
  struct reading r;
  struct pb pb = pb_of(message);
  struct pb_field field;
  *request = (struct infer_request){0};
  *target = (struct infer_pb_target){0};
  r.arena = arena;
  r.err = err ? err : &unseen;
  r.request = request;
  r.target = target;
  r.n_params = r.n_raw = r.n_typed = 0;
  if (lists_make(&r, message)) return r.err->code;
  while (pb_next(&pb, &field))
    if (request_field(&r, &field)) return r.err->code;
  request->binary_data_output = true; /* whatever a parameter said: there is no other form */
  return request_values(&r);
}
