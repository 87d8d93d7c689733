/* predict_v1.h - the V1 `:predict` request and answer (KServe, TensorFlow Serving).
 * Thread: any, pure: memory only from the given arena; no recursion.
 *
 *   rows     {"instances":[...]}  one entry per row: a value for single-input models, or an object
 *            by input name                              -> {"predictions":[...]}
 *   columns  {"inputs":...}       the whole tensor of a single-input model, or an object by input
 *            name                                      -> {"outputs":...}
 *
 * Shapes follow from the nesting and are checked against the contract by infer_bind, as in V2; a
 * value {"b64":"..."} is one BYTES element. Other members are ignored. Errors as in infer.h;
 * err->field is "instances[2]", "instances[2].age" or "inputs.age".
 * Source: KServe's V1 protocol; TensorFlow Serving's REST API; the wire contract section 9.
 * SPDX-License-Identifier: MIT */
#ifndef WIRE_INFER_PREDICT_V1_H
#define WIRE_INFER_PREDICT_V1_H

#include "wire/infer/infer.h"

enum predict_form { PREDICT_ROWS, PREDICT_COLUMNS };

/* Needs the contract, for V1 names neither datatypes nor (often) inputs. The request is not yet
 * bound: infer_bind follows. E_BAD_DATATYPE: the model takes FP16 or BF16: V1 cannot carry it. */
CHECKED enum code predict_read(struct arena *arena, const struct contract *contract,
                               struct slice json, struct infer_request *request,
                               enum predict_form *form, struct err *err);

/* outputs as from the model, in its order; all are answered. Rows: every output needs the same
 * first dimension, else E_BAD_MODEL_OUTPUT. BYTES that are not UTF-8 become {"b64":"..."}. *json is
 * the whole body, in the arena. */
CHECKED enum code predict_write(struct arena *arena, enum predict_form form,
                                const struct tensor *outputs, uint32_t n_outputs,
                                struct slice *json, struct err *err);

#endif
