/* param.c - parameters and binary tensors of a request.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "wire/infer/infer_int.h"

enum { OTHERS_FIRST = 4 };

enum code params_begin(struct json *json, uint32_t *n)
{
  enum json_kind kind = json_next(json);
  *n = kind == JSON_NULL ? UINT32_MAX : 0;
  if (kind == JSON_NULL || kind == JSON_OBJECT) return OK;
  return json_refuse(json, "an object");
}

bool param_next(struct json *json, struct infer_param *param, uint32_t *n, enum code *code)
{
  *code = OK;
  if (*n == UINT32_MAX) return false;
  if (json_next(json) != JSON_KEY) {
    *code = json->code;
    return false;
  }
  param->key = json->text;
  if ((*n)++ == INFER_PARAMS_MAX) {
    *code = json->code =
        fail(json->err, E_INVALID_ARGUMENT, "more than %d parameters", INFER_PARAMS_MAX);
    return false;
  }
  enum json_kind kind = json_next(json);
  param->value = json->text;
  if (kind == JSON_STRING) return param->kind = INFER_PARAM_STRING, true;
  if (kind == JSON_NUMBER) return param->kind = INFER_PARAM_NUMBER, true;
  param->kind = INFER_PARAM_BOOL;
  param->value = kind == JSON_TRUE ? SLICE("true") : SLICE("false");
  if (kind == JSON_TRUE || kind == JSON_FALSE) return true;
  *code = json_refuse(json, "a string, a number or a boolean");
  return false;
}

bool param_is_reserved(struct slice key) { return slice_starts(key, SLICE("shared_memory_")); }

enum code param_refuse(const struct infer_param *param, struct err *err)
{
  return fail(err, E_RESERVED_PARAMETER, "parameter \"%.*s\" is reserved and not offered",
              SLICE_ARG(param->key));
}

enum code param_wrong(const struct infer_param *param, const char *wanted, struct err *err)
{
  return fail(err, E_WRONG_TYPE, "parameter \"%.*s\" is not %s", SLICE_ARG(param->key), wanted);
}

enum code param_bool(const struct infer_param *param, bool *value, struct err *err)
{
  if (param->kind != INFER_PARAM_BOOL) return param_wrong(param, "true or false", err);
  *value = param->value.at[0] == 't';
  return OK;
}

enum code param_u64(const struct infer_param *param, uint64_t max, uint64_t *value, struct err *err)
{
  bool over = false;
  bool read = param->kind == INFER_PARAM_NUMBER && json_number_u64(param->value, value, &over);
  if (read && *value <= max) return OK;
  if (!read && !over) return param_wrong(param, "an unsigned integer", err);
  return fail(err, E_VALUE_OUT_OF_RANGE, "parameter \"%.*s\" is %.*s, it must be 0 to %llu",
              SLICE_ARG(param->key), SLICE_ARG(param->value), (unsigned long long)max);
}

static enum code other_add(struct arena *arena, struct infer_request *request,
                           const struct infer_param *param, struct err *err)
{
  uint32_t n = request->n_others;
  if (n == 0 || (n >= OTHERS_FIRST && (n & (n - 1)) == 0)) { /* full at 4, 8, 16, 32 */
    size_t cap = n ? 2 * n : OTHERS_FIRST, each = sizeof *param;
    request->others = arena_grow(arena, request->others, n * each, cap * each);
    if (!request->others)
      return fail(err, E_OUT_OF_MEMORY, "the request needs more memory than a call has");
  }
  request->others[request->n_others++] = *param;
  return OK;
}

static enum code cache_param(const struct infer_param *param, enum infer_cache *cache,
                             struct err *err)
{
  static const char *const words[] = {"use", "refresh", "never"};
  for (int i = 0; param->kind == INFER_PARAM_STRING && i < 3; i++) {
    if (!slice_eq(param->value, slice_str(words[i]))) continue;
    *cache = (enum infer_cache)i;
    return OK;
  }
  return param_wrong(param, "one of use, refresh, never", err);
}

