/* body.c - made-up tensors as V2 JSON or binary; lines of a file.
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#include "cli/bench/body.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/tensor.h"
#include "cli/file.h"
#include "cli/out.h"

void bodies_init(struct bodies *bodies)
{
  *bodies = (struct bodies){.list = grab_zero(LOAD_BODIES_MAX, sizeof *bodies->list)};
  buf_init(&bodies->text, BODY_FILE_MAX);
}

void bodies_deinit(struct bodies *bodies)
{
  buf_deinit(&bodies->text);
  ungrab(bodies->list);
}

struct input { /* of the model, with its shape settled */
  const char *name;
  enum dtype dtype;
  const char *dtype_text;
  struct shape shape;
  uint64_t elements;
};

static struct input input_read(const json_t *spec, uint32_t rows)
{
  struct input input = {
      .name = get_str(spec, "name"), .dtype_text = get_str(spec, "datatype"), .elements = 1};
  size_t i;
  json_t *dim;
  input.dtype = dtype_named(slice_str(input.dtype_text));
  json_array_foreach(json_object_get(spec, "shape"), i, dim)
  {
    json_int_t n = json_integer_value(dim);
    if (n < 0) n = i == 0 && rows ? rows : 1;
    if (input.shape.rank < TENSOR_RANK_MAX) input.shape.dims[input.shape.rank++] = n;
    input.elements *= n < BODY_ELEMENTS_MAX ? (uint64_t)n : BODY_ELEMENTS_MAX;
    if (input.elements > BODY_ELEMENTS_MAX) input.elements = BODY_ELEMENTS_MAX + 1;
  }
  return input;
}

static const char *element_text(enum dtype dtype)
{
  if (dtype == DT_BYTES) return "\"slipway\"";
  if (dtype == DT_BOOL) return "true";
  return dtype_is_float(dtype) ? "0.5" : "1";
}

/* The same value as it lies in memory; returns its length. */
static size_t element_bytes(enum dtype dtype, char to[16])
{
  static const float half = 0.5f;
  static const double half_double = 0.5;
  size_t width = dtype_width(dtype);
  memset(to, 0, 16);
  to[0] = 1; /* whole numbers, BOOL */
  if (dtype == DT_FP32) memcpy(to, &half, sizeof half);
  if (dtype == DT_FP64) memcpy(to, &half_double, sizeof half_double);
  if (dtype == DT_FP16) memcpy(to, "\x00\x38", 2);
  if (dtype == DT_BF16) memcpy(to, "\x00\x3f", 2);
  if (dtype != DT_BYTES) return width;
  memcpy(to, "\x07\0\0\0slipway", 11);
  return 11;
}

static void data_text(struct buf *to, const struct input *input, bool mark, size_t *digits)
{
  const char *element = element_text(input->dtype);
  buf_add(to, SLICE(",\"data\":["));
  for (uint64_t i = 0; i < input->elements; i++) {
    if (i) buf_add(to, SLICE(","));
    if (i == 0 && mark) {
      *digits = to->len + 2;
      buf_add(to, SLICE("0.5000000"));
    } else {
      buf_add(to, slice_str(element));
    }
  }
  buf_add(to, SLICE("]}"));
}

static void head_write(struct buf *to, const struct input *input)
{
  char shape[SHAPE_TEXT_MAX];
  buf_add(to, SLICE("{\"name\":"));
  buf_json(to, slice_str(input->name));
  buf_add(to, SLICE(",\"datatype\":"));
  buf_json(to, slice_str(input->dtype_text));
  buf_print(to, ",\"shape\":%s", shape_text(&input->shape, shape, sizeof shape));
}

/* The end of the JSON: the request's parameters. */
static void parameters_write(struct buf *to, const struct body_opts *opts)
{
  json_t *all = opts->parameters ? json_deep_copy(opts->parameters) : json_object();
  if (opts->binary) json_object_set_new(all, "binary_data_output", json_true());
  char *text = json_object_size(all) ? json_dumps(all, JSON_COMPACT) : NULL;
  buf_add(to, SLICE("]"));
  if (text) buf_print(to, ",\"parameters\":");
  if (text) buf_add(to, slice_str(text));
  buf_add(to, SLICE("}"));
  ungrab(text);
  json_decref(all);
}

