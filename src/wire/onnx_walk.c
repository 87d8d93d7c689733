/* onnx_walk.c - the walk itself: a stack of frames, one per message being read.
 * Thread: any, pure.
 *
 *   MODEL -> graph -> NODE -> ATTRIBUTE -> GRAPH -> NODE ...    up to depth_max graphs deep
 *     |-> TRAINING -> GRAPH ...   |-> FUNCTION -> NODE ...
 *
 * Names. On entering a graph all its values are entered into one table under the graph's number:
 * inputs and initializers as defined before all nodes, outputs of node i by i. Then nodes are read
 * in order and each input is looked for here and in the graphs around, where it must have been
 * defined before. ONNX demands that order, and it makes cycles impossible.
 * SPDX-License-Identifier: MIT */
#include "wire/onnx_walk.h"

#include <stdarg.h>
#include <stdio.h>

#include "wire/onnx_walk_int.h"

enum { IR_VERSION_MAX = 16, OPSET_MAX = 64, NO_SCOPE = 0 };

static const struct slice known_domains[] = {
    {"", 0}, {"ai.onnx", 7}, {"ai.onnx.ml", 10}, {"ai.onnx.training", 16},
    {"ai.onnx.preview.training", 24}, {"com.microsoft", 13},
};

/* ---- errors ---- */

static void place_name(const struct walk *w, char to[ERR_FIELD_MAX])
{
  size_t len = 0;
  to[0] = '\0';
  for (uint32_t i = 1; i < w->top && len < ERR_FIELD_MAX; i++) {
    const struct frame *f = &w->frames[i];
    const char *dot = len ? "." : "";
    char *at = to + len;
    size_t cap = ERR_FIELD_MAX - len;
    int n = 0;
    switch (f->kind) {
    case FRAME_MODEL: break;
    case FRAME_TRAINING: n = snprintf(at, cap, "%straining_info[%u]", dot, f->index); break;
    case FRAME_FUNCTION: n = snprintf(at, cap, "%sfunctions[%u]", dot, f->index); break;
    case FRAME_GRAPH: n = snprintf(at, cap, "%sgraph", dot); break;
    case FRAME_NODE: n = snprintf(at, cap, "%snode[%u]", dot, f->index); break;
    case FRAME_ATTRIBUTE: n = snprintf(at, cap, "%sattribute[%u]", dot, f->index); break;
    }
    len += n > 0 ? (size_t)n : 0;
  }
}

enum code walk_fail(struct walk *w, enum code code, const char *fmt, ...)
{
  char text[ERR_TEXT_MAX], place[ERR_FIELD_MAX];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  fail(w->err, code, "%s", text);
  place_name(w, place);
  return fail_at(w->err, "%s", place);
}

enum code walk_garbled(struct walk *w, const char *at, const char *what)
{
  unsigned long long offset = (unsigned long long)(at - w->model.at);
  fail(w->err, E_MODEL_REJECTED, "the model is damaged or cut off: no proper %s at byte %llu", what,
       offset);
  return fail_at(w->err, "byte %llu", offset);
}

/* ---- frames ---- */

static struct frame *frame_push(struct walk *w, enum frame_kind kind, struct slice message,
                                uint32_t index)
{
  must(w->top < FRAMES_MAX);
  struct frame *f = &w->frames[w->top++];
  *f = (struct frame){.pb = pb_of(message), .kind = kind, .index = index};
  return f;
}

static bool is_scope(const struct frame *f)
{
  return f->kind == FRAME_GRAPH || f->kind == FRAME_FUNCTION;
}

/* ---- what a graph defines ---- */

/* Enters the value whose name is in that field of the message. */
static enum code named_define(struct walk *w, uint32_t scope, struct slice message, uint32_t number,
                              uint32_t kind)
{
  bool input = kind == VALUE_INPUT;
  struct pb pb = pb_of(message);
  struct pb_field field;
  struct slice name = SLICE_NONE;
  while (pb_next(&pb, &field))
    if (field.number == number) name = field.bytes;
  if (pb.at != pb.end) return walk_garbled(w, pb.at, input ? "graph input" : "initializer");
  if (!name.len)
    return walk_fail(w, E_MODEL_REJECTED, "%s without a name",
                     input ? "a graph input" : "an initializer");
  return value_define(w, scope, name, 0, kind);
}

static enum code initializer_define(struct walk *w, uint32_t scope, struct slice tensor)
{
  return named_define(w, scope, tensor, 8, VALUE_INITIALIZER);
}

