/* pb_typed.c - InferTensorContents to a tensor's data: counted first, then written.
 * Thread: any, pure.
 *
 * A member is packed, one by one, or both in turn; contents given twice are joined: all as protobuf
 * has it. One packed piece of floats is the tensor's own bytes already.
 * Source: the wire contract, section 6; protobuf.dev, "Encoding" (int32 keeps the low 32 bits).
 * SPDX-License-Identifier: MIT */
#include "wire/infer/infer_int.h"
#include "wire/pb.h"

/* In which member a datatype travels, and how one of its values does. 0: in none. */
static const struct member {
  uint32_t number;
  enum pb_wire wire;
} members[DT_COUNT] = {
    [DT_BOOL] = {1, PB_VARINT},   [DT_INT8] = {2, PB_VARINT},   [DT_INT16] = {2, PB_VARINT},
    [DT_INT32] = {2, PB_VARINT},  [DT_INT64] = {3, PB_VARINT},  [DT_UINT8] = {4, PB_VARINT},
    [DT_UINT16] = {4, PB_VARINT}, [DT_UINT32] = {4, PB_VARINT}, [DT_UINT64] = {5, PB_VARINT},
    [DT_FP32] = {6, PB_FIXED32},  [DT_FP64] = {7, PB_FIXED64},  [DT_BYTES] = {8, PB_BYTES},
};

struct typed {
  struct tensor *tensor;
  struct err *err;
  struct member member;
  uint64_t n;          /* values met */
  size_t bytes;        /* that they take */
  struct slice packed; /* the last packed piece */
  uint32_t n_pieces;   /* packed pieces and single values */
  char *to;            /* NULL: counting */
};

static enum code typed_garbled(struct typed *t)
{
  return fail(t->err, E_INVALID_ARGUMENT, "input \"%.*s\": its contents are not protobuf",
              SLICE_ARG(t->tensor->name));
}

/* ---- one value */

static enum code value_outside(struct typed *t, int64_t value)
{
  return fail(t->err, E_VALUE_OUT_OF_RANGE, "input \"%.*s\": element %llu is %lld, outside %s",
              SLICE_ARG(t->tensor->name), (unsigned long long)t->n, (long long)value,
              dtype_name(t->tensor->dtype));
}

/* The value as int_contents and uint_contents have it, if the datatype holds it. */
static bool value_narrow(enum dtype dtype, uint64_t bits, int64_t *value)
{
  *value = (int32_t)(uint32_t)bits;
  switch (dtype) {
    case DT_INT8: return *value >= INT8_MIN && *value <= INT8_MAX;
    case DT_INT16: return *value >= INT16_MIN && *value <= INT16_MAX;
    case DT_UINT8: *value = (uint32_t)bits; return *value <= UINT8_MAX;
    case DT_UINT16: *value = (uint32_t)bits; return *value <= UINT16_MAX;
    default: return true;
  }
}

static enum code varint_put(struct typed *t, uint64_t bits)
{
  enum dtype dtype = t->tensor->dtype;
  size_t width = dtype_width(dtype);
  int64_t value = (int64_t)bits;
  if (width < 8 && !value_narrow(dtype, bits, &value)) return value_outside(t, value);
  if (dtype == DT_BOOL) bits = bits != 0;
  if (t->to) memcpy(t->to + t->bytes, &bits, width); /* little-endian: its low bytes */
  t->n++;
  t->bytes += width;
  return OK;
}

static enum code string_put(struct typed *t, struct slice bytes)
{
  uint32_t len = (uint32_t)bytes.len;
  if (bytes.len > UINT32_MAX)
    return fail(t->err, E_BAD_SIZE, "input \"%.*s\": element %llu is longer than 4 GiB",
                SLICE_ARG(t->tensor->name), (unsigned long long)t->n);
  if (t->to) {
    memcpy(t->to + t->bytes, &len, sizeof len);
    if (len) memcpy(t->to + t->bytes + sizeof len, bytes.at, len);
  }
  t->n++;
  t->bytes += sizeof len + len;
  return OK;
}

/* ---- one field */

static enum code varints_put(struct typed *t, struct slice packed)
{
  struct pb pb = pb_of(packed);
  uint64_t bits;
  while (pb.at != pb.end) {
    if (!pb_varint(&pb, &bits)) return typed_garbled(t);
    if (varint_put(t, bits)) return t->err->code;
  }
  return OK;
}

static enum code floats_put(struct typed *t, struct slice bytes)
{
  size_t width = dtype_width(t->tensor->dtype);
  if (bytes.len % width) return typed_garbled(t);
  if (t->to && bytes.len) memcpy(t->to + t->bytes, bytes.at, bytes.len);
  t->n += bytes.len / width;
  t->bytes += bytes.len;
  t->packed = bytes;
  return OK;
}

static enum code field_put(struct typed *t, const struct pb_field *field)
{
  if (field->number > members[DT_BYTES].number) return OK; /* a later schema's */
  if (field->number != t->member.number)
    return fail(t->err, E_WRONG_TYPE, "input \"%.*s\" is %s, its values are another datatype's",
                SLICE_ARG(t->tensor->name), dtype_name(t->tensor->dtype));
  t->n_pieces++;
  if (t->member.wire == PB_BYTES && field->wire == PB_BYTES) return string_put(t, field->bytes);
  if (field->wire != PB_BYTES && field->wire != (uint32_t)t->member.wire) return typed_garbled(t);
  if (t->member.wire != PB_VARINT) return floats_put(t, field->bytes);
  return field->wire == PB_BYTES ? varints_put(t, field->bytes) : varint_put(t, field->value);
}

/* ---- all of them */

static enum code contents_put(struct typed *t, struct slice contents)
{
  struct pb pb = pb_of(contents);
  struct pb_field field;
  while (pb_next(&pb, &field))
    if (field_put(t, &field)) return t->err->code;
  return pb.at == pb.end ? OK : typed_garbled(t);
}

static enum code input_put(struct typed *t, struct slice input, uint32_t number)
{
  struct pb pb = pb_of(input);
  struct pb_field field;
  t->n = t->bytes = t->n_pieces = 0;
  while (pb_next(&pb, &field))
    if (field.number == number && contents_put(t, field.bytes)) return t->err->code;
  return OK;
}

enum code typed_take(struct arena *arena, struct slice input, uint32_t number,
                     struct tensor *tensor, struct err *err)
{
  struct typed t = {.tensor = tensor, .err = err, .member = members[tensor->dtype]};
  if (!t.member.number)
    return fail(err, E_BAD_DATATYPE, "input \"%.*s\": %s travels in raw_input_contents only",
                SLICE_ARG(tensor->name), dtype_name(tensor->dtype));
  if (input_put(&t, input, number)) return err->code;
  if (t.n != tensor->count)
    return fail(err, E_BAD_SIZE, "input \"%.*s\": the shape needs %llu values, contents has %llu",
                SLICE_ARG(tensor->name), (unsigned long long)tensor->count,
                (unsigned long long)t.n);
  tensor->data = NULL;
  tensor->bytes = t.bytes;
  if (!t.bytes) return OK;
  if (dtype_is_float(tensor->dtype) && t.n_pieces == 1)
    return binary_take(arena, tensor, t.packed, err);
  t.to = tensor->data = arena_get(arena, t.bytes);
  if (t.to) return input_put(&t, input, number);
  return fail(err, E_OUT_OF_MEMORY, "input \"%.*s\" needs more memory than a call has",
              SLICE_ARG(tensor->name));
}
