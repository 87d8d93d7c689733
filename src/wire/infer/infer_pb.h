/* infer_pb.h - the V2 inference request and its answer as gRPC carries them: protobuf messages
 * ModelInferRequest and ModelInferResponse. The structs are those of infer.h, so what
 * comes after (infer_bind, the run, infer_pick) is the same whatever way a request came.
 * Thread: any, pure: bytes in, structs out; memory only from the given arena; no recursion.
 *
 * Tensors come raw (raw_input_contents, one entry for each input, in order) or typed (contents of
 * each), for the whole request one way. Raw entries, and FP32 and FP64 packed in one piece, are
 * views of the message; where one is not aligned to its datatype's width it is copied to the arena,
 * once. Everything else typed is converted into arena memory.
 * Answers are always raw, one entry for each output, in order: tritonclient finds them by position.
 *
 * Unknown fields are skipped. Repeated numbers are read packed and one by one; a member given twice
 * counts as its last, as protobuf has it. Names and ids are UTF-8.
 *   E_INVALID_ARGUMENT    not protobuf, or a member of another wire type; raw and typed; a name
 *                         twice or missing; too many tensors or parameters
 *   E_BAD_SIZE            raw entries against inputs or shape; typed values against shape
 *   E_WRONG_TYPE          typed values of another datatype's member
 *   E_BAD_DATATYPE        unknown; FP16 and BF16 typed
 *   E_VALUE_OUT_OF_RANGE, E_BAD_SHAPE, E_BAD_NAME, E_RESERVED_PARAMETER, E_OUT_OF_MEMORY: as in
 *   infer.h
 * Source: inference.GRPCInferenceService (Open Inference Protocol V2, "GRPC"); Triton's
 * classification and parameters extensions; the wire contract, section 6.
 * SPDX-License-Identifier: MIT */
#ifndef WIRE_INFER_INFER_PB_H
#define WIRE_INFER_INFER_PB_H

#include "wire/infer/infer.h"

struct infer_pb_target {
  struct slice model_name, model_version; /* version len 0: the server chooses */
};

/* Reads a ModelInferRequest; checks all that needs no model. Every member of *target and *request
 * is set. What it points to lies in the message or in the arena. */
CHECKED enum code infer_pb_read(struct arena *arena, struct slice message,
                                struct infer_pb_target *target, struct infer_request *request,
                                struct err *err);

struct infer_pb_body {
  struct slice *parts; /* to be sent in this order: heads, and views of the tensors, no copies */
  uint32_t n_parts;
  size_t bytes; /* of all parts, without `front` */
};

/* Writes a ModelInferResponse. The first part begins with `front` bytes left for the caller's own
 * (a frame's prefix). answer->parameters become InferParameters: whole numbers int64_param, other
 * numbers double_param. Outputs with classification are BYTES.
 * E_BAD_DATATYPE: classes of BYTES. */
CHECKED enum code infer_pb_write(struct arena *arena, const struct infer_answer *answer,
                                 size_t front, struct infer_pb_body *body, struct err *err);

#endif
