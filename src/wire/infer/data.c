/* data.c - JSON numbers straight into typed memory, without recursion and without a tree.
 * Thread: any, pure.
 *
 * data_value walks the brackets with a counter per level and hands runs of scalars to a loop of
 * their datatype. FP32 has a loop of its own: it is what nearly all requests carry.
 * SPDX-License-Identifier: MIT */
#include "wire/infer/infer_int.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"
#include "wire/json_int.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "tensors are little-endian in memory");

enum { DATA_FIRST = 64, TEXT_PER_VALUE = 2, TEXT_PER_STRING = 3 };

struct range {
  int64_t min;
  uint64_t max;
};
static const struct range ranges[DT_COUNT] = {
    [DT_BOOL] = {0, 1},
    [DT_UINT8] = {0, UINT8_MAX},
    [DT_UINT16] = {0, UINT16_MAX},
    [DT_UINT32] = {0, UINT32_MAX},
    [DT_UINT64] = {0, UINT64_MAX},
    [DT_INT8] = {INT8_MIN, INT8_MAX},
    [DT_INT16] = {INT16_MIN, INT16_MAX},
    [DT_INT32] = {INT32_MIN, INT32_MAX},
    [DT_INT64] = {INT64_MIN, INT64_MAX},
};

enum code data_fail(struct data *data, enum code code, const char *fmt, ...)
{
  char text[ERR_TEXT_MAX];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  fail(data->err, code, "input \"%.*s\": %s", SLICE_ARG(data->name), text);
  uint32_t i = data->place;
  switch (data->where) {
    case DATA_V2: fail_at(data->err, "inputs[%u].data", i); break;
    case DATA_ROW: fail_at(data->err, "instances[%u]", i); break;
    case DATA_ROW_NAME: fail_at(data->err, "instances[%u].%.*s", i, SLICE_ARG(data->name)); break;
    case DATA_COLUMN: fail_at(data->err, "inputs"); break;
    case DATA_COLUMN_NAME: fail_at(data->err, "inputs.%.*s", SLICE_ARG(data->name)); break;
  }
  return data->json->code = code;
}

/* Fails at the element that would be read next: its token is quoted, `why` follows. */
static const char *element_fail(struct data *data, enum code code, struct slice token,
                                const char *why)
{
  unsigned long long i = data->n - data->from;
  data_fail(data, code, "element %llu is %.*s, %s %s", i, SLICE_ARG(token), why,
            dtype_name(data->dtype));
  if (data->where == DATA_V2) fail_at(data->err, "inputs[%u].data[%llu]", data->place, i);
  return NULL;
}

static enum code memory_fail(struct data *data)
{
  return data_fail(data, E_OUT_OF_MEMORY, "its values need more memory than a call has");
}

/* ---- single elements: each stores at data->n and returns what follows, NULL on an error */

/* An element of a kind the datatype does not take; if it is not JSON at all, that is said. */
static const char *element_wrong(struct data *data, const char *p)
{
  struct slice raw;
  data->json->at = p;
  data->json->state = JSON_WANT_VALUE;
  if (json_skip(data->json, &raw) != OK) return NULL;
  enum dtype dtype = data->dtype;
  const char *why = dtype == DT_BYTES   ? "not a string for"
                    : dtype == DT_BOOL  ? "neither true nor false nor 0 nor 1 for"
                    : ranges[dtype].max ? "not an integer for"
                                        : "not a number for";
  return element_fail(data, E_WRONG_TYPE, raw, why);
}

static void integer_store(struct data *data, uint64_t value)
{
  size_t width = dtype_width(data->dtype);
  memcpy(data->at + data->n * width, &value, width);
}

static const char *integer_element(struct data *data, const char *p)
{
  struct json_number number;
  const char *end = data->json->end;
  if (!json_is_digit(*p) && *p != '-') return element_wrong(data, p);
  const char *next = json_number_scan(p, end, &number);
  if (!next || !json_number_fits(p, next) || !number.whole) return element_wrong(data, p);
  const struct range *range = &ranges[data->dtype];
  struct slice token = slice_of(p, (size_t)(next - p));
  uint64_t value = number.digits;
  bool over = !number.small;
  if (over && data->dtype == DT_UINT64) over = !json_number_u64(token, &value, &over);
  if (number.negative)
    over = over || value > 0 - (uint64_t)range->min;
  else
    over = over || value > range->max;
  if (over) return element_fail(data, E_VALUE_OUT_OF_RANGE, token, "outside");
  integer_store(data, number.negative ? 0 - value : value);
  return next;
}

static const char *bool_element(struct data *data, const char *p)
{
  struct slice rest = slice_of(p, (size_t)(data->json->end - p));
  bool yes = slice_starts(rest, SLICE("true"));
  if (!yes && !slice_starts(rest, SLICE("false"))) return integer_element(data, p);
  data->at[data->n] = (char)yes;
  return p + (yes ? 4 : 5);
}

