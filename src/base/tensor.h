/* tensor.h - a named block of numbers or byte strings, as the protocol has it.
 * Thread: any. A tensor is a view: its memory belongs to the call's arena, the request body or the
 * engine, as each function says.
 *
 * Data is little-endian, row-major, packed, aligned to its width (16 bytes from an arena).
 * BYTES tensors are kept in their wire form: for each element a 4-byte little-endian length and the
 * bytes; `count` elements fill exactly `bytes`.
 * Source: Open Inference Protocol V2, "Tensor Data Types"; Triton's binary tensor extension.
 * SPDX-License-Identifier: MIT */
#ifndef BASE_TENSOR_H
#define BASE_TENSOR_H

#include "base/err.h"
#include "base/slice.h"

enum dtype {
  DT_NONE = 0,
#define DTYPE(name, width, config, json) DT_##name,
#include "base/tensor.def"
#undef DTYPE
  DT_COUNT
};

enum { TENSOR_RANK_MAX = 8, TENSORS_MAX = 64 };
#define TENSOR_DIM_MAX INT64_C(2147483647)

struct shape {
  uint32_t rank; /* 0: a scalar, one element */
  int64_t dims[TENSOR_RANK_MAX]; /* in a contract -1 means any */
};

struct tensor {
  struct slice name;
  enum dtype dtype;
  struct shape shape;
  uint64_t count; /* product of dims */
  void *data;     /* NULL only when bytes is 0 */
  size_t bytes;
};

const char *dtype_name(enum dtype dtype);   /* "FP32" */
const char *dtype_config(enum dtype dtype); /* "TYPE_FP32" */
size_t dtype_width(enum dtype dtype);       /* 0 for BYTES */
bool dtype_json(enum dtype dtype);          /* false: travels binary only */
enum dtype dtype_named(struct slice name);  /* DT_NONE when unknown; case matters */
bool dtype_is_float(enum dtype dtype);

/* Product of dims; false when a dimension is outside 0..TENSOR_DIM_MAX or the product overflows. */
bool shape_count(const struct shape *shape, uint64_t *count);
/* Writes "[2,-1,4]" to `to`, cut to cap. Returns to. */
char *shape_text(const struct shape *shape, char *to, size_t cap);
enum { SHAPE_TEXT_MAX = 96 };

/* Checks that exactly `bytes` bytes hold `count` elements of BYTES; else E_BAD_SIZE. */
CHECKED enum code tensor_bytes_check(const void *data, size_t bytes, uint64_t count,
                                     struct err *err);
/* Walks a checked BYTES tensor: *at is an offset, 0 at first; returns each element. */
struct slice tensor_bytes_next(const struct tensor *tensor, size_t *at);

/* One element: of FP16, BF16, FP32, FP64; of BOOL and whole numbers (UINT64: the same bits). */
double tensor_float(const struct tensor *tensor, uint64_t index);
int64_t tensor_whole(const struct tensor *tensor, uint64_t index);

#endif
