/* onnx_int.h - what the files of the onnx engine share.
 * Thread: job for making and closing; lane owners run.
 * SPDX-License-Identifier: MIT */
#ifndef INFER_ONNX_ONNX_INT_H
#define INFER_ONNX_ONNX_INT_H

#include "infer/engine.h"
#include "infer/onnx/account.h"

struct onnx {
  const struct ort *ort;
  struct ort_session *session; /* may be run by several threads at once */
  struct account *account;
  uint64_t graph_bytes;     /* of the parsed graph, about: the account does not see it */
  struct contract contract; /* memory: the arena given to open */
  const char *input_names[TENSORS_MAX], *output_names[TENSORS_MAX];
};

/* contract.c: asks the session for its inputs and outputs. */
CHECKED enum code onnx_contract(struct onnx *onnx, struct arena *arena, struct err *err);
int onnx_type(enum dtype dtype); /* enum ort_type_code */
enum dtype onnx_dtype(int type); /* DT_NONE: the protocol has no such type */

/* words.c: an answer of ours for one of the library's. Releases status, which is not NULL. The text
 * names the node and the operator, both the model's own words, and nothing else of the
 * library's. */
enum code onnx_load_failed(const struct onnx *onnx, struct ort_status *status, struct err *err);
enum code onnx_run_failed(const struct onnx *onnx, struct ort_status *status, struct err *err);

/* seat.c */
enum code onnx_sit(void *model, void **seat, struct err *err);
void onnx_leave(void *seat);
enum code onnx_run(void *seat, struct task *task, struct err *err);
void onnx_cancel(void *seat);

#endif
