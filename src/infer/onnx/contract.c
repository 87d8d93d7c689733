/* contract.c - what a session takes and gives, as a contract.
 * Thread: job.
 * SPDX-License-Identifier: MIT */
#include "infer/onnx/onnx_int.h"

static const enum dtype dtypes[ORT_TYPES] = {
    [ORT_FLOAT] = DT_FP32,    [ORT_UINT8] = DT_UINT8,   [ORT_INT8] = DT_INT8,
    [ORT_UINT16] = DT_UINT16, [ORT_INT16] = DT_INT16,   [ORT_INT32] = DT_INT32,
    [ORT_INT64] = DT_INT64,   [ORT_STRING] = DT_BYTES,  [ORT_BOOL] = DT_BOOL,
    [ORT_FLOAT16] = DT_FP16,  [ORT_DOUBLE] = DT_FP64,   [ORT_UINT32] = DT_UINT32,
    [ORT_UINT64] = DT_UINT64, [ORT_BFLOAT16] = DT_BF16,
};

enum dtype onnx_dtype(int type) { return type > 0 && type < ORT_TYPES ? dtypes[type] : DT_NONE; }

int onnx_type(enum dtype dtype)
{
  for (int type = 1; type < ORT_TYPES; type++)
    if (dtypes[type] == dtype) return type;
  must(!"a datatype ONNX does not have");
  return 0;
}

/* Where a tensor stands and how to ask for it there. */
struct place {
  const char *what; /* "input", "output" */
  size_t index;
  struct ort_status *(*name)(const struct ort_session *, size_t, struct ort_allocator *, char **);
  struct ort_status *(*type)(const struct ort_session *, size_t, struct ort_type **);
};

/* What becomes of the batch: the name of dimension 0, as long as all agree. */
struct rows {
  bool free, named;
  struct slice name;
  uint32_t n;
};

static void rows_see(struct rows *rows, const struct tensor_spec *spec, struct slice name)
{
  if (spec->rank_free || spec->shape.rank == 0 || spec->shape.dims[0] != -1) rows->free = false;
  if (rows->n++ == 0)
    rows->name = name;
  else if (!slice_eq(rows->name, name))
    rows->free = false;
  if (name.len) rows->named = true;
}

static enum code spec_shape(const struct ort *ort, const struct ort_shape *shape,
                            struct arena *arena, struct tensor_spec *spec, struct rows *rows,
                            struct err *err)
{
  const char *names[TENSOR_RANK_MAX] = {NULL};
  size_t rank = 0;
  struct ort_status *status = NULL;
  spec->rank_free = !ort->TensorTypeAndShape_HasShape(shape);
  if (!spec->rank_free) status = ort->GetDimensionsCount(shape, &rank);
  if (!status && rank > TENSOR_RANK_MAX)
    return fail(err, E_MODEL_REJECTED, "tensor \"%.*s\" has %zu dimensions, at most %d are served",
                SLICE_ARG(spec->name), rank, TENSOR_RANK_MAX);
  if (!status) status = ort->GetDimensions(shape, spec->shape.dims, rank);
  if (!status && rank) status = ort->GetSymbolicDimensions(shape, names, rank);
  if (status) {
    ort->ReleaseStatus(status);
    return fail(err, E_MODEL_REJECTED, "tensor \"%.*s\" has a shape that cannot be read",
                SLICE_ARG(spec->name));
  }
  spec->shape.rank = (uint32_t)rank;
  for (size_t i = 0; i < rank; i++)
    if (spec->shape.dims[i] < 0) spec->shape.dims[i] = -1;
  struct slice name = arena_copy(arena, slice_str(rank ? names[0] : ""));
  if (!name.at) return fail(err, E_OUT_OF_MEMORY, "the model's contract does not fit into memory");
  rows_see(rows, spec, name);
  return OK;
}

static const char *kind_name(int kind)
{
  switch (kind) {
    case ORT_SEQUENCE: return "a sequence";
    case ORT_MAP: return "a map";
    case ORT_OPTIONAL: return "an optional";
    case ORT_SPARSE: return "a sparse tensor";
    default: return "of an unknown kind";
  }
}

