/* ort.h - ONNX Runtime as we know it: found at run time, a table of functions, an allocator.
 * The program is built without it and says clearly when it is missing or too old (ADR 0006).
 *
 * Where it is looked for, first found wins:
 *   $SLIPWAY_ORT                                   a file; when set, nothing else is tried
 *   ../lib/slipway/libonnxruntime.so.1.28.0        beside the program
 *   build/deps/onnxruntime/onnxruntime/capi/       in the folders above the program: `make deps`
 *   libonnxruntime.so.1.28.0, .so.1, .so           the system's loader
 *
 * Thread: any; loaded once, by whoever asks first; constant afterwards and never unloaded.
 * SPDX-License-Identifier: MIT */
#ifndef INFER_ONNX_ORT_H
#define INFER_ONNX_ORT_H

#include <stddef.h>

#include "base/err.h"

#define ORT_LIBRARY "libonnxruntime.so.1.28.0"
/* The interface of ONNX Runtime 1.24; 1.24.4 is the oldest that is safe with hostile files. */
#define ORT_API 24

/* The library's opaque types under our names. */
struct ort_status;
struct ort_env;
struct ort_session;
struct ort_options;
struct ort_run_options;
struct ort_value;
struct ort_type;
struct ort_shape;
struct ort_memory;
struct ort_binding;

/* Its allocator interface, version 17: what it calls to get and give back memory. */
struct ort_allocator {
  uint32_t version;
  void *(*alloc)(struct ort_allocator *self, size_t bytes);
  void (*free)(struct ort_allocator *self, void *p);
  const struct ort_memory *(*info)(const struct ort_allocator *self);
};

/* Values of its enums that we use. */
enum { ORT_LOG_FATAL = 4, ORT_SEQUENTIAL = 0, ORT_DEVICE_ALLOCATOR = 0, ORT_MEMORY_DEFAULT = 0 };
enum ort_kind { ORT_TENSOR = 1, ORT_SEQUENCE, ORT_MAP, ORT_OPAQUE, ORT_SPARSE, ORT_OPTIONAL };
enum ort_code {
  ORT_FAIL = 1,
  ORT_INVALID_ARGUMENT = 2,
  ORT_RUNTIME_EXCEPTION = 6,
  ORT_INVALID_PROTOBUF = 7,
  ORT_NOT_IMPLEMENTED = 9,
  ORT_INVALID_GRAPH = 10,
  ORT_LOAD_CANCELLED = 12
};
enum ort_type_code {
  ORT_FLOAT = 1,
  ORT_UINT8,
  ORT_INT8,
  ORT_UINT16,
  ORT_INT16,
  ORT_INT32,
  ORT_INT64,
  ORT_STRING,
  ORT_BOOL,
  ORT_FLOAT16,
  ORT_DOUBLE,
  ORT_UINT32,
  ORT_UINT64,
  ORT_COMPLEX64,
  ORT_COMPLEX128,
  ORT_BFLOAT16,
  ORT_TYPES
};

#define ORT_STATUS struct ort_status *
#define ORT_NONE   void
struct ort {
#define SLOT(index, name, result, parameters) result(*name) parameters;
#include "infer/onnx/ort.def"
#undef SLOT
  struct ort_env *env;
  struct ort_memory *memory;       /* plain CPU memory */
  struct ort_allocator *allocator; /* the library's own: names, strings */
  const char *version;             /* "1.28.0" */
};

/* The library, ready to use. E_UNAVAILABLE: not here, too old, or it would not start; every later
 * call says the same. */
CHECKED enum code ort_get(const struct ort **ort, struct err *err);

#endif
