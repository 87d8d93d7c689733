/* onnx_walk.h - an ONNX file looked through before any engine sees it: bounded, without recursion.
 * Thread: any, pure. `scratch` holds the name tables (up to 250 bytes per initializer and node
 * output) and may be emptied after the summary has been used.
 *
 * The walk reads the protobuf wire format of a ModelProto and visits every TensorProto wherever one
 * can be: initializers, sparse initializers (values and indices), attributes (t, tensors, g,
 * graphs, sparse_tensor, sparse_tensors) of nodes and functions, functions, training info. For
 * each it demands
 *   - no external data: E_EXTERNAL_DATA_FORBIDDEN names the tensor; nothing is opened, ever
 *   - declared dimensions x width == bytes of data, with the product checked for overflow
 *   - exactly one place for the data, and one that fits the type
 * and of the file as a whole, with E_MODEL_REJECTED naming the thing or the byte offset:
 *   - well-formed protobuf to the last byte, an IR version and operator sets in the known range
 *   - operator domains from the allowed list
 *   - at most nodes_max nodes, depth_max levels of subgraphs, attributes_max attributes
 *   - no initializer name twice in a graph, no value defined twice, no node input that nobody
 *     defines
 * A file that is something else (pickle, zip or .pt, joblib, HDF5, SavedModel, safetensors, GGUF)
 * is named as what it is.
 * Unknown protobuf fields are skipped, as protobuf demands: later versions of the format add some.
 * Source: onnx.proto (IR version 13), the robustness rules, section 6.
 * SPDX-License-Identifier: MIT */
#ifndef WIRE_ONNX_WALK_H
#define WIRE_ONNX_WALK_H

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

enum { ONNX_OPSETS_MAX = 16, ONNX_DEPTH_MAX = 16, ONNX_NAMES_MAX = 64 };

/* A zero means the default in the comment. */
struct onnx_limits {
  uint64_t bytes_max;       /* 2 GiB */
  uint32_t nodes_max;       /* 1,000,000, of all graphs and functions together */
  uint32_t depth_max;       /* 16 levels of graphs in attributes; at most 16 */
  uint32_t attributes_max;  /* 8,000,000 in all */
  uint32_t tensors_max;     /* 4,000,000 in all */
  uint32_t values_max;      /* 4,000,000 named values in all */
  const struct slice *domains; /* operator domains allowed besides the built-in ones */
  uint32_t n_domains;
  unsigned char hash_key[16]; /* for the name tables; from base/rand.h where files are hostile */
};

struct onnx_opset {
  struct slice domain; /* "" is ai.onnx */
  int64_t version;
};

struct onnx_summary {
  int64_t ir_version, model_version;
  struct slice producer, producer_version, domain, graph_name; /* views into the model */
  struct onnx_opset opsets[ONNX_OPSETS_MAX];
  uint32_t n_opsets;
  uint32_t n_nodes, n_tensors, n_graphs, n_functions, n_attributes;
  uint32_t depth;         /* deepest nesting seen; 1: the main graph alone */
  uint64_t weight_bytes;  /* data bytes of all tensors */
  struct slice inputs[ONNX_NAMES_MAX]; /* of the main graph, those with an initializer left out */
  struct slice outputs[ONNX_NAMES_MAX];
  uint32_t n_inputs, n_outputs; /* as counted; names past ONNX_NAMES_MAX are not kept */
};

/* limits may be NULL: all defaults. On failure err->field names the place where known
 * ("graph.node[3]" or "byte 1234"); the summary then holds what was seen so far. */
CHECKED enum code onnx_walk(struct slice model, const struct onnx_limits *limits,
                            struct arena *scratch, struct onnx_summary *summary, struct err *err);

/* What a file is by its first bytes when it is not ONNX: "a Python pickle"; NULL when nothing
 * known. */
const char *onnx_disguise(struct slice model);

#endif
