/* onnx_walk_tensor.c - one TensorProto: where its data is, and whether it is as much as declared.
 * Thread: any, pure.
 * Source: onnx.proto, messages TensorProto and SparseTensorProto.
 * SPDX-License-Identifier: MIT */
#include "wire/onnx_walk_int.h"

/* Where a type's data may be besides raw_data. */
enum place {
  PLACE_FLOAT,
  PLACE_INT32,
  PLACE_STRING,
  PLACE_INT64,
  PLACE_DOUBLE,
  PLACE_UINT64,
  PLACES
};

static const char *const place_names[PLACES] = {
    "float_data", "int32_data", "string_data", "int64_data", "double_data", "uint64_data",
};

/* By TensorProto.DataType. bits 0: strings, or no such type (name NULL). per: typed entries for
 * `of` elements. */
static const struct kind {
  const char *name;
  uint8_t bits, place, per, of;
} kinds[] = {
    [1] = {"FLOAT", 32, PLACE_FLOAT, 1, 1},
    [2] = {"UINT8", 8, PLACE_INT32, 1, 1},
    [3] = {"INT8", 8, PLACE_INT32, 1, 1},
    [4] = {"UINT16", 16, PLACE_INT32, 1, 1},
    [5] = {"INT16", 16, PLACE_INT32, 1, 1},
    [6] = {"INT32", 32, PLACE_INT32, 1, 1},
    [7] = {"INT64", 64, PLACE_INT64, 1, 1},
    [8] = {"STRING", 0, PLACE_STRING, 1, 1},
    [9] = {"BOOL", 8, PLACE_INT32, 1, 1},
    [10] = {"FLOAT16", 16, PLACE_INT32, 1, 1},
    [11] = {"DOUBLE", 64, PLACE_DOUBLE, 1, 1},
    [12] = {"UINT32", 32, PLACE_UINT64, 1, 1},
    [13] = {"UINT64", 64, PLACE_UINT64, 1, 1},
    [14] = {"COMPLEX64", 64, PLACE_FLOAT, 2, 1},
    [15] = {"COMPLEX128", 128, PLACE_DOUBLE, 2, 1},
    [16] = {"BFLOAT16", 16, PLACE_INT32, 1, 1},
    [17] = {"FLOAT8E4M3FN", 8, PLACE_INT32, 1, 1},
    [18] = {"FLOAT8E4M3FNUZ", 8, PLACE_INT32, 1, 1},
    [19] = {"FLOAT8E5M2", 8, PLACE_INT32, 1, 1},
    [20] = {"FLOAT8E5M2FNUZ", 8, PLACE_INT32, 1, 1},
    [21] = {"UINT4", 4, PLACE_INT32, 1, 2},
    [22] = {"INT4", 4, PLACE_INT32, 1, 2},
    [23] = {"FLOAT4E2M1", 4, PLACE_INT32, 1, 2},
    [24] = {"FLOAT8E8M0", 8, PLACE_INT32, 1, 1},
    [25] = {"UINT2", 2, PLACE_INT32, 1, 4},
    [26] = {"INT2", 2, PLACE_INT32, 1, 4},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

struct facts {
  struct slice name;
  uint64_t type, count;     /* elements declared */
  uint64_t rank, dims[2];   /* the first two dimensions */
  uint64_t entries[PLACES]; /* typed data */
  uint64_t string_bytes;
  size_t raw_len;
  bool raw, typed, location, segment, external, huge;
};

/* One dimension; false when negative. */
static bool dim_add(struct facts *f, uint64_t dim)
{
  if (dim > INT64_MAX) return false;
  if (f->rank < 2) f->dims[f->rank] = dim;
  f->rank++;
  if (__builtin_mul_overflow(f->count, dim, &f->count) && dim) f->huge = true;
  if (dim == 0) f->huge = false, f->count = 0;
  return true;
}

static bool dims_read(struct facts *f, const struct pb_field *field)
{
  if (field->wire == PB_VARINT) return dim_add(f, field->value);
  if (field->wire != PB_BYTES) return false;
  uint64_t n;
  if (!pb_packed_count(field->bytes, &n)) return false;
  const char *at = field->bytes.at, *end = at + field->bytes.len;
  while (at < end) {
    uint64_t value = 0;
    unsigned shift = 0;
    unsigned char byte;
    do {
      byte = (unsigned char)*at++;
      if (shift < 64) value |= (uint64_t)(byte & 0x7f) << shift;
      shift += 7;
    } while (byte >= 0x80);
    if (!dim_add(f, value)) return false;
  }
  return true;
}

/* Typed data, packed or one by one. */
static bool entries_read(struct facts *f, enum place place, const struct pb_field *field)
{
  uint32_t single = PB_VARINT, width = 0;
  uint64_t n = 1;
  if (place == PLACE_FLOAT) single = PB_FIXED32, width = 4;
  if (place == PLACE_DOUBLE) single = PB_FIXED64, width = 8;
  if (place == PLACE_STRING) {
    if (field->wire != PB_BYTES) return false;
    f->string_bytes += field->bytes.len;
  } else if (field->wire == PB_BYTES) {
    if (width) n = field->bytes.len / width;
    if (width ? field->bytes.len % width != 0 : !pb_packed_count(field->bytes, &n)) return false;
  } else if (field->wire != single) {
    return false;
  }
  f->entries[place] += n;
  return true;
}

static bool once(bool *seen)
{
  bool first = !*seen;
  *seen = true;
  return first;
}

static bool field_read(struct facts *f, const struct pb_field *field)
{
  switch (field->number) {
  case 1: return dims_read(f, field);
  case 2:
    f->type = field->value;
    return field->wire == PB_VARINT && once(&f->typed);
  case 3: f->segment = true; return true;
  case 4: return entries_read(f, PLACE_FLOAT, field);
  case 5: return entries_read(f, PLACE_INT32, field);
  case 6: return entries_read(f, PLACE_STRING, field);
  case 7: return entries_read(f, PLACE_INT64, field);
  case 8: f->name = field->bytes; return field->wire == PB_BYTES;
  case 9:
    f->raw_len = field->bytes.len;
    return field->wire == PB_BYTES && once(&f->raw);
  case 10: return entries_read(f, PLACE_DOUBLE, field);
  case 11: return entries_read(f, PLACE_UINT64, field);
  case 13: f->external = true; return field->wire == PB_BYTES;
  case 14:
    if (field->value != 0) f->external = true;
    return field->wire == PB_VARINT && once(&f->location);
  default: return true;
  }
}

static enum code facts_read(struct walk *w, struct slice message, const char *role, struct facts *f)
{
  struct pb pb = pb_of(message);
  struct pb_field field;
  *f = (struct facts){.count = 1};
  while (pb_next(&pb, &field))
    if (!field_read(f, &field)) return walk_garbled(w, field.at, role);
  if (pb.at != pb.end) return walk_garbled(w, pb.at, role);
  if (f->external)
    return walk_fail(
        w, E_EXTERNAL_DATA_FORBIDDEN,
        "%s '%.*s' keeps its data in another file; save the model with all data inside", role,
        SLICE_ARG(f->name));
  if (f->segment)
    return walk_fail(w, E_MODEL_REJECTED, "%s '%.*s' is stored in segments", role,
                     SLICE_ARG(f->name));
  if (f->type >= KINDS || !kinds[f->type].name)
    return walk_fail(w, E_MODEL_REJECTED, "%s '%.*s' has the unknown data type %llu", role,
                     SLICE_ARG(f->name), (unsigned long long)f->type);
  return OK;
}

static uint64_t divided_up(uint64_t n, uint64_t by) { return n / by + (n % by != 0); }

static enum code facts_check(struct walk *w, const char *role, const struct facts *f)
{
  const struct kind *kind = &kinds[f->type];
  uint64_t want, got, bytes;
  const char *unit = "entries";
  if (f->huge || f->count > UINT64_MAX / 128 / 2)
    return walk_fail(w, E_MODEL_REJECTED, "%s '%.*s' declares more elements than can be counted",
                     role, SLICE_ARG(f->name));
  bytes = divided_up(f->count * kind->bits, 8);
  for (int p = 0; p < PLACES; p++)
    if (f->entries[p] && (f->raw || p != kind->place))
      return walk_fail(w, E_MODEL_REJECTED, "%s '%.*s' of type %s has data in %s%s", role,
                       SLICE_ARG(f->name), kind->name, place_names[p],
                       f->raw ? " and in raw_data" : "");
  if (f->raw) {
    want = bytes;
    got = f->raw_len;
    unit = "bytes";
    if (kind->place == PLACE_STRING)
      return walk_fail(w, E_MODEL_REJECTED, "%s '%.*s' has strings in raw_data", role,
                       SLICE_ARG(f->name));
  } else {
    want = divided_up(f->count * kind->per, kind->of);
    got = f->entries[kind->place];
  }
  if (want != got)
    return walk_fail(w, E_MODEL_REJECTED,
                     "%s '%.*s' declares %llu elements of %s, %llu %s, but has %llu", role,
                     SLICE_ARG(f->name), (unsigned long long)f->count, kind->name,
                     (unsigned long long)want, unit, (unsigned long long)got);
  w->sum->weight_bytes += kind->place == PLACE_STRING ? f->string_bytes : bytes;
  if (++w->sum->n_tensors > w->limits.tensors_max)
    return walk_fail(w, E_MODEL_REJECTED, "more than %u tensors", w->limits.tensors_max);
  return OK;
}

static enum code tensor_facts(struct walk *w, struct slice message, const char *role,
                              struct facts *f)
{
  if (facts_read(w, message, role, f)) return w->err->code;
  return facts_check(w, role, f);
}

enum code walk_tensor(struct walk *w, struct slice message, const char *role)
{
  struct facts f;
  return tensor_facts(w, message, role, &f);
}

enum code walk_sparse(struct walk *w, struct slice message, const char *role)
{
  struct pb pb = pb_of(message);
  struct pb_field field;
  struct facts values = {0}, indices = {0}, dense = {.count = 1};
  bool has_values = false, has_indices = false;
  while (pb_next(&pb, &field)) {
    bool fine = true;
    if (field.number == 1) {
      fine = field.wire == PB_BYTES && once(&has_values);
      if (fine && tensor_facts(w, field.bytes, role, &values)) return w->err->code;
    } else if (field.number == 2) {
      fine = field.wire == PB_BYTES && once(&has_indices);
      if (fine && tensor_facts(w, field.bytes, "indices of a sparse tensor", &indices))
        return w->err->code;
    } else if (field.number == 3) {
      fine = dims_read(&dense, &field);
    }
    if (!fine) return walk_garbled(w, field.at, role);
  }
  if (pb.at != pb.end) return walk_garbled(w, pb.at, role);
  bool flat = indices.rank == 1 && indices.dims[0] == values.count;
  bool deep = indices.rank == 2 && indices.dims[0] == values.count && indices.dims[1] == dense.rank;
  if (!has_values || !has_indices || values.rank != 1 || indices.type != 7 || (!flat && !deep) ||
      dense.huge || dense.count > INT64_MAX / 16 || values.count > dense.count)
    return walk_fail(w, E_MODEL_REJECTED, "%s '%.*s': values, indices and dims do not agree", role,
                     SLICE_ARG(values.name));
  return OK;
}
