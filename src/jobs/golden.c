/* golden.c - runs and compares golden examples.
 * Thread: job.
 * SPDX-License-Identifier: MIT */
#include "jobs/golden.h"

#include <math.h>
#include <stdio.h>

#include "wire/infer/infer.h"
#include "wire/json.h"

#define TOLERANCE 1e-5

struct example {
  struct slice request, response;
  double tolerance;
};

static enum code example_read(struct arena *arena, struct slice line, struct example *example,
                              struct err *err)
{
  struct json json;
  *example = (struct example){.tolerance = TOLERANCE};
  json_init(&json, arena, line, err);
  if (json_next(&json) != JSON_OBJECT) return json_refuse(&json, "an object");
  while (json_next(&json) == JSON_KEY) {
    enum code code;
    if (json_key_is(&json, "request"))
      code = json_skip(&json, &example->request);
    else if (json_key_is(&json, "response"))
      code = json_skip(&json, &example->response);
    else if (json_key_is(&json, "tolerance"))
      code = json_read_f64(&json, &example->tolerance);
    else
      code = fail(err, E_INVALID_ARGUMENT, "\"%.*s\" is not one of request, response, tolerance",
                  SLICE_ARG(json.text));
    if (code != OK) return code;
  }
  if (json_end(&json) != OK) return json.code;
  if (!example->request.at || !example->response.at)
    return fail(err, E_INVALID_ARGUMENT, "an example has a \"request\" and a \"response\"");
  if (!(example->tolerance >= 0))
    return fail(err, E_INVALID_ARGUMENT, "the tolerance is not 0 or more");
  return OK;
}

/* The tensors of a response, read as the inputs of a request: they are written alike. */
static enum code response_read(struct arena *arena, struct slice text, struct infer_request *answer,
                               struct err *err)
{
  struct json json;
  struct slice outputs = SLICE_NONE;
  json_init(&json, arena, text, err);
  if (json_next(&json) != JSON_OBJECT) return json_refuse(&json, "an object");
  while (json_next(&json) == JSON_KEY) {
    struct slice other;
    if (json_skip(&json, json_key_is(&json, "outputs") ? &outputs : &other) != OK) return json.code;
  }
  if (json_end(&json) != OK) return json.code;
  if (!outputs.at) return fail(err, E_INVALID_ARGUMENT, "the response has no \"outputs\"");
  char *as_inputs = arena_get(arena, outputs.len + sizeof "{\"inputs\":}");
  if (!as_inputs) return fail(err, E_OUT_OF_MEMORY, "the response is too large");
  int before = snprintf(as_inputs, sizeof "{\"inputs\":", "{\"inputs\":");
  memcpy(as_inputs + before, outputs.at, outputs.len);
  as_inputs[(size_t)before + outputs.len] = '}';
  struct slice whole = slice_of(as_inputs, (size_t)before + outputs.len + 1);
  return infer_read(arena, whole, SLICE_NONE, answer, err);
}

static double float_at(const struct tensor *t, uint64_t i)
{
  if (t->dtype == DT_FP64) return ((const double *)t->data)[i];
  return (double)((const float *)t->data)[i];
}

static enum code floats_compare(const struct tensor *got, const struct tensor *want,
                                double tolerance, struct err *err)
{
  for (uint64_t i = 0; i < want->count; i++) {
    double a = float_at(got, i), b = float_at(want, i);
    if (a == b || (isnan(a) && isnan(b)) || fabs(a - b) <= tolerance * (1 + fabs(b))) continue;
    return fail(err, E_GOLDEN_FAILED,
                "output \"%.*s\"[%llu] is %.9g, expected %.9g (tolerance %g): fix the model or the "
                "example",
                SLICE_ARG(want->name), (unsigned long long)i, a, b, tolerance);
  }
  return OK;
}

