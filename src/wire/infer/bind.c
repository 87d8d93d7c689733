/* bind.c - a request meets the model's contract: before it runs, and when its outputs are in.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "wire/infer/infer.h"
#include "wire/infer/infer_int.h"

static enum code out_of_memory(struct err *err)
{
  return fail(err, E_OUT_OF_MEMORY, "the request needs more memory than a call has");
}

/* ---- raw requests */

/* The shape a raw body of `bytes` has: batch 1, at most one free dimension. */
static enum code raw_shape(const struct tensor_spec *spec, bool batches, size_t bytes,
                           struct shape *shape, struct err *err)
{
  char text[SHAPE_TEXT_MAX];
  size_t width = dtype_width(spec->dtype);
  uint32_t n_free = 0, free_at = 0;
  *shape = spec->shape;
  if (batches && shape->rank) shape->dims[0] = 1;
  for (uint32_t i = 0; i < shape->rank; i++)
    if (shape->dims[i] < 0) n_free++, free_at = i, shape->dims[i] = 1;
  if (spec->rank_free || n_free > 1)
    return fail(
        err, E_BAD_SHAPE,
        "input \"%.*s\" has more than one free dimension, a raw request cannot say its shape",
        SLICE_ARG(spec->name));
  uint64_t unit, per;
  if (!shape_count(shape, &unit)) unit = 0;
  if (!width)
    return unit == 1 ? OK
                     : fail(err, E_BAD_SHAPE,
                            "input \"%.*s\" has shape %s, a raw request holds one BYTES element",
                            SLICE_ARG(spec->name), shape_text(&spec->shape, text, sizeof text));
  if (__builtin_mul_overflow(unit, (uint64_t)width, &per)) per = 0;
  if (n_free && per && bytes % per == 0 && bytes / per <= (uint64_t)TENSOR_DIM_MAX) {
    shape->dims[free_at] = (int64_t)(bytes / per);
    return OK;
  }
  if (!n_free && per == bytes) return OK;
  return fail(err, E_BAD_SIZE, "input \"%.*s\" has shape %s of %s, %zu raw bytes do not fill it",
              SLICE_ARG(spec->name), shape_text(&spec->shape, text, sizeof text),
              dtype_name(spec->dtype), bytes);
}

enum code infer_raw(struct arena *arena, const struct contract *contract, struct slice body,
                    struct infer_request *request, struct err *err)
{
  *request = (struct infer_request){.binary_data_output = true};
  if (contract->n_inputs != 1)
    return fail(err, E_INVALID_ARGUMENT,
                "the model has %u inputs; a raw request (Inference-Header-Content-Length 0) serves "
                "models with one",
                contract->n_inputs);
  const struct tensor_spec *spec = &contract->inputs[0];
  struct tensor *tensor = arena_zero(arena, 1, sizeof *tensor);
  if (!tensor) return out_of_memory(err);
  request->inputs = tensor;
  request->n_inputs = 1;
  tensor->name = spec->name;
  tensor->dtype = spec->dtype;
  enum code code = raw_shape(spec, contract->batches, body.len, &tensor->shape, err);
  if (code != OK) return code;
  must(shape_count(&tensor->shape, &tensor->count));
  if (spec->dtype != DT_BYTES) return binary_take(arena, tensor, body, err);
  uint32_t len = (uint32_t)body.len;
  if (len != body.len) return fail(err, E_BAD_SIZE, "a BYTES element has more than 2^32 bytes");
  char *wire = arena_get(arena, sizeof len + body.len);
  if (!wire) return out_of_memory(err);
  memcpy(wire, &len, sizeof len);
  if (len) memcpy(wire + sizeof len, body.at, body.len);
  tensor->data = wire;
  tensor->bytes = sizeof len + body.len;
  return OK;
}

/* ---- binding */

static enum code input_unknown(const struct contract *contract, struct slice name, uint32_t i,
                               struct err *err)
{
  const struct tensor_spec *first = contract->inputs;
  fail(err, E_UNKNOWN_TENSOR, "the model has no input \"%.*s\"; it takes %u%s\"%.*s\"%s",
       SLICE_ARG(name), contract->n_inputs, contract->n_inputs ? ": " : "",
       (int)(contract->n_inputs ? (first->name.len < 64 ? first->name.len : 64) : 0),
       contract->n_inputs ? first->name.at : "", contract->n_inputs > 1 ? ", ..." : "");
  return fail_at(err, "inputs[%u].name", i);
}

/* The row count of one input against those before. */
static enum code rows_agree(const struct tensor *tensor, const struct tensor **first,
                            uint64_t *rows, struct err *err)
{
  if (tensor->shape.rank == 0) return OK;
  uint64_t n = (uint64_t)tensor->shape.dims[0];
  if (!*first) {
    *first = tensor;
    *rows = n;
    return OK;
  }
  if (n == *rows) return OK;
  return fail(err, E_BAD_SHAPE, "input \"%.*s\" has %llu rows, input \"%.*s\" has %llu",
              SLICE_ARG(tensor->name), (unsigned long long)n, SLICE_ARG((*first)->name),
              (unsigned long long)*rows);
}

