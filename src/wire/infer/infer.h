/* infer.h - the V2 inference request and its answer: JSON and binary tensors over HTTP.
 * Thread: any, pure: bytes in, structs out; memory only from the given arena; no recursion.
 *
 * The way of a request:
 *   infer_split   body + Inference-Header-Content-Length -> JSON part, binary tail
 *   infer_read    both -> struct infer_request        (or infer_raw when the header says 0)
 *   infer_bind    request x contract: names, datatypes, shapes, rows; inputs in the model's order
 *   ... the model runs ...
 *   infer_pick    outputs asked for, in the order asked, each JSON or binary
 *   infer_write   -> JSON text and views of the binary parts, for writev
 *
 * Memory: JSON numbers go straight into typed little-endian arena memory. Binary tensors are views
 * of the body (read only, though tensor.data is void *); where one is not aligned to its datatype's
 * width it is copied to the arena. A caller that lays the first byte after the JSON part at an
 * address divisible by 8 spares that copy for the first tensor and usually for all.
 * All slices of a request are views of the body or of the arena: both must outlive it.
 *
 * Errors name the tensor and the element, err->field the place ("inputs[0].data[7]"):
 *   E_BAD_JSON E_JSON_TOO_DEEP E_DUPLICATE_KEY   not JSON as we read it (wire/json.h)
 *   E_WRONG_TYPE          a member or element of another kind: 3.7, true or "1" into INT32
 *   E_VALUE_OUT_OF_RANGE  300 into UINT8, 1e39 into FP32, -1 as a timeout, a binary BOOL of 2
 *   E_BAD_SHAPE           missing, negative, too large; ragged data; values do not fill the shape
 *   E_BAD_SIZE            binary_data_size against shape, body, or the BYTES inside; left-over
 *   bytes
 *   E_BAD_DATATYPE        unknown; FP16 and BF16 as JSON; not what the model has
 *   E_RESERVED_PARAMETER  triton_..., slipway_... but _debug, _cache; headers, shared_memory_...
 *   E_UNKNOWN_TENSOR      an input or output the model does not have
 *   E_INVALID_ARGUMENT    a member missing, a name twice, too many tensors or parameters, header
 *   text
 *   E_OUT_OF_MEMORY       the arena's cap
 * Source: Open Inference Protocol V2; Triton's binary tensor, classification, parameters and
 * schedule-policy extensions; the wire contract sections 2, 4 and 11.
 * SPDX-License-Identifier: MIT */
#ifndef WIRE_INFER_INFER_H
#define WIRE_INFER_INFER_H

#include "base/arena.h"
#include "base/contract.h"
#include "base/tensor.h"

enum { INFER_ID_MAX = 256, INFER_PARAMS_MAX = 64, INFER_CLASSES_MAX = 1000000 };

enum infer_form { INFER_UNSAID = 0, INFER_JSON, INFER_BINARY };

/* An output the caller named. */
struct infer_ask {
  struct slice name;
  enum infer_form form;    /* its parameter binary_data; UNSAID: binary_data_output decides */
  uint32_t classification; /* the best n of the last dimension as strings; 0: the tensor itself */
  uint32_t index;          /* in contract->outputs, once bound */
};

enum infer_param_kind { INFER_PARAM_STRING, INFER_PARAM_NUMBER, INFER_PARAM_BOOL };

/* What a request lets the prediction cache do. REFRESH: its answer is kept, but none is taken. */
enum infer_cache { INFER_CACHE_USE, INFER_CACHE_REFRESH, INFER_CACHE_NEVER };

/* A request parameter that means nothing to us: kept for logging. */
struct infer_param {
  struct slice key, value; /* value: the unescaped string, the number's token, "true" or "false" */
  enum infer_param_kind kind;
};

