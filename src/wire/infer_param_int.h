/* infer_param_int.h - parameters of requests, inputs and outputs, and binary tensors: the parts of
 * reading a request that know nothing of its layout. For wire/infer_*.c only.
 * Thread: any, pure.
 * Source: Triton's parameters extension; the wire contract section 2.
 * SPDX-License-Identifier: MIT */
#ifndef WIRE_INFER_PARAM_INT_H
#define WIRE_INFER_PARAM_INT_H

#include "wire/infer.h"
#include "wire/json.h"

/* Steps into a parameters object; null is an empty one (*n becomes UINT32_MAX). *n counts. */
CHECKED enum code params_begin(struct json *json, uint32_t *n);
/* The next parameter; false at the end, or with *code set. */
bool param_next(struct json *json, struct infer_param *param, uint32_t *n, enum code *code);

/* Keys that would change what we do behind the caller's back, were they ignored. */
bool param_is_reserved(struct slice key);
enum code param_refuse(const struct infer_param *param, struct err *err);
enum code param_wrong(const struct infer_param *param, const char *wanted, struct err *err);
CHECKED enum code param_bool(const struct infer_param *param, bool *value, struct err *err);
CHECKED enum code param_u64(const struct infer_param *param, uint64_t max, uint64_t *value,
                            struct err *err);

/* The request's own parameters object, which json stands before. */
CHECKED enum code request_params(struct json *json, struct arena *arena,
                                 struct infer_request *request, struct err *err);

/* Makes bytes the data of a tensor whose dtype, shape and count are set: a view, or a copy where it
 * is not aligned. E_BAD_SIZE, E_VALUE_OUT_OF_RANGE (BOOL). */
CHECKED enum code binary_take(struct arena *arena, struct tensor *tensor, struct slice bytes,
                              struct err *err);

#endif
