/* class.c - the classification extension: a tensor becomes its best n, as strings.
 * Thread: any, pure.
 *
 * Values of every datatype are mapped to 64-bit keys whose unsigned order is the values' order:
 * exact for INT64 and UINT64, equal for 0 and -0, 0 for NaN. A heap of n keeps the best of each
 * group.
 * Source: Triton's classification extension: "value:index" or "value:index:label".
 * SPDX-License-Identifier: MIT */
#include <math.h>

#include "base/text.h"
#include "wire/infer/infer_int.h"

enum { INDEX_TEXT_MAX = 21 }; /* ":" and 20 digits */

struct rank {
  uint64_t key;
  uint32_t index;
};

static float half_to_f32(uint16_t half)
{
  uint32_t sign = (uint32_t)(half & 0x8000) << 16, exp = half >> 10 & 31, part = half & 1023, bits;
  float value;
  if (exp == 0) {
    value = (float)part * 0x1p-24f;
    return sign ? -value : value;
  }
  bits = sign | (exp == 31 ? 0x7f800000u : (exp + 112) << 23) | part << 13;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static float wide_to_f32(const struct tensor *tensor, uint64_t i)
{
  uint16_t half;
  memcpy(&half, (const char *)tensor->data + 2 * i, sizeof half);
  if (tensor->dtype == DT_FP16) return half_to_f32(half);
  uint32_t bits = (uint32_t)half << 16;
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/* One element, as what it is. */
struct value {
  enum { VALUE_SIGNED, VALUE_UNSIGNED, VALUE_F32, VALUE_F64 } kind;
  union {
    int64_t i;
    uint64_t u;
    float f;
    double d;
  };
};

static struct value value_at(const struct tensor *tensor, uint64_t i)
{
  struct value v = {VALUE_UNSIGNED, {0}};
  size_t width = dtype_width(tensor->dtype);
  const char *at = (const char *)tensor->data + i * width;
  switch (tensor->dtype) {
    case DT_FP16:
    case DT_BF16:
      v.kind = VALUE_F32;
      v.f = wide_to_f32(tensor, i);
      break;
    case DT_FP32: v.kind = VALUE_F32, memcpy(&v.f, at, sizeof v.f); break;
    case DT_FP64: v.kind = VALUE_F64, memcpy(&v.d, at, sizeof v.d); break;
    case DT_INT8: v.kind = VALUE_SIGNED, v.i = (signed char)*at; break;
    case DT_INT16: {
      int16_t narrow;
      memcpy(&narrow, at, sizeof narrow);
      v.kind = VALUE_SIGNED, v.i = narrow;
      break;
    }
    case DT_INT32: {
      int32_t narrow;
      memcpy(&narrow, at, sizeof narrow);
      v.kind = VALUE_SIGNED, v.i = narrow;
      break;
    }
    case DT_INT64: v.kind = VALUE_SIGNED, memcpy(&v.i, at, sizeof v.i); break;
    default: memcpy(&v.u, at, width); /* unsigned, BOOL; little-endian */
  }
  return v;
}

static uint64_t value_key(struct value v)
{
  if (v.kind == VALUE_UNSIGNED) return v.u;
  if (v.kind == VALUE_SIGNED) return (uint64_t)v.i ^ UINT64_C(1) << 63;
  double d = v.kind == VALUE_F32 ? (double)v.f : v.d;
  if (isnan(d)) return 0;
  if (d == 0) d = 0; /* -0 too */
  uint64_t bits;
  memcpy(&bits, &d, sizeof bits);
  return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

static size_t value_print(char *to, struct value v)
{
  if (v.kind == VALUE_UNSIGNED) return text_print_u64(to, v.u);
  if (v.kind == VALUE_SIGNED) return text_print_i64(to, v.i);
  double d = v.kind == VALUE_F32 ? (double)v.f : v.d;
  const char *word = isnan(d) ? "NaN" : !isinf(d) ? NULL : d > 0 ? "Infinity" : "-Infinity";
  if (word) return memcpy(to, word, strlen(word)), strlen(word);
  return v.kind == VALUE_F32 ? text_print_f32(to, v.f) : text_print_f64(to, v.d);
}

/* Whether a comes after b in the answer. */
static bool rank_worse(struct rank a, struct rank b)
{
  return a.key != b.key ? a.key < b.key : a.index > b.index;
}

/* Restores the heap, worst on top, below slot `at`. */
static void heap_sift(struct rank *heap, size_t n, size_t at)
{
  struct rank moved = heap[at];
  for (;;) {
    size_t child = 2 * at + 1;
    if (child >= n) break;
    if (child + 1 < n && rank_worse(heap[child + 1], heap[child])) child++;
    if (!rank_worse(heap[child], moved)) break;
    heap[at] = heap[child];
    at = child;
  }
  heap[at] = moved;
}

/* The best n of the group of `classes` elements that starts at `from`, best first. */
static void group_rank(const struct tensor *tensor, uint64_t from, uint32_t classes,
                       struct rank *heap, size_t n)
{
  for (uint32_t i = 0; i < classes; i++) {
    struct rank rank = {value_key(value_at(tensor, from + i)), i};
    if (i < n) heap[i] = rank;
    if (i + 1 == n)
      for (size_t k = n / 2; k-- > 0;) heap_sift(heap, n, k);
    if (i < n || !rank_worse(heap[0], rank)) continue;
    heap[0] = rank;
    heap_sift(heap, n, 0);
  }
  for (size_t left = n; left-- > 1;) { /* the worst goes to the end, and so on */
    struct rank worst = heap[0];
    heap[0] = heap[left];
    heap[left] = worst;
    heap_sift(heap, left, 0);
  }
}

/* Room for `need` more bytes in the answer's data. */
static bool classes_room(struct arena *arena, struct tensor *classes, size_t *cap, size_t need)
{
  if (need <= *cap - classes->bytes) return true;
  size_t more = *cap * 2 > classes->bytes + need ? *cap * 2 : classes->bytes + need;
  classes->data = arena_grow(arena, classes->data, *cap, more);
  *cap = more;
  return classes->data != NULL;
}

static void class_put(const struct infer_output *output, uint64_t from, uint32_t index,
                      struct tensor *classes)
{
  char *wire = (char *)classes->data + classes->bytes, *to = wire + sizeof(uint32_t);
  to += value_print(to, value_at(output->tensor, from + index));
  *to++ = ':';
  to += text_print_u64(to, index);
  if (output->labels && index < output->n_labels) {
    struct slice label = output->labels[index];
    *to++ = ':';
    if (label.len) memcpy(to, label.at, label.len);
    to += label.len;
  }
  uint32_t len = (uint32_t)(to - wire - (ptrdiff_t)sizeof len);
  memcpy(wire, &len, sizeof len);
  classes->bytes += sizeof len + len;
}

enum code classes_of(struct arena *arena, const struct infer_output *output, struct tensor *classes,
                     struct err *err)
{
  const struct tensor *tensor = output->tensor;
  const struct shape *shape = &tensor->shape;
  if (tensor->dtype == DT_BYTES)
    return fail(err, E_BAD_DATATYPE, "output \"%.*s\" is BYTES, it has no classes",
                SLICE_ARG(tensor->name));
  uint64_t width = shape->rank ? (uint64_t)shape->dims[shape->rank - 1] : 1;
  uint32_t n = width < output->classification ? (uint32_t)width : output->classification;
  uint64_t groups = tensor->count ? tensor->count / width : 0;
  *classes = (struct tensor){.name = tensor->name, .dtype = DT_BYTES, .shape = *shape};
  if (shape->rank) classes->shape.dims[shape->rank - 1] = n;
  must(shape_count(&classes->shape, &classes->count));
  if (!classes->count) return OK;
  size_t cap = (size_t)classes->count * 16;
  struct rank *heap = arena_get(arena, n * sizeof *heap);
  classes->data = arena_get(arena, cap);
  if (!heap || !classes->data) goto full;
  for (uint64_t g = 0; g < groups; g++) {
    group_rank(tensor, g * width, (uint32_t)width, heap, n);
    for (uint32_t i = 0; i < n; i++) {
      uint32_t index = heap[i].index;
      size_t label = output->labels && index < output->n_labels ? output->labels[index].len + 1 : 0;
      if (!classes_room(arena, classes, &cap,
                        sizeof(uint32_t) + TEXT_NUMBER_MAX + INDEX_TEXT_MAX + label))
        goto full;
      class_put(output, g * width, index, classes);
    }
  }
  return OK;
full:
  return fail(err, E_OUT_OF_MEMORY, "the answer needs more memory than a call has");
}