struct infer_request {
  struct slice id; /* len 0: none ("" counts as none) */
  struct tensor *inputs;
  uint32_t n_inputs;
  struct infer_ask *outputs; /* none: all of the model's, in its order */
  uint32_t n_outputs;
  bool binary_data_output;
  bool debug; /* parameter slipway_debug */
  enum infer_cache cache; /* parameter slipway_cache: "use", "refresh", "never" */
  bool sequence_start, sequence_end;
  uint64_t sequence_number;   /* 0: none, or a name */
  struct slice sequence_name; /* len 0: none, or a number */
  uint64_t priority;          /* 0: the model's default; 1 highest */
  uint64_t timeout_us;        /* 0: none */
  struct infer_param *others;
  uint32_t n_others;
};

/* Splits a body. header is the value of Inference-Header-Content-Length, at NULL when absent (then
 * the whole body is JSON). *raw: the value is 0, the body is the single input's bytes: infer_raw.
 * E_INVALID_ARGUMENT: no whole number below 2^63; E_BAD_SIZE: more than the body. */
CHECKED enum code infer_split(struct slice body, struct slice header, struct slice *json,
                              struct slice *tail, bool *raw, struct err *err);

/* Reads a request; checks all that needs no model. Every member of *request is set. Unknown members
 * are ignored; null counts as absent for id, parameters, outputs and data. */
CHECKED enum code infer_read(struct arena *arena, struct slice json, struct slice tail,
                             struct infer_request *request, struct err *err);

/* A raw request: the body is the model's one input, batch 1; its one free dimension follows from
 * the size (BYTES: the body is the one element, copied to the arena). All outputs are asked
 * binary. */
CHECKED enum code infer_raw(struct arena *arena, const struct contract *contract, struct slice body,
                            struct infer_request *request, struct err *err);

/* Checks a request against what the model takes and gives, and puts inputs into the model's order:
 * inputs[i] then belongs to contract->inputs[i] and n_inputs is the contract's; an optional input
 * that was not sent has dtype DT_NONE. Sets outputs[i].index. *rows: dimension 0 where the model
 * batches (equal in all inputs), else 1. Also refuses, before anything runs, FP16 and BF16 outputs
 * that would have to go out as JSON. Call once. */
CHECKED enum code infer_bind(struct arena *arena, const struct contract *contract,
                             struct infer_request *request, uint64_t *rows, struct err *err);

/* ---- the answer */

struct infer_output {
  const struct tensor *tensor; /* its name is the one answered */
  enum infer_form form;        /* INFER_BINARY, or else JSON */
  uint32_t classification;     /* 0: the tensor itself */
  const struct slice *labels;  /* class names, or NULL */
  uint32_t n_labels;
};

struct infer_answer {
  struct slice model_name, model_version;
  struct slice id;         /* len 0: the member is left out */
  struct slice parameters; /* the text of a JSON object, or len 0: the member is left out */
  struct infer_output *outputs;
  uint32_t n_outputs;
};

/* Fills answer->outputs and n_outputs: what a bound request asked for, of `outputs`, which holds
 * contract->n_outputs tensors in the contract's order. The other members are the caller's. */
CHECKED enum code infer_pick(struct arena *arena, const struct contract *contract,
                             const struct infer_request *request, const struct tensor *outputs,
                             struct infer_answer *answer, struct err *err);

struct infer_body {
  struct slice json;
  struct slice *parts; /* to be sent after json, in this order: views of the tensors, no copies */
  uint32_t n_parts;    /* empty tensors have none */
  size_t bytes;        /* of json and parts: Content-Length */
  bool binary; /* Content-Type application/octet-stream and Inference-Header-Content-Length =
                          json.len; false: application/json and no such header */
};

/* Floats are the shortest text that reads back, INT64 exact, not-finite ones the strings "NaN",
 * "Infinity", "-Infinity". Classification: "value:index[:label]" over the last dimension, best
 * first, ties by index, NaN last.
 * E_BAD_DATATYPE: FP16 or BF16 as JSON, classes of BYTES; E_BAD_MODEL_OUTPUT: BYTES that are not
 * UTF-8 as JSON. */
CHECKED enum code infer_write(struct arena *arena, const struct infer_answer *answer,
                              struct infer_body *body, struct err *err);

#endif