static void tensors_write(struct buf *to, const struct input *inputs, size_t n, size_t marked,
                          size_t *digits)
{
  char element[16];
  for (size_t i = 0; i < n; i++) {
    size_t len = element_bytes(inputs[i].dtype, element);
    if (i == marked) *digits = to->len;
    for (uint64_t k = 0; k < inputs[i].elements; k++) buf_add(to, slice_of(element, len));
  }
}

enum { BODY_INPUTS_MAX = 64 };

enum code bodies_make(struct bodies *bodies, const json_t *metadata, const struct body_opts *opts,
                      struct err *err)
{
  static struct input inputs[BODY_INPUTS_MAX];
  const json_t *specs = json_object_get(metadata, "inputs");
  size_t n = json_array_size(specs), marked = SIZE_MAX, begin = bodies->text.len, digits = 0;
  struct buf *to = &bodies->text;
  char element[16];
  struct body_opts filled = *opts;
  for (size_t i = 0; i < n; i++) {
    if (i < BODY_INPUTS_MAX) inputs[i] = input_read(json_array_get(specs, i), opts->rows);
    if (i >= BODY_INPUTS_MAX || inputs[i].elements > BODY_ELEMENTS_MAX)
      return fail(err, E_LIMIT_EXCEEDED,
                  "the model's inputs are too large to make up; say --input FILE");
    filled.binary = filled.binary || !dtype_json(inputs[i].dtype);
    if (inputs[i].dtype == DT_FP32 && inputs[i].elements && marked == SIZE_MAX) marked = i;
  }
  if (!opts->unique)
    marked = SIZE_MAX;
  else if (marked == SIZE_MAX)
    return fail(err, E_INVALID_ARGUMENT,
                "no input of the model is FP32: requests cannot be made "
                "to differ; say --input FILE");
  buf_add(to, SLICE("{\"inputs\":["));
  for (size_t i = 0; i < n; i++) {
    if (i) buf_add(to, SLICE(","));
    head_write(to, &inputs[i]);
    if (!filled.binary)
      data_text(to, &inputs[i], i == marked, &digits);
    else
      buf_print(to, ",\"parameters\":{\"binary_data_size\":%llu}}",
                (unsigned long long)(inputs[i].elements * element_bytes(inputs[i].dtype, element)));
  }
  parameters_write(to, &filled);
  size_t json_len = filled.binary ? to->len - begin : 0;
  if (filled.binary) tensors_write(to, inputs, n, marked, &digits);
  if (to->full)
    return fail(err, E_LIMIT_EXCEEDED, "the request is over %d MiB", BODY_FILE_MAX >> 20);
  bodies->list[bodies->n++] = (struct load_body){.text = slice_from(buf_lend(to), begin),
                                                 .digits = digits ? digits - begin : 0,
                                                 .json_len = json_len};
  return OK;
}

enum code bodies_read(struct bodies *bodies, const char *path, struct err *err)
{
  FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
  if (!file || !file_drain(file, &bodies->text))
    return fail(err, E_NOT_FOUND, "'%s' cannot be read", path);
  if (bodies->text.full)
    return fail(err, E_LIMIT_EXCEEDED, "'%s' is larger than %d MiB", path, BODY_FILE_MAX >> 20);
  struct slice rest = buf_lend(&bodies->text);
  while (rest.len && bodies->n < LOAD_BODIES_MAX) {
    const char *end = memchr(rest.at, '\n', rest.len);
    size_t len = end ? (size_t)(end - rest.at) : rest.len;
    if (len > 1) bodies->list[bodies->n++] = (struct load_body){.text = slice_of(rest.at, len)};
    rest = slice_from(rest, end ? len + 1 : len);
  }
  return bodies->n ? OK
                   : fail(err, E_INVALID_ARGUMENT, "'%s' has no request in it, one a line", path);
}
