/* onnx_proto.h - reads a TensorProto (the .pb files beside ONNX test models) into a struct tensor.
 * For tests: trusts the file, leaves sequences and optionals alone (false).
 * Source: onnx.proto. SPDX-License-Identifier: MIT */
#ifndef ONNX_PROTO_H
#define ONNX_PROTO_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/tensor.h"

static inline struct slice proto_file(const char *path, struct arena *arena)
{
  FILE *file = fopen(path, "rb");
  if (!file) return SLICE_NONE;
  fseek(file, 0, SEEK_END);
  long len = ftell(file);
  rewind(file);
  char *at = arena_get(arena, (size_t)len + 1);
  struct slice bytes = slice_of(at, at ? fread(at, 1, (size_t)len, file) : 0);
  fclose(file);
  return bytes;
}

static inline uint64_t proto_varint(struct slice *in)
{
  uint64_t value = 0;
  for (unsigned shift = 0; in->len && shift < 64; shift += 7) {
    unsigned char byte = (unsigned char)*in->at;
    *in = slice_from(*in, 1);
    value |= (uint64_t)(byte & 127) << shift;
    if (byte < 128) break;
  }
  return value;
}

/* The next field: its number, its bytes (length-delimited) or its number. False at the end. */
static inline bool proto_next(struct slice *in, uint32_t *field, struct slice *bytes,
                              uint64_t *value)
{
  if (!in->len) return false;
  uint64_t key = proto_varint(in);
  *field = (uint32_t)(key >> 3);
  *bytes = SLICE_NONE;
  *value = 0;
  size_t width = (key & 7) == 1 ? 8 : (key & 7) == 5 ? 4 : 0;
  if ((key & 7) == 0) *value = proto_varint(in);
  if ((key & 7) == 2) width = proto_varint(in);
  if (width > in->len) return false;
  *bytes = slice_of(in->at, width);
  *in = slice_from(*in, width);
  return true;
}

static const enum dtype proto_dtypes[17] = {
    [1] = DT_FP32,  [2] = DT_UINT8,   [3] = DT_INT8,    [4] = DT_UINT16, [5] = DT_INT16,
    [6] = DT_INT32, [7] = DT_INT64,   [8] = DT_BYTES,   [9] = DT_BOOL,   [10] = DT_FP16,
    [11] = DT_FP64, [12] = DT_UINT32, [13] = DT_UINT64, [16] = DT_BF16,
};

/* Appends `value` at the tensor's width; the arena's newest allocation grows. */
static inline void proto_put(struct arena *arena, struct tensor *t, const void *at, size_t len)
{
  if (len == 0) return;
  t->data = arena_grow(arena, t->data, t->bytes, t->bytes + len);
  memcpy((char *)t->data + t->bytes, at, len);
  t->bytes += len;
}

static inline bool proto_tensor(struct slice in, struct arena *arena, struct tensor *t)
{
  uint32_t field;
  uint64_t value;
  struct slice bytes, walk = in;
  *t = (struct tensor){0};
  while (proto_next(&walk, &field, &bytes, &value))
    if (field == 2 && value < 17) t->dtype = proto_dtypes[value];
  if (t->dtype == DT_NONE) return false;
  size_t width = dtype_width(t->dtype);
  for (walk = in; proto_next(&walk, &field, &bytes, &value);) {
    if (field == 1 && !bytes.len)
      t->shape.dims[t->shape.rank++ % 8] = (int64_t)value;
    else if (field == 1)
      while (bytes.len) t->shape.dims[t->shape.rank++ % 8] = (int64_t)proto_varint(&bytes);
    else if (field == 8)
      t->name = bytes;
    else if (field == 9 || field == 4 || field == 10)
      proto_put(arena, t, bytes.at, bytes.len);
    else if (field == 6) {
      uint32_t len = (uint32_t)bytes.len;
      proto_put(arena, t, &len, 4);
      proto_put(arena, t, bytes.at, bytes.len);
    } else if (field == 5 || field == 7 || field == 11) {
      if (!bytes.len) proto_put(arena, t, &value, width);
      while (bytes.len) {
        uint64_t number = proto_varint(&bytes);
        proto_put(arena, t, &number, width);
      }
    }
  }
  if (t->shape.rank > TENSOR_RANK_MAX || !shape_count(&t->shape, &t->count)) return false;
  return t->dtype == DT_BYTES || t->bytes == t->count * width;
}

#endif