/* The three strings that are floats; NULL without an error for anything else. */
static const char *float_word(struct data *data, const char *p, double *value)
{
  enum { RAW_MAX = 6 * 9 }; /* "-Infinity", every character escaped */
  char plain[RAW_MAX];
  bool escaped;
  const char *close = json_string_scan(data->json, p, &escaped);
  if (!close || close - p - 1 > RAW_MAX) return NULL;
  size_t len = json_unescape(slice_of(p + 1, (size_t)(close - p - 1)), plain);
  struct slice word = slice_of(plain, len);
  if (slice_eq(word, SLICE("NaN")))
    *value = __builtin_nan("");
  else if (slice_eq(word, SLICE("Infinity")))
    *value = __builtin_inf();
  else if (slice_eq(word, SLICE("-Infinity")))
    *value = -__builtin_inf();
  else
    return NULL;
  return close + 1;
}

/* A float that is not a plain number in range. */
static const char *float_odd(struct data *data, const char *p)
{
  double value;
  const char *next = *p == '"' ? float_word(data, p, &value) : NULL;
  if (!next) return data->json->code == OK ? element_wrong(data, p) : NULL;
  float narrow = (float)value;
  if (data->dtype == DT_FP32)
    memcpy(data->at + data->n * 4, &narrow, 4);
  else
    memcpy(data->at + data->n * 8, &value, 8);
  return next;
}

static const char *float_over(struct data *data, const char *p, const char *next)
{
  return element_fail(data, E_VALUE_OUT_OF_RANGE, slice_of(p, (size_t)(next - p)), "outside");
}

static const char *f32_element(struct data *data, const char *p)
{
  struct json_number number;
  float value;
  const char *next = NULL, *end = data->json->end;
  if (json_is_digit(*p) || *p == '-') next = json_number_scan(p, end, &number);
  if (!next || !json_number_fits(p, next)) return float_odd(data, p);
  if (!json_number_to_f32(&number, p, next, &value)) return float_over(data, p, next);
  memcpy(data->at + data->n * sizeof value, &value, sizeof value);
  return next;
}

static const char *f64_element(struct data *data, const char *p)
{
  struct json_number number;
  double value;
  const char *next = NULL, *end = data->json->end;
  if (json_is_digit(*p) || *p == '-') next = json_number_scan(p, end, &number);
  if (!next || !json_number_fits(p, next)) return float_odd(data, p);
  if (!json_number_to_f64(&number, p, next, &value)) return float_over(data, p, next);
  memcpy(data->at + data->n * sizeof value, &value, sizeof value);
  return next;
}

/* ---- BYTES elements: strings, and base64 objects in V1; written in wire form */

static bool bytes_room(struct data *data, size_t need)
{
  if (need <= data->cap - data->used) return true;
  size_t cap = data->cap * 2;
  if (cap < data->used + need) cap = data->used + need;
  char *at = arena_grow(data->arena, data->at, data->cap, cap);
  if (!at) {
    data_fail(data, E_OUT_OF_MEMORY, "its values need more memory than a call has");
    return false;
  }
  data->at = at;
  data->cap = cap;
  return true;
}

static void bytes_length(struct data *data, size_t len)
{
  uint32_t head = (uint32_t)len;
  memcpy(data->at + data->used, &head, sizeof head);
  data->used += sizeof head + len;
}

static const char *bytes_wrong(struct data *data, const char *what)
{
  if (data->json->code != OK) return NULL;
  unsigned long long i = data->n - data->from;
  data_fail(data, E_WRONG_TYPE, "element %llu is not %s", i, what);
  if (data->where == DATA_V2) fail_at(data->err, "inputs[%u].data[%llu]", data->place, i);
  return NULL;
}

static const char *b64_element(struct data *data, const char *p)
{
  struct json *json = data->json;
  json->at = p;
  json->state = JSON_WANT_VALUE;
  if (json_next(json) != JSON_OBJECT || json_next(json) != JSON_KEY || !json_key_is(json, "b64") ||
      json_next(json) != JSON_STRING)
    return bytes_wrong(data, "a string or {\"b64\":\"...\"}");
  struct slice text = json->text;
  if (json_next(json) != JSON_OBJECT_END)
    return bytes_wrong(data, "{\"b64\":\"...\"} alone: it has other members");
  size_t len;
  size_t most = text.len / 4 * 3 + 3;
  if (!bytes_room(data, most + sizeof(uint32_t))) return NULL;
  if (!base64_read_loose(text, data->at + data->used + sizeof(uint32_t), most, &len))
    return bytes_wrong(data, "base64");
  bytes_length(data, len);
  return json->at;
}