static enum code bytes_compare(const struct tensor *got, const struct tensor *want, struct err *err)
{
  size_t got_at = 0, want_at = 0, width = dtype_width(want->dtype);
  for (uint64_t i = 0; i < want->count; i++) {
    struct slice a, b;
    if (width) {
      a = slice_of((const char *)got->data + i * width, width);
      b = slice_of((const char *)want->data + i * width, width);
    } else {
      a = tensor_bytes_next(got, &got_at);
      b = tensor_bytes_next(want, &want_at);
    }
    if (slice_eq(a, b)) continue;
    if (!width)
      return fail(
          err, E_GOLDEN_FAILED,
          "output \"%.*s\"[%llu] is \"%.*s\", expected \"%.*s\": fix the model or the example",
          SLICE_ARG(want->name), (unsigned long long)i, SLICE_ARG(a), SLICE_ARG(b));
    uint64_t x = 0, y = 0;
    memcpy(&x, a.at, width);
    memcpy(&y, b.at, width);
    bool is_signed = want->dtype >= DT_INT8 && want->dtype <= DT_INT64;
    unsigned up = 64 - 8 * (unsigned)width; /* sign bits come from the top */
    int64_t sx = (int64_t)(x << up) >> up, sy = (int64_t)(y << up) >> up;
    if (is_signed)
      return fail(err, E_GOLDEN_FAILED,
                  "output \"%.*s\"[%llu] is %lld, expected %lld: fix the model or the example",
                  SLICE_ARG(want->name), (unsigned long long)i, (long long)sx, (long long)sy);
    return fail(err, E_GOLDEN_FAILED,
                "output \"%.*s\"[%llu] is %llu, expected %llu: fix the model or the example",
                SLICE_ARG(want->name), (unsigned long long)i, (unsigned long long)x,
                (unsigned long long)y);
  }
  return OK;
}

static enum code tensor_compare(const struct tensor *got, const struct tensor *want,
                                double tolerance, struct err *err)
{
  char a[SHAPE_TEXT_MAX], b[SHAPE_TEXT_MAX];
  bool same = got->dtype == want->dtype && got->shape.rank == want->shape.rank;
  for (uint32_t i = 0; same && i < got->shape.rank; i++)
    same = got->shape.dims[i] == want->shape.dims[i];
  if (!same)
    return fail(err, E_GOLDEN_FAILED, "output \"%.*s\" is %s%s, expected %s%s",
                SLICE_ARG(want->name), dtype_name(got->dtype), shape_text(&got->shape, a, sizeof a),
                dtype_name(want->dtype), shape_text(&want->shape, b, sizeof b));
  if (want->dtype == DT_FP32 || want->dtype == DT_FP64)
    return floats_compare(got, want, tolerance, err);
  return bytes_compare(got, want, err);
}

static enum code example_check(struct trial *trial, struct slice line, struct err *err)
{
  struct example example;
  struct infer_request request, answer;
  const struct contract *contract = trial->contract;
  uint64_t rows = 1, wanted = 0;
  struct arena *arena = &trial->scratch;
  if (example_read(arena, line, &example, err) != OK) return err->code;
  if (infer_read(arena, example.request, SLICE_NONE, &request, err) != OK) return err->code;
  if (response_read(arena, example.response, &answer, err) != OK) return err->code;
  if (infer_bind(arena, contract, &request, &rows, err) != OK) return err->code;
  for (uint32_t i = 0; i < answer.n_inputs; i++) {
    uint32_t at;
    if (!spec_find(contract->outputs, contract->n_outputs, answer.inputs[i].name, &at))
      return fail(err, E_UNKNOWN_TENSOR, "the model has no output \"%.*s\"",
                  SLICE_ARG(answer.inputs[i].name));
    wanted |= UINT64_C(1) << at;
  }
  if (trial_run(trial, request.inputs, wanted, (uint32_t)rows, err) != OK) return err->code;
  for (uint32_t i = 0; i < answer.n_inputs; i++) {
    uint32_t at = 0;
    (void)spec_find(contract->outputs, contract->n_outputs, answer.inputs[i].name, &at);
    if (tensor_compare(&trial->outputs[at], &answer.inputs[i], example.tolerance, err) != OK)
      return err->code;
  }
  return OK;
}

enum code golden_check(struct trial *trial, struct slice text, uint32_t *n, struct err *err)
{
  *n = 0;
  for (uint32_t number = 1; text.len; number++) {
    const char *end = memchr(text.at, '\n', text.len);
    struct slice line = slice_of(text.at, end ? (size_t)(end - text.at) : text.len);
    text = slice_from(text, line.len + (end != NULL));
    if (line.len && line.at[line.len - 1] == '\r') line.len--;
    if (line.len == 0) continue;
    struct err inner;
    arena_reset(&trial->scratch);
    if (example_check(trial, line, &inner) != OK) {
      fail(err, E_GOLDEN_FAILED, "golden.jsonl line %u: %s", number, inner.text);
      return inner.field[0] ? fail_at(err, "golden.jsonl:%u %.64s", number, inner.field)
                            : fail_at(err, "golden.jsonl:%u", number);
    }
    ++*n;
  }
  return OK;
}