static enum code sparse_define(struct walk *w, uint32_t scope, struct slice sparse)
{
  struct pb pb = pb_of(sparse);
  struct pb_field field;
  while (pb_next(&pb, &field))
    if (field.number == 1 && field.wire == PB_BYTES)
      return initializer_define(w, scope, field.bytes);
  return walk_garbled(w, sparse.at, "sparse initializer");
}

static enum code outputs_define(struct walk *w, uint32_t scope, struct slice node, uint32_t index)
{
  struct pb pb = pb_of(node);
  struct pb_field field;
  while (pb_next(&pb, &field)) {
    if (field.number != 2 || !field.bytes.len) continue; /* "": an output nobody wants */
    if (value_define(w, scope, field.bytes, index + 1, VALUE_NODE)) return w->err->code;
  }
  return pb.at == pb.end ? OK : walk_garbled(w, pb.at, "node");
}

/* First look at a graph or function: numbers it and enters its values. */
static enum code scope_declare(struct walk *w, struct frame *f)
{
  bool graph = f->kind == FRAME_GRAPH;
  uint32_t node_field = graph ? 1 : 7, nodes = 0;
  f->scope = ++w->scopes;
  struct pb pb = f->pb;
  struct pb_field field;
  while (pb_next(&pb, &field)) {
    enum code code = OK;
    bool bytes = field.wire == PB_BYTES;
    if (field.number == node_field) {
      if (!bytes) return walk_garbled(w, field.at, "node");
      code = outputs_define(w, f->scope, field.bytes, nodes++);
      if (!code && nodes > w->limits.nodes_max)
        code = walk_fail(w, E_MODEL_REJECTED, "more than %u nodes", w->limits.nodes_max);
    } else if (graph && (field.number == 5 || field.number == 11 || field.number == 15)) {
      if (!bytes) return walk_garbled(w, field.at, "graph");
      if (field.number == 5) code = initializer_define(w, f->scope, field.bytes);
      else if (field.number == 11) code = named_define(w, f->scope, field.bytes, 1, VALUE_INPUT);
      else code = sparse_define(w, f->scope, field.bytes);
    } else if (!graph && field.number == 4) {
      if (!bytes) return walk_garbled(w, field.at, "function");
      code = value_define(w, f->scope, field.bytes, 0, VALUE_INPUT);
    }
    if (code) return code;
  }
  return pb.at == pb.end ? OK : walk_garbled(w, pb.at, graph ? "graph" : "function");
}

/* Whether name has been defined where the frame below `top` stands, in it or around it. */
static bool value_known(const struct walk *w, struct slice name, uint32_t top)
{
  bool training = false;
  for (uint32_t i = top; i-- > 0;) {
    const struct frame *f = &w->frames[i];
    training |= f->kind == FRAME_TRAINING;
    if (!is_scope(f)) continue;
    const struct value *v = value_find(w, f->scope, name);
    /* f->node counts the nodes begun, the one being read included; defined is one more than an
     * index: so "less" means an earlier node. */
    if (v && (v->defined == 0 || v->defined < f->node)) return true;
    if (f->kind == FRAME_FUNCTION) return false;
  }
  return training && value_find(w, 1, name); /* training graphs see the main graph, which is 1 */
}

/* ---- visiting ---- */

static enum code graph_push(struct walk *w, const struct pb_field *field)
{
  uint32_t depth = 1;
  for (uint32_t i = 0; i < w->top; i++) depth += is_scope(&w->frames[i]);
  if (depth > w->limits.depth_max)
    return walk_fail(w, E_MODEL_REJECTED, "graphs inside graphs more than %u deep",
                     w->limits.depth_max);
  if (depth > w->sum->depth) w->sum->depth = depth;
  w->sum->n_graphs++;
  struct frame *f = frame_push(w, FRAME_GRAPH, field->bytes, 0);
  return scope_declare(w, f);
}

