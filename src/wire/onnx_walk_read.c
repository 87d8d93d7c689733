/* onnx_walk_read.c - the protobuf wire format, and what else a file may be.
 * Thread: any, pure.
 * Source: protobuf encoding specification; magic numbers of the formats named.
 * SPDX-License-Identifier: MIT */
#include "wire/onnx_walk_int.h"

/* At most ten bytes, nothing beyond 64 bits. */
static bool varint_read(struct pb *pb, uint64_t *value)
{
  *value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    if (pb->at == pb->end) return false;
    uint64_t byte = (unsigned char)*pb->at++;
    if (shift == 63 && byte > 1) return false;
    *value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

bool pb_next(struct pb *pb, struct pb_field *field)
{
  if (pb->at == pb->end) return false;
  struct pb at = *pb;
  uint64_t tag, len;
  field->at = pb->at;
  field->bytes = SLICE_NONE;
  field->value = 0;
  if (!varint_read(&at, &tag) || tag > UINT32_MAX || tag >> 3 == 0) return false;
  field->number = (uint32_t)tag >> 3;
  field->wire = (uint32_t)tag & 7;
  switch (field->wire) {
  case PB_VARINT:
    if (!varint_read(&at, &field->value)) return false;
    break;
  case PB_BYTES:
    if (!varint_read(&at, &len) || len > (uint64_t)(at.end - at.at)) return false;
    field->bytes = slice_of(at.at, (size_t)len);
    at.at += len;
    break;
  case PB_FIXED64:
    if (at.end - at.at < 8) return false;
    at.at += 8;
    break;
  case PB_FIXED32:
    if (at.end - at.at < 4) return false;
    at.at += 4;
    break;
  default: return false; /* groups: ONNX never had any */
  }
  *pb = at;
  return true;
}

bool pb_packed_count(struct slice packed, uint64_t *count)
{
  uint64_t n = 0;
  unsigned run = 0;
  for (size_t i = 0; i < packed.len; i++) {
    bool more = (unsigned char)packed.at[i] >= 0x80;
    n += !more;
    run = more ? run + 1 : 0;
    if (run > 9) return false;
  }
  *count = n;
  return run == 0;
}

struct magic {
  size_t at;
  struct slice bytes;
  const char *what;
};

#define MAGIC(at, literal, what) {at, {literal, sizeof literal - 1}, what}
static const struct magic magics[] = {
    MAGIC(0, "\x80\x02", "a Python pickle (joblib, scikit-learn or old PyTorch)"),
    MAGIC(0, "\x80\x03", "a Python pickle (joblib, scikit-learn or old PyTorch)"),
    MAGIC(0, "\x80\x04", "a Python pickle (joblib, scikit-learn or old PyTorch)"),
    MAGIC(0, "\x80\x05", "a Python pickle (joblib, scikit-learn or old PyTorch)"),
    MAGIC(0, "ccopy_reg\n", "a Python pickle (joblib, scikit-learn or old PyTorch)"),
    MAGIC(0, "(dp", "a Python pickle (joblib, scikit-learn or old PyTorch)"),
    MAGIC(0, "(lp", "a Python pickle (joblib, scikit-learn or old PyTorch)"),
    MAGIC(0, "PK\x03\x04", "a zip archive (PyTorch .pt, Keras .keras, NumPy .npz)"),
    MAGIC(0, "PK\x05\x06", "an empty zip archive"),
    MAGIC(0, "\x89HDF\r\n\x1a\n", "an HDF5 file (Keras .h5)"),
    MAGIC(0, "GGUF", "a GGUF file"),
    MAGIC(0, "ggml", "a GGML file"),
    MAGIC(0, "\x93NUMPY", "a NumPy array"),
    MAGIC(0, "\x1f\x8b", "a gzip file; unpack it first"),
    MAGIC(0, "\x28\xb5\x2f\xfd", "a Zstandard file; unpack it first"),
    MAGIC(0, "\xfd" "7zXZ", "an xz file; unpack it first"),
    MAGIC(0, "BZh", "a bzip2 file; unpack it first"),
    MAGIC(0, "\x78\x9c", "a zlib stream (a compressed joblib file?)"),
    MAGIC(0, "\x78\x01", "a zlib stream (a compressed joblib file?)"),
    MAGIC(0, "\x78\xda", "a zlib stream (a compressed joblib file?)"),
    MAGIC(0, "ZF", "an old joblib file"),
    MAGIC(0, "\x7f" "ELF", "a program or shared library"),
    MAGIC(0, "MZ", "a program or shared library"),
    MAGIC(0, "CBM1", "a CatBoost model"),
    MAGIC(0, "binf", "an XGBoost model"),
    MAGIC(0, "tree\n", "a LightGBM model"),
    MAGIC(0, "PAR1", "a Parquet file"),
    MAGIC(0, "version https://git-lfs", "a Git LFS pointer; fetch the file itself"),
    MAGIC(4, "TFL3", "a TensorFlow Lite model"),
    MAGIC(4, "ORTM", "an ORT-format model; push the .onnx it was made from"),
    MAGIC(8, "{\"", "a safetensors file"),
    MAGIC(257, "ustar", "a tar archive"),
    MAGIC(0, "{", "a JSON text"),
    MAGIC(0, "<", "an HTML or XML text"),
};

/* saved_model.pb: schema version 1, then one long MetaGraphDef where ONNX has its producer's
 * name. */
static bool is_saved_model(struct slice model)
{
  struct pb pb = pb_of(model);
  struct pb_field version, graph;
  return pb_next(&pb, &version) && version.number == 1 && version.wire == PB_VARINT &&
         version.value == 1 && pb_next(&pb, &graph) && graph.number == 2 &&
         graph.wire == PB_BYTES && graph.bytes.len > 256;
}

const char *onnx_disguise(struct slice model)
{
  for (size_t i = 0; i < sizeof magics / sizeof *magics; i++)
    if (slice_starts(slice_from(model, magics[i].at), magics[i].bytes)) return magics[i].what;
  if (is_saved_model(model)) return "a TensorFlow SavedModel; convert it to ONNX first";
  return NULL;
}
