/* model_json.h - model.json: how engines without a file format of their own describe a model.
 *
 *   {"engine": "echo", "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}], ...}
 *
 * Thread: job. All texts are copied into the arena given; the JSON tree is the caller's to drop
 * with json_decref. Every error is E_MODEL_REJECTED and names the member.
 * SPDX-License-Identifier: MIT */
#ifndef INFER_MODEL_JSON_H
#define INFER_MODEL_JSON_H

#include <jansson.h>

#include "infer/engine.h"

enum { MODEL_JSON_BYTES_MAX = 64 << 20 };

/* Whether there is a model.json that names `engine`. For claims(). */
bool model_json_names(const struct model_source *source, const char *engine);
/* Reads model.json: an object without repeated keys whose "engine", when given, is `engine`, and
 * which has no member outside `known` (ended by NULL). */
CHECKED enum code model_json_read(const struct model_source *source, const char *engine,
                                  const char *const *known, json_t **root, struct err *err);
/* Reads root[field], an array of {"name", "datatype", "shape", "optional"?}; at least one. */
CHECKED enum code model_json_specs(const json_t *root, const char *field, struct arena *arena,
                                   struct tensor_spec **specs, uint32_t *n, struct err *err);
/* Reads root[field], an array of strings, when it is there. */
CHECKED enum code model_json_labels(const json_t *root, const char *field, struct arena *arena,
                                    const struct slice **labels, uint32_t *n, struct err *err);
/* Whether dimension 0 of every spec is free: then it is the batch. */
bool specs_batch(const struct tensor_spec *specs, uint32_t n);

#endif
