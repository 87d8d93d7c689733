/* infer_int.h - what the files of the tensor codecs share: reading one tensor's values out of JSON
 * or protobuf, classes, parameters, binary tensors.
 * Thread: any, pure.
 * Source: Open Inference Protocol V2, "Tensor Data": flattened or nested, row-major.
 * SPDX-License-Identifier: MIT */
#ifndef WIRE_INFER_INFER_INT_H
#define WIRE_INFER_INFER_INT_H

#include "wire/infer/infer.h"
#include "wire/json.h"

/* What stands at a level of nesting: at the top one value, in it its elements, and so on.
 * Everything at one level must be of one kind, and arrays at one level of one length, or the data
 * is ragged. */
enum data_kind { DATA_SCALAR = 1, DATA_ARRAY };
struct data_level {
  uint32_t len; /* of the arrays at this level; UINT32_MAX before the first has ended */
  enum data_kind kind;
};

struct data {
  struct json *json; /* stands before a value; swapped for another between values by V1 */
  struct arena *arena;
  struct err *err;
  struct slice name;
  enum dtype dtype;
  bool fixed;        /* the count is known: memory is reserved, more elements are an error */
  bool b64;          /* {"b64":"..."} is an element of BYTES */
  uint64_t count;    /* when fixed */
  uint64_t n, room;  /* elements read; that fit before data_more must be asked */
  char *at;          /* arena memory */
  size_t used, cap;  /* its bytes: used is kept by BYTES only */
  uint64_t from;     /* n when this value began: errors count from there */
  const char *start; /* of this value's text */
  const struct shape *shape; /* when fixed, for errors */
  /* Where errors say they are: inputs[place].data, instances[place] or inputs, with .name */
  enum { DATA_V2, DATA_ROW, DATA_ROW_NAME, DATA_COLUMN, DATA_COLUMN_NAME } where;
  uint32_t place;
  uint32_t n_levels; /* levels met so far */
  struct data_level levels[JSON_DEPTH_MAX + 1];
};

/* Fixed: reserves memory for `count` values of shape; what the text left cannot hold is refused
 * before. tensor has name, dtype, shape and count. BYTES need a reader of the value's text alone,
 * for memory is reserved by its length. */
CHECKED enum code data_init(struct data *data, struct json *json, const struct tensor *tensor,
                            uint32_t place, struct arena *arena, struct err *err);
/* Growing: for values whose count nobody has said. */
void data_init_free(struct data *data, struct slice name, enum dtype dtype, struct arena *arena,
                    struct err *err);
/* Reads the value data->json stands before. */
CHECKED enum code data_value(struct data *data);
/* After the last value of a fixed one: are they all there? Fills tensor->data and bytes. */
CHECKED enum code data_end(struct data *data, struct tensor *tensor);
/* Fails, naming the tensor and the place. */
enum code data_fail(struct data *data, enum code code, const char *fmt, ...) PRINTF(3, 4);

/* Aligned as the datatype wants? */
static inline bool data_is_aligned(const void *at, enum dtype dtype)
{
  size_t width = dtype_width(dtype);
  return width < 2 || (uintptr_t)at % width == 0;
}

/* class.c: the best n of each group along the last dimension, as BYTES strings. */
CHECKED enum code classes_of(struct arena *arena, const struct infer_output *output,
                             struct tensor *classes, struct err *err);

/* write.c: element i of a tensor whose datatype is not BYTES, FP16 or BF16, after a bracket,
 * a colon or another value. */
void value_out(struct json_out *out, const struct tensor *tensor, uint64_t i);

/* ---- param.c: parameters and binary tensors, which know nothing of a request's layout */

/* Steps into a parameters object; null is an empty one (*n becomes UINT32_MAX). *n counts. */
CHECKED enum code params_begin(struct json *json, uint32_t *n);
/* The next parameter; false at the end, or with *code set. */
bool param_next(struct json *json, struct infer_param *param, uint32_t *n, enum code *code);

/* Keys that would change what we do behind the caller's back, were they ignored. */
bool param_is_reserved(struct slice key);
enum code param_refuse(const struct infer_param *param, struct err *err);
enum code param_wrong(const struct infer_param *param, const char *wanted, struct err *err);
CHECKED enum code param_bool(const struct infer_param *param, bool *value, struct err *err);
CHECKED enum code param_u64(const struct infer_param *param, uint64_t max, uint64_t *value,
                            struct err *err);

/* One of the request's own: to its member, or kept among the others. The caller names the place. */
CHECKED enum code request_param(struct arena *arena, struct infer_request *request,
                                const struct infer_param *param, struct err *err);
/* The request's own parameters object, which json stands before. */
CHECKED enum code request_params(struct json *json, struct arena *arena,
                                 struct infer_request *request, struct err *err);

/* E_BAD_NAME: empty, or with a NUL character. */
CHECKED enum code tensor_name_check(struct slice name, struct err *err);
bool tensor_is_named(const struct tensor *tensors, uint32_t n, struct slice name);

/* Makes bytes the data of a tensor whose dtype, shape and count are set: a view, or a copy where it
 * is not aligned. E_BAD_SIZE, E_VALUE_OUT_OF_RANGE (BOOL). */
CHECKED enum code binary_take(struct arena *arena, struct tensor *tensor, struct slice bytes,
                              struct err *err);

/* ---- pb_typed.c */

/* Makes the typed values (InferTensorContents, field `number` of an input's message) the data of a
 * tensor whose dtype, shape and count are set. */
CHECKED enum code typed_take(struct arena *arena, struct slice input, uint32_t number,
                             struct tensor *tensor, struct err *err);

#endif