/* op_type, domain: is the operator one that may be here? */
static enum code operator_check(struct walk *w, struct slice node)
{
  struct slice op = SLICE_NONE, domain = {"", 0}, overload = SLICE_NONE;
  struct pb pb = pb_of(node);
  struct pb_field field;
  while (pb_next(&pb, &field)) {
    if (field.number == 4) op = field.bytes;
    if (field.number == 7) domain = field.bytes;
    if (field.number == 8) overload = field.bytes;
  }
  if (!op.len) return walk_fail(w, E_MODEL_REJECTED, "a node without an operator");
  uint32_t function = function_find(w, domain, op, overload);
  if (function != UINT32_MAX) return function_called(w, function);
  bool known = false;
  for (size_t i = 0; i < sizeof known_domains / sizeof *known_domains; i++)
    known |= slice_eq(domain, known_domains[i]);
  for (uint32_t i = 0; i < w->limits.n_domains; i++)
    known |= slice_eq(domain, w->limits.domains[i]);
  if (!known)
    return walk_fail(w, E_MODEL_REJECTED,
                     "operator '%.*s' is of the domain '%.*s', which is not allowed", SLICE_ARG(op),
                     SLICE_ARG(domain));
  if (slice_eq(op, SLICE("EPContext"))) /* names a compiled file to be opened */
    return walk_fail(w, E_MODEL_REJECTED, "operator 'EPContext' is not allowed");
  return OK;
}

static enum code node_push(struct walk *w, const struct pb_field *field)
{
  struct frame *scope = &w->frames[w->top - 1];
  struct frame *f = frame_push(w, FRAME_NODE, field->bytes, scope->node++);
  f->node = 0; /* attributes seen */
  if (++w->sum->n_nodes > w->limits.nodes_max)
    return walk_fail(w, E_MODEL_REJECTED, "more than %u nodes", w->limits.nodes_max);
  if (w->body_of < w->n_functions) w->functions[w->body_of].nodes++;
  return operator_check(w, field->bytes);
}

static enum code attribute_push(struct walk *w, const struct pb_field *field)
{
  struct frame *owner = &w->frames[w->top - 1];
  uint32_t index = owner->kind == FRAME_NODE ? owner->node++ : owner->seen++;
  frame_push(w, FRAME_ATTRIBUTE, field->bytes, index);
  if (++w->sum->n_attributes > w->limits.attributes_max)
    return walk_fail(w, E_MODEL_REJECTED, "more than %u attributes", w->limits.attributes_max);
  return OK;
}

/* A graph's output must be a value of the graph (or of one around it). */
static enum code output_check(struct walk *w, const struct pb_field *info)
{
  struct pb pb = pb_of(info->bytes);
  struct pb_field field;
  struct slice name = SLICE_NONE;
  while (pb_next(&pb, &field))
    if (field.number == 1) name = field.bytes;
  if (pb.at != pb.end) return walk_garbled(w, pb.at, "graph output");
  const struct frame *f = &w->frames[w->top - 1];
  if (!value_find(w, f->scope, name) && !value_known(w, name, w->top))
    return walk_fail(w, E_MODEL_REJECTED, "graph output '%.*s' is made by no node",
                     SLICE_ARG(name));
  if (f->scope != 1) return OK;
  if (w->sum->n_outputs < ONNX_NAMES_MAX) w->sum->outputs[w->sum->n_outputs] = name;
  w->sum->n_outputs++;
  return OK;
}

static void input_note(struct walk *w, const struct pb_field *info)
{
  struct pb pb = pb_of(info->bytes);
  struct pb_field field;
  struct slice name = SLICE_NONE;
  while (pb_next(&pb, &field))
    if (field.number == 1) name = field.bytes;
  const struct value *v = value_find(w, 1, name);
  if (v && v->kinds & VALUE_INITIALIZER) return;
  if (w->sum->n_inputs < ONNX_NAMES_MAX) w->sum->inputs[w->sum->n_inputs] = name;
  w->sum->n_inputs++;
}

static enum code graph_field(struct walk *w, struct frame *f, const struct pb_field *field)
{
  switch (field->number) {
  case 1: return node_push(w, field);
  case 2:
    if (f->scope == 1) w->sum->graph_name = field->bytes;
    return OK;
  case 5: return walk_tensor(w, field->bytes, "initializer");
  case 11:
    if (f->scope == 1) input_note(w, field);
    return OK;
  case 12:
    if (field->wire != PB_BYTES) return walk_garbled(w, field->at, "graph output");
    return output_check(w, field);
  case 15: return walk_sparse(w, field->bytes, "sparse initializer");
  default: return OK;
  }
}