static const char *bytes_element(struct data *data, const char *p)
{
  if (*p == '{' && data->b64) return b64_element(data, p);
  if (*p != '"') {
    struct slice raw;
    data->json->at = p;
    data->json->state = JSON_WANT_VALUE;
    if (json_skip(data->json, &raw) != OK) return NULL;
    return bytes_wrong(data, "a string");
  }
  bool escaped;
  const char *close = json_string_scan(data->json, p, &escaped);
  if (!close) return NULL;
  struct slice raw = slice_of(p + 1, (size_t)(close - p - 1));
  if (!bytes_room(data, raw.len + sizeof(uint32_t))) return NULL;
  char *to = data->at + data->used + sizeof(uint32_t);
  size_t len = raw.len;
  if (escaped)
    len = json_unescape(raw, to);
  else if (len)
    memcpy(to, raw.at, len);
  bytes_length(data, len);
  return close + 1;
}

/* ---- room */

/* Counts the scalars of the value that began at data->start, for an error that helps. */
static enum code values_count(struct data *data, uint64_t *count)
{
  struct json json;
  json_init(&json, data->arena, slice_of(data->start, (size_t)(data->json->end - data->start)),
            data->err);
  json.origin = data->json->origin + (size_t)(data->start - data->json->begin);
  json.depth = 0;
  json.skipping = true;
  *count = 0;
  do {
    enum json_kind kind = json_next(&json);
    if (kind == JSON_BAD) return data->json->code = json.code;
    *count += kind >= JSON_STRING;
  } while (json.depth > 0);
  return OK;
}

static enum code count_fail(struct data *data)
{
  char text[SHAPE_TEXT_MAX];
  uint64_t got;
  if (values_count(data, &got) != OK) return data->json->code;
  return data_fail(data, E_BAD_SHAPE, "shape %s needs %llu values, got %llu",
                   shape_text(data->shape, text, sizeof text), (unsigned long long)data->count,
                   (unsigned long long)got);
}

/* There is no room for the element at p: false with the error, or true with more room. */
static bool data_more(struct data *data, const char *p)
{
  if (data->fixed) return count_fail(data), false;
  size_t width = dtype_width(data->dtype);
  if (width == 0) return data->room = UINT64_MAX, true;
  /* As many as the text before promises for the text behind, never more than it can hold. */
  const struct json *json = data->json;
  uint64_t before = (uint64_t)(p - json->begin) + 1, left = (uint64_t)(json->end - p);
  uint64_t most = data->n + left / TEXT_PER_VALUE + 1;
  uint64_t likely = data->n + data->n + data->n * left / before + DATA_FIRST;
  size_t cap = (size_t)(likely < most ? likely : most) * width;
  char *at = arena_grow(data->arena, data->at, data->cap, cap);
  if (!at) return memory_fail(data), false;
  data->at = at;
  data->cap = cap;
  data->room = cap / width;
  return true;
}

/* ---- runs of scalars: from p (a scalar's first byte) to what follows the last one */

/* Whether another scalar follows at *p, which then stands on it; else on what follows. */
static inline bool run_goes_on(struct data *data, const char **p)
{
  const char *end = data->json->end, *at = *p;
  if (at < end && *at != ',') *p = at = json_space(at, end);
  if (at == end || *at != ',') return false;
  at++;
  if (at < end && *at <= ' ') at = json_space(at, end);
  *p = at;
  return true;
}

static const char *element(struct data *data, const char *p)
{
  switch (data->dtype) {
    case DT_FP32: return f32_element(data, p);
    case DT_FP64: return f64_element(data, p);
    case DT_BOOL: return bool_element(data, p);
    case DT_BYTES: return bytes_element(data, p);
    default: return integer_element(data, p);
  }
}

static const char *run(struct data *data, const char *p, bool single)
{
  do {
    if (p == data->json->end) return json_bad(data->json, p, E_BAD_JSON, "a value is due"), NULL;
    if (*p == '[') return data_fail(data, E_BAD_SHAPE, "the nesting is ragged"), NULL;
    if (data->n == data->room && !data_more(data, p)) return NULL;
    p = element(data, p);
    if (!p) return NULL;
    data->n++;
  } while (!single && run_goes_on(data, &p));
  return p;
}

/* run() for FP32, with what it needs in registers; anything odd goes through f32_element. */
static const char *run_f32(struct data *data, const char *p)
{
  const char *end = data->json->end;
  do {
    struct json_number number;
    float value;
    if (p == end || *p == '[') return run(data, p, false);
    if (data->n == data->room && !data_more(data, p)) return NULL;
    const char *next = json_number_scan(p, end, &number);
    if (next && next - p <= JSON_NUMBER_MAX && json_number_to_f32(&number, p, next, &value))
      memcpy(data->at + data->n * sizeof value, &value, sizeof value);
    else if (!(next = f32_element(data, p)))
      return NULL;
    p = next;
    data->n++;
  } while (run_goes_on(data, &p));
  return p;
}