enum code request_param(struct arena *arena, struct infer_request *request,
                        const struct infer_param *param, struct err *err)
{
  struct slice key = param->key;
  if (slice_eq(key, SLICE("binary_data_output")))
    return param_bool(param, &request->binary_data_output, err);
  if (slice_eq(key, SLICE("slipway_debug"))) return param_bool(param, &request->debug, err);
  if (slice_eq(key, SLICE("slipway_cache"))) return cache_param(param, &request->cache, err);
  if (slice_eq(key, SLICE("sequence_start")))
    return param_bool(param, &request->sequence_start, err);
  if (slice_eq(key, SLICE("sequence_end"))) return param_bool(param, &request->sequence_end, err);
  if (slice_eq(key, SLICE("priority")))
    return param_u64(param, UINT64_MAX, &request->priority, err);
  if (slice_eq(key, SLICE("timeout")))
    return param_u64(param, UINT64_MAX, &request->timeout_us, err);
  if (slice_eq(key, SLICE("sequence_id"))) {
    if (param->kind == INFER_PARAM_NUMBER)
      return param_u64(param, UINT64_MAX, &request->sequence_number, err);
    if (param->kind != INFER_PARAM_STRING)
      return param_wrong(param, "an unsigned integer or a string", err);
    request->sequence_name = param->value;
    return OK;
  }
  if (param_is_reserved(key) || slice_eq(key, SLICE("headers")) ||
      slice_starts(key, SLICE("triton_")) || slice_starts(key, SLICE("slipway_")))
    return param_refuse(param, err);
  return other_add(arena, request, param, err);
}

enum code request_params(struct json *json, struct arena *arena, struct infer_request *request,
                         struct err *err)
{
  struct infer_param param;
  uint32_t n = 0;
  enum code code = params_begin(json, &n);
  while (code == OK && param_next(json, &param, &n, &code)) {
    code = request_param(arena, request, &param, err);
    if (code != OK) return fail_at(err, "parameters.%.*s", SLICE_ARG(param.key));
  }
  if (code == E_WRONG_TYPE || code == E_INVALID_ARGUMENT) fail_at(err, "parameters");
  return code;
}

/* ---- names and binary tensors */

enum code tensor_name_check(struct slice name, struct err *err)
{
  if (!name.len) return fail(err, E_BAD_NAME, "a tensor's name is empty");
  if (memchr(name.at, 0, name.len))
    return fail(err, E_BAD_NAME, "a tensor's name holds a NUL character");
  return OK;
}

bool tensor_is_named(const struct tensor *tensors, uint32_t n, struct slice name)
{
  for (uint32_t i = 0; i < n; i++)
    if (slice_eq(tensors[i].name, name)) return true;
  return false;
}

static enum code bools_check(const struct tensor *tensor, struct slice bytes, struct err *err)
{
  uint64_t word;
  size_t i = 0;
  for (; i + 8 <= bytes.len; i += 8) {
    memcpy(&word, bytes.at + i, sizeof word);
    if (word & ~UINT64_C(0x0101010101010101)) break;
  }
  for (; i < bytes.len; i++)
    if ((unsigned char)bytes.at[i] > 1)
      return fail(err, E_VALUE_OUT_OF_RANGE, "input \"%.*s\": element %zu is %u, outside BOOL",
                  SLICE_ARG(tensor->name), i, (unsigned char)bytes.at[i]);
  return OK;
}

enum code binary_take(struct arena *arena, struct tensor *tensor, struct slice bytes,
                      struct err *err)
{
  char text[SHAPE_TEXT_MAX];
  size_t width = dtype_width(tensor->dtype);
  tensor->bytes = bytes.len;
  tensor->data = NULL;
  if (width && (bytes.len % width || bytes.len / width != tensor->count))
    return fail(err, E_BAD_SIZE,
                "input \"%.*s\": shape %s of %s needs %llu values of %zu bytes, got %zu bytes",
                SLICE_ARG(tensor->name), shape_text(&tensor->shape, text, sizeof text),
                dtype_name(tensor->dtype), (unsigned long long)tensor->count, width, bytes.len);
  if (!width) {
    struct err why = {0};
    if (tensor_bytes_check(bytes.at, bytes.len, tensor->count, &why) != OK)
      return fail(err, why.code, "input \"%.*s\": %s", SLICE_ARG(tensor->name), why.text);
  }
  if (tensor->dtype == DT_BOOL && bools_check(tensor, bytes, err) != OK)
    return E_VALUE_OUT_OF_RANGE;
  if (!bytes.len) return OK;
  if (data_is_aligned(bytes.at, tensor->dtype)) {
    tensor->data = (void *)(uintptr_t)bytes.at; /* read only by the contract of infer.h */
    return OK;
  }
  tensor->data = arena_get(arena, bytes.len);
  if (!tensor->data)
    return fail(err, E_OUT_OF_MEMORY, "input \"%.*s\" needs more memory than a call has",
                SLICE_ARG(tensor->name));
  memcpy(tensor->data, bytes.at, bytes.len);
  return OK;
}
