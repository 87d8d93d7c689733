/* linear.c - y = x W^T + b, the smallest model that is one: linear and logistic regression.
 *
 *   {"engine": "linear", "input": "x", "output": "y",       names; "input" and "output" if absent
 *    "weights": [[0.5, -1], [2, 0.25]],                     one row per output, one column per
 *    input
 *    "bias": [0.1, 0],                                      zeros if absent
 *    "activation": "softmax",                               "none" (default), "softmax", "sigmoid"
 *    "labels": ["ham", "spam"]}                             class names, if any
 *
 * FP32, any number of rows. A sum is taken in FP32, in the order of the columns, so an answer does
 * not depend on the machine or on the rows beside it. Numbers are rounded from FP64.
 * Thread: job opens and closes, worker runs, as engine.h says.
 * SPDX-License-Identifier: MIT */
#include <float.h>
#include <math.h>

#include "base/mem.h"
#include "infer/model_json.h"

enum activation { LINEAR_NONE, LINEAR_SOFTMAX, LINEAR_SIGMOID };
enum { LINEAR_WEIGHTS_MAX = 16 << 20 };

struct linear {
  uint32_t n_in, n_out;
  enum activation activation;
  float *bias;
  float weights[]; /* [n_out][n_in], then the bias */
};

static bool linear_claims(const struct model_source *source)
{
  return model_json_names(source, "linear");
}

static enum code numbers_read(const json_t *row, const char *at, uint32_t n, float *to,
                              struct err *err)
{
  if (json_array_size(row) != n)
    return fail(err, E_MODEL_REJECTED, "%s in model.json is not an array of %u numbers", at, n);
  for (uint32_t i = 0; i < n; i++) {
    const json_t *number = json_array_get(row, i);
    double value = json_number_value(number);
    if (!json_is_number(number) || fabs(value) > (double)FLT_MAX)
      return fail(err, E_MODEL_REJECTED, "%s[%u] in model.json is not a number that fits FP32", at,
                  i);
    to[i] = (float)value;
  }
  return OK;
}

static enum code activation_read(const json_t *root, enum activation *activation, struct err *err)
{
  const json_t *json = json_object_get(root, "activation");
  const char *name = json ? json_string_value(json) : "none";
  if (name && strcmp(name, "none") == 0)
    *activation = LINEAR_NONE;
  else if (name && strcmp(name, "softmax") == 0)
    *activation = LINEAR_SOFTMAX;
  else if (name && strcmp(name, "sigmoid") == 0)
    *activation = LINEAR_SIGMOID;
  else
    return fail(err, E_MODEL_REJECTED,
                "\"activation\" in model.json is not \"none\", \"softmax\" or \"sigmoid\"");
  return OK;
}

static enum code spec_fill(const json_t *root, const char *key, uint32_t columns,
                           struct arena *arena, struct tensor_spec **spec, struct err *err)
{
  const json_t *json = json_object_get(root, key);
  const char *name = json ? json_string_value(json) : key;
  if (!name || !*name)
    return fail(err, E_MODEL_REJECTED, "\"%s\" in model.json is not a name", key);
  *spec = arena_zero(arena, 1, sizeof **spec);
  if (*spec) (*spec)->name = arena_copy(arena, slice_str(name));
  if (!*spec || !(*spec)->name.at)
    return fail(err, E_OUT_OF_MEMORY, "model.json does not fit into memory");
  (*spec)->dtype = DT_FP32;
  (*spec)->shape = (struct shape){2, {-1, columns}};
  return OK;
}

static enum code contract_fill(const json_t *root, const struct linear *linear, struct arena *arena,
                               struct contract *contract, struct err *err)
{
  struct tensor_spec *in, *out;
  if (spec_fill(root, "input", linear->n_in, arena, &in, err) != OK) return err->code;
  if (spec_fill(root, "output", linear->n_out, arena, &out, err) != OK) return err->code;
  if (model_json_labels(root, "labels", arena, &out->labels, &out->n_labels, err) != OK)
    return err->code;
  if (out->labels && out->n_labels != linear->n_out)
    return fail(err, E_MODEL_REJECTED, "model.json has %u labels for %u outputs", out->n_labels,
                linear->n_out);
  *contract = (struct contract){in, out, 1, 1, true};
  return OK;
}

static enum code linear_fill(const json_t *root, struct linear *linear, struct err *err)
{
  const json_t *rows = json_object_get(root, "weights"), *bias = json_object_get(root, "bias");
  for (uint32_t k = 0; k < linear->n_out; k++) {
    char at[ERR_FIELD_MAX];
    snprintf(at, sizeof at, "weights[%u]", k);
    if (numbers_read(json_array_get(rows, k), at, linear->n_in,
                     linear->weights + (size_t)k * linear->n_in, err) != OK)
      return err->code;
  }
  if (bias && numbers_read(bias, "bias", linear->n_out, linear->bias, err) != OK) return err->code;
  return activation_read(root, &linear->activation, err);
}

