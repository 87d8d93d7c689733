/* tensor.c - datatypes, shapes and the wire form of BYTES.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "base/tensor.h"

#include <stdio.h>

struct dtype_face {
  struct slice name; /* NUL-terminated */
  const char *config;
  size_t width;
  bool json;
};

static const struct dtype_face faces[DT_COUNT] = {
    [DT_NONE] = {{"NONE", 4}, "TYPE_INVALID", 0, false},
#define DTYPE(name, width, config, json) \
  [DT_##name] = {{#name, sizeof #name - 1}, config, width, json},
#include "base/tensor.def"
#undef DTYPE
};

const char *dtype_name(enum dtype dtype) { return faces[dtype].name.at; }
const char *dtype_config(enum dtype dtype) { return faces[dtype].config; }
size_t dtype_width(enum dtype dtype) { return faces[dtype].width; }
bool dtype_json(enum dtype dtype) { return faces[dtype].json; }

enum dtype dtype_named(struct slice name)
{
  for (int i = DT_NONE + 1; i < DT_COUNT; i++)
    if (slice_eq(name, faces[i].name)) return (enum dtype)i;
  return DT_NONE;
}

bool shape_count(const struct shape *shape, uint64_t *count)
{
  uint64_t product = 1;
  bool zero = false;
  for (uint32_t i = 0; i < shape->rank; i++) {
    int64_t dim = shape->dims[i];
    if (dim < 0 || dim > TENSOR_DIM_MAX) return false;
    if (dim == 0)
      zero = true;
    else if (__builtin_mul_overflow(product, (uint64_t)dim, &product))
      return false;
  }
  *count = zero ? 0 : product;
  return product <= (uint64_t)INT64_MAX;
}

char *shape_text(const struct shape *shape, char *to, size_t cap)
{
  must(cap >= 3);
  size_t len = 0;
  to[len++] = '[';
  for (uint32_t i = 0; i < shape->rank && len + 24 < cap; i++)
    len += (size_t)snprintf(to + len, cap - len, "%s%lld", i ? "," : "", (long long)shape->dims[i]);
  to[len++] = ']';
  to[len] = '\0';
  return to;
}

enum code tensor_bytes_check(const void *data, size_t bytes, uint64_t count, struct err *err)
{
  const unsigned char *p = data;
  size_t at = 0;
  for (uint64_t i = 0; i < count; i++) {
    uint32_t len;
    if (bytes - at < sizeof len)
      return fail(err, E_BAD_SIZE, "element %llu has no length: the data ends after %zu bytes",
                  (unsigned long long)i, bytes);
    memcpy(&len, p + at, sizeof len);
    at += sizeof len;
    if (len > bytes - at)
      return fail(err, E_BAD_SIZE, "element %llu says %u bytes, only %zu are left",
                  (unsigned long long)i, len, bytes - at);
    at += len;
  }
  if (at != bytes)
    return fail(err, E_BAD_SIZE, "%zu bytes are left over after the last of %llu elements",
                bytes - at, (unsigned long long)count);
  return OK;
}

struct slice tensor_bytes_next(const struct tensor *tensor, size_t *at)
{
  const char *p = tensor->data;
  uint32_t len;
  must(tensor->bytes - *at >= sizeof len);
  memcpy(&len, p + *at, sizeof len);
  must(tensor->bytes - *at - sizeof len >= len);
  struct slice element = {p + *at + sizeof len, len};
  *at += sizeof len + len;
  return element;
}

/* --- numbers ---------------------------------------------------------------------------------- */

bool dtype_is_float(enum dtype dtype)
{
  return dtype == DT_FP32 || dtype == DT_FP64 || dtype == DT_FP16 || dtype == DT_BF16;
}

static double half_value(uint16_t half)
{
  int sign = half >> 15, exponent = half >> 10 & 31;
  double value = half & 1023;
  if (exponent == 31) {
    value = value != 0 ? __builtin_nan("") : __builtin_inf();
  } else if (exponent == 0) {
    value /= 1 << 24;
  } else {
    value += 1024;
    for (; exponent < 25; exponent++) value /= 2;
    for (; exponent > 25; exponent--) value *= 2;
  }
  return sign ? -value : value;
}

#define AT(type) (((const type *)tensor->data)[index])

double tensor_float(const struct tensor *tensor, uint64_t index)
{
  switch (tensor->dtype) {
    case DT_FP32: return AT(float);
    case DT_FP64: return AT(double);
    case DT_FP16: return half_value(AT(uint16_t));
    default: {
      uint32_t bits = (uint32_t)AT(uint16_t) << 16;
      float value;
      memcpy(&value, &bits, sizeof value);
      return value;
    }
  }
}

int64_t tensor_whole(const struct tensor *tensor, uint64_t index)
{
  switch (tensor->dtype) {
    case DT_BOOL:
    case DT_UINT8: return AT(uint8_t);
    case DT_UINT16: return AT(uint16_t);
    case DT_UINT32: return AT(uint32_t);
    case DT_INT8: return AT(int8_t);
    case DT_INT16: return AT(int16_t);
    case DT_INT32: return AT(int32_t);
    default: return AT(int64_t);
  }
}
