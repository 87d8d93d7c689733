/* write.c - the V2 answer: JSON text in the arena, binary parts as views.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include <math.h>

#include "base/text.h"
#include "base/utf8.h"
#include "wire/infer/infer_int.h"

enum { ANSWER_HEAD = 256, OUTPUT_HEAD = 192, ESTIMATE_MAX = 1 << 20, BYTES_PER_VALUE = 14 };

/* ---- one tensor's values */

static void out_text(struct json_out *out, const char *text) { json_out_raw(out, slice_str(text)); }

static void f64_put(struct json_out *out, double value)
{
  if (isfinite(value))
    out->len += text_print_f64(out->at + out->len, value);
  else
    out_text(out, isnan(value) ? "\"NaN\"" : value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
}

static void f32_put(struct json_out *out, float value)
{
  if (isfinite(value))
    out->len += text_print_f32(out->at + out->len, value);
  else
    f64_put(out, (double)value);
}

static void value_put(struct json_out *out, enum dtype dtype, const char *at)
{
  char *to = out->at + out->len;
  int16_t i16;
  uint16_t u16;
  int32_t i32;
  uint32_t u32;
  int64_t i64;
  uint64_t u64;
  float f32;
  double f64;
  switch (dtype) {
    case DT_FP32: memcpy(&f32, at, sizeof f32), f32_put(out, f32); break;
    case DT_FP64: memcpy(&f64, at, sizeof f64), f64_put(out, f64); break;
    case DT_BOOL: out_text(out, *at ? "true" : "false"); break;
    case DT_UINT8: out->len += text_print_u64(to, (unsigned char)*at); break;
    case DT_INT8: out->len += text_print_i64(to, (signed char)*at); break;
    case DT_UINT16: memcpy(&u16, at, sizeof u16), out->len += text_print_u64(to, u16); break;
    case DT_INT16: memcpy(&i16, at, sizeof i16), out->len += text_print_i64(to, i16); break;
    case DT_UINT32: memcpy(&u32, at, sizeof u32), out->len += text_print_u64(to, u32); break;
    case DT_INT32: memcpy(&i32, at, sizeof i32), out->len += text_print_i64(to, i32); break;
    case DT_UINT64: memcpy(&u64, at, sizeof u64), out->len += text_print_u64(to, u64); break;
    case DT_INT64: memcpy(&i64, at, sizeof i64), out->len += text_print_i64(to, i64); break;
    default: must(!"a datatype that has no JSON form");
  }
}

void value_out(struct json_out *out, const struct tensor *tensor, uint64_t i)
{
  if (!json_out_room(out, TEXT_NUMBER_MAX + 1)) return;
  size_t width = dtype_width(tensor->dtype);
  if (!strchr("[:", out->at[out->len - 1])) out->at[out->len++] = ',';
  value_put(out, tensor->dtype, (const char *)tensor->data + i * width);
}

static void values_out(struct json_out *out, const struct tensor *tensor)
{
  size_t width = dtype_width(tensor->dtype);
  const char *at = tensor->data;
  for (uint64_t i = 0; i < tensor->count; i++, at += width) {
    if (!json_out_room(out, TEXT_NUMBER_MAX + 1)) return;
    if (i) out->at[out->len++] = ',';
    value_put(out, tensor->dtype, at);
  }
}

static enum code strings_out(struct json_out *out, const struct tensor *tensor, struct err *err)
{
  size_t at = 0;
  for (uint64_t i = 0; i < tensor->count && !out->full; i++) {
    struct slice text = tensor_bytes_next(tensor, &at);
    if (!utf8_valid(text))
      return fail(
          err, E_BAD_MODEL_OUTPUT,
          "output \"%.*s\": element %llu is not UTF-8, JSON cannot carry it; ask for it with "
          "binary_data true",
          SLICE_ARG(tensor->name), (unsigned long long)i);
    json_out_str(out, text);
  }
  return OK;
}

/* ---- the answer */

static enum code output_out(struct json_out *out, const struct tensor *tensor, bool binary,
                            struct err *err)
{
  enum code code = OK;
  json_out_open(out, '{');
  json_out_key(out, "name");
  json_out_str(out, tensor->name);
  json_out_key(out, "datatype");
  json_out_str(out, slice_str(dtype_name(tensor->dtype)));
  json_out_key(out, "shape");
  json_out_open(out, '[');
  for (uint32_t d = 0; d < tensor->shape.rank; d++) json_out_i64(out, tensor->shape.dims[d]);
  json_out_close(out, ']');
  if (binary) {
    json_out_key(out, "parameters");
    json_out_open(out, '{');
    json_out_key_u64(out, "binary_data_size", tensor->bytes);
    json_out_close(out, '}');
  } else if (!dtype_json(tensor->dtype)) {
    return fail(err, E_BAD_DATATYPE,
                "output \"%.*s\" is %s, which travels binary only; ask for it "
                "with binary_data true",
                SLICE_ARG(tensor->name), dtype_name(tensor->dtype));
  } else {
    json_out_key(out, "data");
    json_out_open(out, '[');
    if (tensor->dtype == DT_BYTES)
      code = strings_out(out, tensor, err);
    else
      values_out(out, tensor);
    json_out_close(out, ']');
  }
  json_out_close(out, '}');
  return code;
}

static size_t estimate(const struct infer_answer *answer)
{
  size_t bytes = ANSWER_HEAD + answer->id.len + answer->parameters.len;
  for (uint32_t i = 0; i < answer->n_outputs; i++) {
    const struct infer_output *output = &answer->outputs[i];
    bytes += OUTPUT_HEAD + output->tensor->name.len;
    if (output->form == INFER_BINARY || output->classification) continue;
    size_t each = output->tensor->dtype == DT_BYTES ? 0 : BYTES_PER_VALUE;
    bytes += (size_t)output->tensor->count * each;
    if (!each) bytes += output->tensor->bytes;
    if (bytes > ESTIMATE_MAX) return ESTIMATE_MAX;
  }
  return bytes;
}

static void head_out(struct json_out *out, const struct infer_answer *answer)
{
  json_out_open(out, '{');
  json_out_key(out, "model_name");
  json_out_str(out, answer->model_name);
  json_out_key(out, "model_version");
  json_out_str(out, answer->model_version);
  if (answer->id.len) {
    json_out_key(out, "id");
    json_out_str(out, answer->id);
  }
  if (answer->parameters.len) {
    json_out_key(out, "parameters");
    json_out_value(out, answer->parameters);
  }
  json_out_key(out, "outputs");
  json_out_open(out, '[');
}

/* The tensor that goes out: the output's own, or its classes. */
static enum code tensor_of(struct arena *arena, const struct infer_output *output,
                           struct tensor *tensor, struct err *err)
{
  if (output->classification) return classes_of(arena, output, tensor, err);
  *tensor = *output->tensor;
  return OK;
}

enum code infer_write(struct arena *arena, const struct infer_answer *answer,
                      struct infer_body *body, struct err *err)
{
  struct json_out out;
  *body = (struct infer_body){0};
  body->parts = arena_get(arena, answer->n_outputs * sizeof *body->parts + 1);
  json_out_init(&out, arena, estimate(answer));
  head_out(&out, answer);
  for (uint32_t i = 0; i < answer->n_outputs && body->parts; i++) {
    struct tensor tensor;
    bool binary = answer->outputs[i].form == INFER_BINARY;
    enum code code = tensor_of(arena, &answer->outputs[i], &tensor, err);
    if (code == OK) code = output_out(&out, &tensor, binary, err);
    if (code != OK) {
      fail_at(err, "outputs[%u]", i);
      return code;
    }
    if (!binary || !tensor.bytes) continue;
    body->parts[body->n_parts++] = slice_of(tensor.data, tensor.bytes);
    body->bytes += tensor.bytes;
  }
  json_out_raw(&out, SLICE("]}"));
  if (out.full || !body->parts)
    return fail(err, E_OUT_OF_MEMORY, "the answer needs more memory than a call has");
  body->json = json_out_lend(&out);
  body->bytes += body->json.len;
  body->binary = body->n_parts > 0;
  return OK;
}
