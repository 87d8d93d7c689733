/* onnx_walk_int.h - what the files of the ONNX walk share: name tables, the walk.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#ifndef WIRE_ONNX_WALK_INT_H
#define WIRE_ONNX_WALK_INT_H

#include "wire/onnx_walk.h"
#include "wire/pb.h"

/* ---- names of values, one table for all graphs ---- */

enum { VALUE_INPUT = 1, VALUE_INITIALIZER = 2, VALUE_NODE = 4 };

struct value {
  struct slice name; /* at NULL: an empty place */
  uint64_t hash;
  uint32_t scope; /* number of the graph or function */
  /* 0: before all nodes; else one more than the index of the node that makes it */
  uint32_t defined;
  uint32_t kinds;
};

struct values {
  struct value *places;
  uint32_t n, cap; /* cap: a power of two */
};

/* Model-local functions and who calls them. */
struct function {
  struct slice domain, name, overload;
  uint64_t hash;
  uint32_t nodes;    /* of its own body */
  uint64_t expanded; /* with those of the functions it calls */
  uint32_t depth;
  uint32_t waits; /* calls to functions not yet expanded */
};

struct call_edge {
  uint32_t caller, callee; /* caller n_functions: the graphs outside functions */
};

/* ---- the walk ---- */

enum frame_kind {
  FRAME_MODEL,
  FRAME_TRAINING,
  FRAME_FUNCTION,
  FRAME_GRAPH,
  FRAME_NODE,
  FRAME_ATTRIBUTE
};

struct frame {
  struct pb pb;
  enum frame_kind kind;
  uint32_t scope;    /* GRAPH, FUNCTION: its number */
  uint32_t node;     /* GRAPH, FUNCTION: nodes begun */
  uint32_t index;    /* among its siblings, for messages */
  uint32_t seen;     /* ATTRIBUTE: singular members seen */
  struct slice name; /* NODE, FUNCTION, ATTRIBUTE: for messages */
};

/* MODEL, then FUNCTION or TRAINING, then three for each level of graphs. */
enum { FRAMES_MAX = 2 + 3 * ONNX_DEPTH_MAX + 2 };

struct walk {
  struct slice model;
  struct onnx_limits limits;
  struct onnx_summary *sum;
  struct arena *scratch;
  struct err *err;
  struct frame frames[FRAMES_MAX];
  uint32_t top;    /* frames in use */
  uint32_t scopes; /* graphs and functions numbered so far */
  struct values values;
  struct function *functions;
  uint32_t n_functions, function_cap;
  uint32_t *function_places; /* hash table: index + 1 */
  uint32_t function_mask;
  uint32_t body_of; /* the function being walked; n_functions outside */
  struct call_edge *edges;
  uint32_t n_edges, edge_cap;
};

/* Fills w->err with the place in the model; returns the code. */
enum code walk_fail(struct walk *w, enum code code, const char *fmt, ...) PRINTF(3, 4);
/* The bytes at `at` are not the protobuf they should be. */
enum code walk_garbled(struct walk *w, const char *at, const char *what);

/* One TensorProto: its facts checked, counted in the summary. `role` says what it is. */
enum code walk_tensor(struct walk *w, struct slice message, const char *role);
enum code walk_sparse(struct walk *w, struct slice message, const char *role);

/* Adds a value; E_MODEL_REJECTED when the scope has it already (an input may be an initializer
 * too). */
enum code value_define(struct walk *w, uint32_t scope, struct slice name, uint32_t defined,
                       uint32_t kind);
const struct value *value_find(const struct walk *w, uint32_t scope, struct slice name);

/* Reads all FunctionProto heads of the model. */
enum code functions_gather(struct walk *w);
/* Its index, or UINT32_MAX. */
uint32_t function_find(const struct walk *w, struct slice domain, struct slice name,
                       struct slice overload);
enum code function_called(struct walk *w, uint32_t callee);
/* After the walk: no function calls itself, and with all calls written out the limits hold. */
enum code functions_expand(struct walk *w);

#endif