/* ---- brackets */

static struct data_level *level_at(struct data *data, uint32_t depth)
{
  if (depth == data->n_levels) {
    data->levels[depth] = (struct data_level){.len = UINT32_MAX};
    data->n_levels++;
  }
  return &data->levels[depth];
}

static enum code ragged(struct data *data, uint32_t depth)
{
  return data_fail(data, E_BAD_SHAPE, "the nesting is ragged at level %u", depth);
}

/* A scalar among arrays, or the other way, or no value at all. */
static enum code mixed(struct data *data, const char *p, uint32_t depth)
{
  if (!*p || !strchr("[{\"-0123456789tfn", *p))
    return json_bad(data->json, p, E_BAD_JSON, "a value is due");
  return ragged(data, depth);
}

static enum code bracket_fail(struct data *data, const char *p)
{
  return json_bad(data->json, p, E_BAD_JSON,
                  p == data->json->end ? "the text ends inside an object or array"
                                       : "a comma or the end of the array is due");
}

enum code data_value(struct data *data)
{
  struct json *json = data->json;
  uint32_t lens[JSON_DEPTH_MAX], depth = 0;
  const char *p = json_space(json->at, json->end);
  data->start = p;
  data->from = data->fixed ? 0 : data->n;
  for (;;) {
    if (p == json->end) return json_bad(json, p, E_BAD_JSON, "the text ends where a value is due");
    struct data_level *level = level_at(data, depth);
    enum data_kind kind = *p == '[' ? DATA_ARRAY : DATA_SCALAR;
    if (level->kind && level->kind != kind) return mixed(data, p, depth);
    level->kind = kind;
    bool close = false;
    if (kind == DATA_ARRAY) {
      if (json->depth + depth == JSON_DEPTH_MAX)
        return json_bad(json, p, E_JSON_TOO_DEEP, "nested deeper than 64");
      lens[depth++] = 0;
      p = json_space(p + 1, json->end);
      close = p < json->end && *p == ']';
      if (!close) continue;
    } else {
      uint64_t before = data->n;
      p = data->dtype == DT_FP32 && depth ? run_f32(data, p) : run(data, p, depth == 0);
      if (!p) return json->code;
      if (depth) lens[depth - 1] = (uint32_t)(data->n - before);
    }
    while (depth > 0) { /* after a value: its array goes on or ends, and so may those around it */
      p = json_space(p, json->end);
      if (p < json->end && *p == ',') break;
      if (p == json->end || *p != ']') return bracket_fail(data, p);
      p++;
      level = level_at(data, --depth);
      if (level->len == UINT32_MAX) level->len = lens[depth];
      if (level->len != lens[depth]) return ragged(data, depth);
      if (depth) lens[depth - 1]++;
    }
    if (depth == 0) break;
    p = json_space(p + 1, json->end);
  }
  json_passed(json, p);
  return OK;
}

/* ---- begin and end */

enum code data_init(struct data *data, struct json *json, const struct tensor *tensor,
                    uint32_t place, struct arena *arena, struct err *err)
{
  data_init_free(data, tensor->name, tensor->dtype, arena, err);
  data->json = json;
  data->where = DATA_V2;
  data->place = place;
  data->fixed = true;
  data->count = data->room = tensor->count;
  data->shape = &tensor->shape;
  data->start = json->at;
  size_t width = dtype_width(tensor->dtype), left = (size_t)(json->end - json->at);
  if (tensor->count > (left + 1) / (width ? TEXT_PER_VALUE : TEXT_PER_STRING))
    return count_fail(data);
  /* A string of n bytes stands in n + 3 of the text and takes n + 4. */
  data->cap = width ? (size_t)tensor->count * width : left + (size_t)tensor->count;
  if (data->cap && !(data->at = arena_get(arena, data->cap))) return memory_fail(data);
  return OK;
}

void data_init_free(struct data *data, struct slice name, enum dtype dtype, struct arena *arena,
                    struct err *err)
{
  data->json = NULL;
  data->arena = arena;
  data->err = err;
  data->name = name;
  data->dtype = dtype;
  data->fixed = data->b64 = false;
  data->count = data->n = data->room = data->from = 0;
  data->at = NULL;
  data->used = data->cap = 0;
  data->shape = NULL;
  data->n_levels = 0;
}

enum code data_end(struct data *data, struct tensor *tensor)
{
  if (data->fixed && data->n != data->count) return count_fail(data);
  size_t width = dtype_width(data->dtype);
  tensor->bytes = width ? (size_t)data->n * width : data->used;
  tensor->data = tensor->bytes ? data->at : NULL;
  return OK;
}