static enum code linear_read(const json_t *root, struct arena *arena, struct contract *contract,
                             void **model, struct err *err)
{
  const json_t *rows = json_object_get(root, "weights");
  size_t n_out = json_array_size(rows), n_in = json_array_size(json_array_get(rows, 0));
  if (n_out < 1 || n_in < 1)
    return fail(err, E_MODEL_REJECTED,
                "\"weights\" in model.json is not an array of rows of numbers");
  if (n_out > LINEAR_WEIGHTS_MAX / n_in)
    return fail(err, E_MODEL_REJECTED, "model.json has more than %d weights", LINEAR_WEIGHTS_MAX);
  struct linear *linear = grab_zero(1, sizeof *linear + (n_out * n_in + n_out) * sizeof(float));
  linear->n_in = (uint32_t)n_in;
  linear->n_out = (uint32_t)n_out;
  linear->bias = linear->weights + n_out * n_in;
  enum code code = linear_fill(root, linear, err);
  if (code == OK) code = contract_fill(root, linear, arena, contract, err);
  if (code == OK)
    *model = linear;
  else
    ungrab(linear);
  return code;
}

static enum code linear_open(const struct model_source *source, struct arena *arena,
                             struct contract *contract, void **model, struct err *err)
{
  static const char *const known[] = {"engine", "input",      "output", "weights",
                                      "bias",   "activation", "labels", NULL};
  json_t *root;
  if (model_json_read(source, "linear", known, &root, err) != OK) return err->code;
  enum code code = linear_read(root, arena, contract, model, err);
  json_decref(root);
  return code;
}

static void linear_close(void *model) { ungrab(model); }

static enum code linear_sit(void *model, void **seat, struct err *err)
{
  (void)err;
  *seat = model; /* nothing of its own */
  return OK;
}

static void linear_leave(void *seat) { (void)seat; }

static void softmax(float *y, uint32_t n)
{
  float top = y[0], sum = 0;
  for (uint32_t i = 1; i < n; i++)
    if (y[i] > top) top = y[i];
  for (uint32_t i = 0; i < n; i++) sum += y[i] = expf(y[i] - top);
  for (uint32_t i = 0; i < n; i++) y[i] /= sum;
}

static void row_run(const struct linear *linear, const float *x, float *y)
{
  for (uint32_t k = 0; k < linear->n_out; k++) {
    const float *w = linear->weights + (size_t)k * linear->n_in;
    float sum = 0;
    for (uint32_t i = 0; i < linear->n_in; i++) sum += w[i] * x[i];
    y[k] = sum + linear->bias[k];
    if (linear->activation == LINEAR_SIGMOID) y[k] = 1 / (1 + expf(-y[k]));
  }
  if (linear->activation == LINEAR_SOFTMAX) softmax(y, linear->n_out);
}

static enum code linear_run(void *seat, struct task *task, struct err *err)
{
  const struct linear *linear = seat;
  if (!(task->wanted & 1)) return OK;
  const struct tensor *in = &task->inputs[0];
  uint64_t rows = (uint64_t)in->shape.dims[0], count = 0;
  struct shape shape = {2, {(int64_t)rows, linear->n_out}};
  float *y = NULL;
  if (shape_count(&shape, &count) && count < SIZE_MAX / sizeof *y)
    y = arena_get(task->scratch, count ? count * sizeof *y : 1);
  if (!y)
    return fail(err, E_OUT_OF_MEMORY,
                "the answer does not fit the request's memory: send fewer rows");
  const float *x = in->data;
  for (uint64_t row = 0; row < rows; row++)
    row_run(linear, x + row * linear->n_in, y + row * linear->n_out);
  task->outputs[0] = (struct tensor){
      .dtype = DT_FP32, .shape = shape, .count = count, .data = y, .bytes = count * sizeof *y};
  return OK;
}

static uint64_t linear_bytes(const void *model, uint64_t *peak)
{
  const struct linear *linear = model;
  return *peak = sizeof *linear + ((uint64_t)linear->n_in + 1) * linear->n_out * sizeof(float);
}

const struct engine engine_linear = {
    .name = "linear",
    .platform = "slipway_linear",
    .claims = linear_claims,
    .open = linear_open,
    .close = linear_close,
    .sit = linear_sit,
    .leave = linear_leave,
    .run = linear_run,
    .bytes = linear_bytes,
    .exact = true,
};