static enum code spec_type(struct onnx *onnx, const struct place *place, struct arena *arena,
                           const struct ort_type *type, struct tensor_spec *spec, struct rows *rows,
                           struct err *err)
{
  const struct ort *ort = onnx->ort;
  const struct ort_shape *shape = NULL;
  int kind = 0, element = 0;
  struct ort_status *status = ort->GetOnnxTypeFromTypeInfo(type, &kind);
  if (!status && kind != ORT_TENSOR)
    return fail(err, E_MODEL_REJECTED,
                "%s \"%.*s\" is %s: only tensors are served; export the model with plain tensors "
                "(scikit-learn: options={'zipmap': False})",
                place->what, SLICE_ARG(spec->name), kind_name(kind));
  if (!status) status = ort->CastTypeInfoToTensorInfo(type, &shape);
  if (!status && shape) status = ort->GetTensorElementType(shape, &element);
  if (status) ort->ReleaseStatus(status);
  spec->dtype = onnx_dtype(element);
  if (status || !shape || spec->dtype == DT_NONE)
    return fail(err, E_MODEL_REJECTED,
                "%s \"%.*s\" has an element type (ONNX number %d) the protocol has no name for",
                place->what, SLICE_ARG(spec->name), element);
  return spec_shape(ort, shape, arena, spec, rows, err);
}

static enum code spec_ask(struct onnx *onnx, const struct place *place, struct arena *arena,
                          struct tensor_spec *spec, struct rows *rows, struct err *err)
{
  const struct ort *ort = onnx->ort;
  char *name = NULL;
  struct ort_type *type = NULL;
  struct ort_status *status = place->name(onnx->session, place->index, ort->allocator, &name);
  if (!status) status = place->type(onnx->session, place->index, &type);
  if (status) {
    ort->ReleaseStatus(status);
    fail(err, E_MODEL_REJECTED, "%s %zu of the model cannot be read", place->what, place->index);
    goto out;
  }
  spec->name = arena_copy(arena, slice_str(name));
  if (!spec->name.at)
    fail(err, E_OUT_OF_MEMORY, "the model's contract does not fit into memory");
  else
    (void)spec_type(onnx, place, arena, type, spec, rows, err);
out:
  if (type) ort->ReleaseTypeInfo(type);
  if (name && (status = ort->AllocatorFree(ort->allocator, name))) ort->ReleaseStatus(status);
  return err->code;
}

static enum code specs_ask(struct onnx *onnx, struct place place, struct arena *arena,
                           struct tensor_spec *specs, size_t n, bool optional, struct rows *rows,
                           struct err *err)
{
  for (place.index = 0; place.index < n; place.index++) {
    if (spec_ask(onnx, &place, arena, &specs[place.index], rows, err) != OK) return err->code;
    specs[place.index].optional = optional;
  }
  return OK;
}

enum code onnx_contract(struct onnx *onnx, struct arena *arena, struct err *err)
{
  const struct ort *ort = onnx->ort;
  const struct place input = {"input", 0, ort->SessionGetInputName, ort->SessionGetInputTypeInfo};
  const struct place output = {"output", 0, ort->SessionGetOutputName,
                               ort->SessionGetOutputTypeInfo};
  const struct place spare = {"input", 0, ort->SessionGetOverridableInitializerName,
                              ort->SessionGetOverridableInitializerTypeInfo};
  struct rows rows = {.free = true}, unused = {0};
  size_t n_in = 0, n_spare = 0, n_out = 0;
  struct ort_status *status = ort->SessionGetInputCount(onnx->session, &n_in);
  if (!status) status = ort->SessionGetOverridableInitializerCount(onnx->session, &n_spare);
  if (!status) status = ort->SessionGetOutputCount(onnx->session, &n_out);
  if (status) return onnx_load_failed(onnx, status, err);
  if (n_in > TENSORS_MAX || n_spare > TENSORS_MAX - n_in || n_out > TENSORS_MAX || n_out == 0)
    return fail(
        err, E_MODEL_REJECTED,
        "the model has %zu inputs, %zu inputs with defaults and %zu outputs; at most %d each "
        "way are served",
        n_in, n_spare, n_out, TENSORS_MAX);
  struct tensor_spec *in = arena_zero(arena, n_in + n_spare + 1, sizeof *in);
  struct tensor_spec *out = arena_zero(arena, n_out, sizeof *out);
  if (!in || !out)
    return fail(err, E_OUT_OF_MEMORY, "the model's contract does not fit into memory");
  if (specs_ask(onnx, input, arena, in, n_in, false, &rows, err) != OK ||
      specs_ask(onnx, spare, arena, in + n_in, n_spare, true, &unused, err) != OK ||
      specs_ask(onnx, output, arena, out, n_out, false, &rows, err) != OK)
    return err->code;
  for (size_t i = 0; i < n_in + n_spare; i++) onnx->input_names[i] = in[i].name.at;
  for (size_t i = 0; i < n_out; i++) onnx->output_names[i] = out[i].name.at;
  /* Dimension 0 is the batch when all call it by one name; without names, when there is one
   * input. */
  bool batches = rows.free && n_in > 0 && n_spare == 0 && (rows.named || n_in == 1);
  onnx->contract = (struct contract){in, out, (uint32_t)(n_in + n_spare), (uint32_t)n_out, batches};
  return OK;
}