static enum code inputs_bind(struct arena *arena, const struct contract *contract,
                             struct infer_request *request, uint64_t *rows, struct err *err)
{
  const struct tensor *first = NULL;
  struct tensor *bound = arena_zero(arena, contract->n_inputs, sizeof *bound);
  if (!bound && contract->n_inputs) return out_of_memory(err);
  for (uint32_t i = 0; i < request->n_inputs; i++) {
    uint32_t k = 0;
    struct tensor *tensor = &request->inputs[i];
    const struct tensor_spec *spec =
        spec_find(contract->inputs, contract->n_inputs, tensor->name, &k);
    if (!spec) return input_unknown(contract, tensor->name, i, err);
    enum code code = spec_fits(spec, tensor, err);
    if (code == OK && contract->batches) code = rows_agree(tensor, &first, rows, err);
    if (code != OK) {
      fail_at(err, "inputs[%u].%s", i, code == E_BAD_DATATYPE ? "datatype" : "shape");
      return code;
    }
    bound[k] = *tensor;
  }
  for (uint32_t k = 0; k < contract->n_inputs; k++) {
    const struct tensor_spec *spec = &contract->inputs[k];
    if (bound[k].dtype == DT_NONE && !spec->optional) {
      fail(err, E_INVALID_ARGUMENT, "input \"%.*s\" is missing", SLICE_ARG(spec->name));
      fail_at(err, "inputs");
      return E_INVALID_ARGUMENT;
    }
  }
  request->inputs = bound;
  request->n_inputs = contract->n_inputs;
  return OK;
}

static enum infer_form form_of(const struct infer_request *request, const struct infer_ask *ask)
{
  if (ask && ask->form != INFER_UNSAID) return ask->form;
  return request->binary_data_output ? INFER_BINARY : INFER_JSON;
}

/* Can an output of this datatype go out as asked? */
static enum code form_check(const struct infer_request *request, const struct infer_ask *ask,
                            const struct tensor_spec *spec, struct err *err)
{
  bool classes = ask && ask->classification;
  if (classes && spec->dtype == DT_BYTES)
    return fail(err, E_BAD_DATATYPE, "output \"%.*s\" is BYTES, it has no classes",
                SLICE_ARG(spec->name));
  if (classes || dtype_json(spec->dtype) || form_of(request, ask) == INFER_BINARY) return OK;
  return fail(err, E_BAD_DATATYPE,
              "output \"%.*s\" is %s, which travels binary only; ask for it "
              "with binary_data true",
              SLICE_ARG(spec->name), dtype_name(spec->dtype));
}

static enum code outputs_bind(const struct contract *contract, struct infer_request *request,
                              struct err *err)
{
  for (uint32_t i = 0; i < request->n_outputs; i++) {
    struct infer_ask *ask = &request->outputs[i];
    const struct tensor_spec *spec =
        spec_find(contract->outputs, contract->n_outputs, ask->name, &ask->index);
    enum code code = OK;
    if (!spec)
      code = fail(err, E_UNKNOWN_TENSOR, "the model has no output \"%.*s\"", SLICE_ARG(ask->name));
    else
      code = form_check(request, ask, spec, err);
    if (code != OK) {
      fail_at(err, "outputs[%u]", i);
      return code;
    }
  }
  for (uint32_t k = 0; k < contract->n_outputs && !request->n_outputs; k++) {
    enum code code = form_check(request, NULL, &contract->outputs[k], err);
    if (code != OK) return code;
  }
  return OK;
}

enum code infer_bind(struct arena *arena, const struct contract *contract,
                     struct infer_request *request, uint64_t *rows, struct err *err)
{
  *rows = 1;
  enum code code = inputs_bind(arena, contract, request, rows, err);
  return code == OK ? outputs_bind(contract, request, err) : code;
}

/* ---- picking outputs */

enum code infer_pick(struct arena *arena, const struct contract *contract,
                     const struct infer_request *request, const struct tensor *outputs,
                     struct infer_answer *answer, struct err *err)
{
  uint32_t n = request->n_outputs ? request->n_outputs : contract->n_outputs;
  answer->n_outputs = n;
  answer->outputs = arena_get(arena, n * sizeof *answer->outputs);
  if (!answer->outputs && n) return out_of_memory(err);
  for (uint32_t i = 0; i < n; i++) {
    const struct infer_ask *ask = request->n_outputs ? &request->outputs[i] : NULL;
    uint32_t k = ask ? ask->index : i;
    must(k < contract->n_outputs);
    answer->outputs[i] = (struct infer_output){
        .tensor = &outputs[k],
        .form = form_of(request, ask),
        .classification = ask ? ask->classification : 0,
        .labels = contract->outputs[k].labels,
        .n_labels = contract->outputs[k].n_labels,
    };
  }
  return OK;
}
