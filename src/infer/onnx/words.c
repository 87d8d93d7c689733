/* words.c - says in our words what ONNX Runtime said in its own.
 * Thread: job, lane owner. The library's text is read, never passed on: it may hold paths and
 * addresses. Source of the phrases looked for: messages of ONNX Runtime 1.28.0.
 * SPDX-License-Identifier: MIT */
#include "infer/onnx/onnx_int.h"

/* What stands in text between `before` and the first of `ends`; empty when it is not there. */
static struct slice word_after(const char *text, const char *before, const char *ends)
{
  const char *at = strstr(text, before);
  if (!at) return SLICE_NONE;
  at += strlen(before);
  return slice_of(at, strcspn(at, ends));
}

static enum code memory_short(const struct onnx *onnx, enum code code, struct err *err)
{
  return fail(err, code, "the model needs more memory than its limit of %llu MiB: %s",
              (unsigned long long)(account_max(onnx->account) >> 20),
              code == E_OUT_OF_MEMORY ? "send fewer rows or raise limits.memory in slipway.yaml"
                                      : "raise limits.memory in slipway.yaml");
}

static enum code load_words(const struct onnx *onnx, int code, const char *text, struct err *err)
{
  struct slice op = word_after(text, "No Op registered for ", " \n");
  struct slice version = word_after(text, "domain_version of ", " \n");
  if (op.len && version.len)
    return fail(err, E_MODEL_REJECTED,
                "operator \"%.*s\" does not exist in opset %.*s: export the model with standard "
                "operators",
                SLICE_ARG(op), SLICE_ARG(version));
  op = word_after(text, "Fatal error: ", "(");
  if (op.len && strstr(text, "is not a registered function/op"))
    return fail(
        err, E_MODEL_REJECTED,
        "operator \"%.*s\" is not one ONNX Runtime %s knows: export the model with standard "
        "operators",
        SLICE_ARG(op), onnx->ort->version);
  op = word_after(text, "Could not find an implementation for ", "(");
  if (op.len)
    return fail(
        err, E_MODEL_REJECTED,
        "operator \"%.*s\" has no implementation for its types in ONNX Runtime %s: export the "
        "model with other types or another opset (node \"%.*s\")",
        SLICE_ARG(op), onnx->ort->version, SLICE_ARG(word_after(text, "node with name '", "'\n")));
  struct slice locale = word_after(text, "construct locale with name:", ":");
  if (locale.len)
    return fail(err, E_MODEL_LOAD_FAILED,
                "the model wants the locale \"%.*s\", which this machine does not have: install it",
                SLICE_ARG(locale));
  if (code == ORT_RUNTIME_EXCEPTION || strstr(text, "Exception during initialization"))
    return fail(err, E_MODEL_REJECTED,
                "an operator of the model refuses its attributes in ONNX Runtime %s: try the model "
                "there, and export it again",
                onnx->ort->version);
  struct slice node = word_after(text, "In Node, (\"", "\"");
  if (!node.len) node = word_after(text, "Node (", ")");
  if (!node.len) node = word_after(text, "node with name '", "'\n");
  if (!node.len) node = word_after(text, "Name:'", "'\n");
  if (node.len)
    return fail(err, E_MODEL_REJECTED,
                "node \"%.*s\" is not valid: check the model with onnx.checker and export it again",
                SLICE_ARG(node));
  if (code == ORT_INVALID_PROTOBUF)
    return fail(err, E_MODEL_REJECTED, "the file is not an ONNX model: export it again");
  if (code == ORT_INVALID_GRAPH || code == ORT_FAIL || code == ORT_INVALID_ARGUMENT)
    return fail(err, E_MODEL_REJECTED,
                "ONNX Runtime %s finds the graph not valid: check the model with onnx.checker and "
                "export it again",
                onnx->ort->version);
  return fail(err, E_MODEL_LOAD_FAILED, "ONNX Runtime %s could not load the model (its code %d)",
              onnx->ort->version, code);
}

enum code onnx_load_failed(const struct onnx *onnx, struct ort_status *status, struct err *err)
{
  int code = onnx->ort->GetErrorCode(status);
  const char *text = onnx->ort->GetErrorMessage(status);
  if (account_refused(onnx->account))
    (void)memory_short(onnx, E_MODEL_LOAD_FAILED, err);
  else if (strstr(text, "bad_alloc"))
    fail(err, E_MODEL_LOAD_FAILED, "the machine has no memory left for this model");
  else
    (void)load_words(onnx, code, text, err);
  onnx->ort->ReleaseStatus(status);
  return err->code;
}

enum code onnx_run_failed(const struct onnx *onnx, struct ort_status *status, struct err *err)
{
  const char *text = onnx->ort->GetErrorMessage(status);
  struct slice op = word_after(text, "while running ", " ");
  struct slice node = word_after(text, "Name:'", "'");
  if (account_refused(onnx->account))
    (void)memory_short(onnx, E_OUT_OF_MEMORY, err);
  else if (strstr(text, "bad_alloc"))
    fail(err, E_OUT_OF_MEMORY, "the machine has no memory left for this request: send fewer rows");
  else if (op.len)
    fail(err, E_MODEL_FAILED,
         "the model failed in node \"%.*s\" (operator %.*s): check the input's values and shapes",
         SLICE_ARG(node), SLICE_ARG(op));
  else
    fail(err, E_MODEL_FAILED, "the model failed on this input: check its values and shapes");
  onnx->ort->ReleaseStatus(status);
  return err->code;
}