static enum code node_field(struct walk *w, const struct pb_field *field)
{
  if (field->number == 5) {
    if (field->wire != PB_BYTES) return walk_garbled(w, field->at, "attribute");
    return attribute_push(w, field);
  }
  if (field->number != 1 || !field->bytes.len) return OK; /* "": an input left out */
  const struct frame *scope = &w->frames[w->top - 2];
  if (value_known(w, field->bytes, w->top - 1)) return OK;
  bool later = value_find(w, scope->scope, field->bytes) != NULL;
  return walk_fail(
      w, E_MODEL_REJECTED,
      later ? "input '%.*s' is made by a later node: the nodes are in a cycle or not in order"
            : "input '%.*s' is defined nowhere",
      SLICE_ARG(field->bytes));
}

static enum code function_field(struct walk *w, const struct frame *f, const struct pb_field *field)
{
  if (field->number == 7) return node_push(w, field);
  if (field->number == 5 && !value_find(w, f->scope, field->bytes))
    return walk_fail(w, E_MODEL_REJECTED, "function output '%.*s' is made by no node",
                     SLICE_ARG(field->bytes));
  if (field->number != 11) return OK;
  if (field->wire != PB_BYTES) return walk_garbled(w, field->at, "attribute");
  return attribute_push(w, field);
}

static enum code attribute_field(struct walk *w, struct frame *f, const struct pb_field *field)
{
  static const struct { uint32_t number; bool single; } parts[] = {
      {5, true}, {6, true}, {10, false}, {11, false}, {22, true}, {23, false}};
  uint32_t i = 0;
  while (i < sizeof parts / sizeof *parts && parts[i].number != field->number) i++;
  if (i == sizeof parts / sizeof *parts) return OK;
  if (field->wire != PB_BYTES || (parts[i].single && f->seen & 1u << i))
    return walk_garbled(w, field->at, "attribute");
  f->seen |= 1u << i;
  if (field->number == 5 || field->number == 10)
    return walk_tensor(w, field->bytes, "tensor attribute");
  if (field->number == 6 || field->number == 11) return graph_push(w, field);
  return walk_sparse(w, field->bytes, "sparse tensor attribute");
}

static enum code training_field(struct walk *w, const struct pb_field *field)
{
  if (field->number != 1 && field->number != 2) return OK;
  if (field->wire != PB_BYTES) return walk_garbled(w, field->at, "training graph");
  return graph_push(w, field);
}

/* Reads frames until the one at `floor` is done. */
static enum code walk_down(struct walk *w, uint32_t floor)
{
  while (w->top > floor) {
    struct frame *f = &w->frames[w->top - 1];
    struct pb_field field;
    if (!pb_next(&f->pb, &field)) {
      if (f->pb.at != f->pb.end) return walk_garbled(w, f->pb.at, "field");
      w->top--;
      continue;
    }
    enum code code = OK;
    switch (f->kind) {
    case FRAME_MODEL: must(false); break;
    case FRAME_TRAINING: code = training_field(w, &field); break;
    case FRAME_FUNCTION: code = function_field(w, f, &field); break;
    case FRAME_GRAPH: code = graph_field(w, f, &field); break;
    case FRAME_NODE: code = node_field(w, &field); break;
    case FRAME_ATTRIBUTE: code = attribute_field(w, f, &field); break;
    }
    if (code) return code;
  }
  return OK;
}

/* ---- what else a file may be ---- */

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

/* ---- the model ---- */

static enum code opset_read(struct walk *w, const struct pb_field *message)
{
  struct onnx_opset opset = {{"", 0}, 0};
  struct pb pb = pb_of(message->bytes);
  struct pb_field field;
  while (pb_next(&pb, &field)) {
    if (field.number == 1) opset.domain = field.bytes;
    if (field.number == 2) opset.version = (int64_t)field.value;
  }
  if (message->wire != PB_BYTES || pb.at != pb.end) return walk_garbled(w, message->at, "opset");
  if (opset.version < 1 || opset.version > OPSET_MAX)
    return walk_fail(w, E_MODEL_REJECTED, "operator set '%.*s' has the version %lld",
                     SLICE_ARG(opset.domain), (long long)opset.version);
  if (w->sum->n_opsets == ONNX_OPSETS_MAX)
    return walk_fail(w, E_MODEL_REJECTED, "more than %d operator sets", ONNX_OPSETS_MAX);
  for (uint32_t i = 0; i < w->sum->n_opsets; i++)
    if (slice_eq(w->sum->opsets[i].domain, opset.domain))
      return walk_fail(w, E_MODEL_REJECTED, "operator set '%.*s' is imported twice",
                       SLICE_ARG(opset.domain));
  w->sum->opsets[w->sum->n_opsets++] = opset;
  return OK;
}

/* All fields of the model but the graphs; *graph is where the main one is. */
static enum code model_fields(struct walk *w, struct pb_field *graph)
{
  struct pb pb = pb_of(w->model);
  struct pb_field field;
  struct onnx_summary *sum = w->sum;
  graph->at = NULL;
  while (pb_next(&pb, &field)) {
    switch (field.number) {
    case 1:
      if (field.wire != PB_VARINT) return walk_garbled(w, field.at, "IR version");
      sum->ir_version = (int64_t)field.value;
      break;
    case 2: sum->producer = field.bytes; break;
    case 3: sum->producer_version = field.bytes; break;
    case 4: sum->domain = field.bytes; break;
    case 5: sum->model_version = (int64_t)field.value; break;
    case 7:
      if (graph->at || field.wire != PB_BYTES) return walk_garbled(w, field.at, "graph");
      *graph = field;
      break;
    case 8:
      if (opset_read(w, &field)) return w->err->code;
      break;
    case 20:
    case 25:
      if (field.wire != PB_BYTES) return walk_garbled(w, field.at, "function");
      break;
    default: break;
    }
  }
  if (pb.at != pb.end) return walk_garbled(w, pb.at, "field of a model");
  if (!graph->at)
    return walk_fail(w, E_MODEL_REJECTED, "the file holds no graph: not an ONNX model");
  if (sum->ir_version < 1 || sum->ir_version > IR_VERSION_MAX)
    return walk_fail(w, E_MODEL_REJECTED, "the IR version is %lld, known are 1 to %d",
                     (long long)sum->ir_version, IR_VERSION_MAX);
  if (sum->ir_version >= 3 && !sum->n_opsets)
    return walk_fail(w, E_MODEL_REJECTED, "no operator set is imported");
  return OK;
}

static enum code others_walk(struct walk *w)
{
  struct pb pb = pb_of(w->model);
  struct pb_field field;
  uint32_t functions = 0, trainings = 0;
  while (pb_next(&pb, &field)) {
    if (field.number == 25) {
      w->body_of = functions;
      struct frame *f = frame_push(w, FRAME_FUNCTION, field.bytes, functions++);
      w->sum->n_functions++;
      if (scope_declare(w, f) || walk_down(w, 1)) return w->err->code;
      w->body_of = w->n_functions;
    } else if (field.number == 20) {
      frame_push(w, FRAME_TRAINING, field.bytes, trainings++);
      if (walk_down(w, 1)) return w->err->code;
    }
  }
  return OK;
}

static enum code model_walk(struct walk *w)
{
  struct pb_field graph;
  frame_push(w, FRAME_MODEL, w->model, 0);
  if (model_fields(w, &graph) || functions_gather(w)) return w->err->code;
  w->body_of = w->n_functions;
  if (graph_push(w, &graph) || walk_down(w, 1)) return w->err->code;
  if (others_walk(w)) return w->err->code;
  return functions_expand(w);
}

static uint32_t or_else(uint32_t value, uint32_t normal) { return value ? value : normal; }

enum code onnx_walk(struct slice model, const struct onnx_limits *limits, struct arena *scratch,
                    struct onnx_summary *summary, struct err *err)
{
  static const struct onnx_limits none;
  struct walk w = {.model = model, .sum = summary, .scratch = scratch, .err = err};
  *summary = (struct onnx_summary){0};
  w.limits = limits ? *limits : none;
  if (!w.limits.bytes_max) w.limits.bytes_max = UINT64_C(1) << 31;
  w.limits.nodes_max = or_else(w.limits.nodes_max, 1000000);
  w.limits.depth_max = or_else(w.limits.depth_max, ONNX_DEPTH_MAX);
  w.limits.attributes_max = or_else(w.limits.attributes_max, 8000000);
  w.limits.tensors_max = or_else(w.limits.tensors_max, 4000000);
  w.limits.values_max = or_else(w.limits.values_max, 4000000);
  must(w.limits.depth_max <= ONNX_DEPTH_MAX);
  if (!model.len) return fail(err, E_MODEL_REJECTED, "the model file is empty");
  if (model.len > w.limits.bytes_max)
    return fail(err, E_MODEL_REJECTED, "the model file has %zu bytes, at most %llu are taken",
                model.len, (unsigned long long)w.limits.bytes_max);
  const char *other = onnx_disguise(model);
  if (other) return fail(err, E_MODEL_REJECTED, "the file is no ONNX model but %s", other);
  return model_walk(&w);
}
