/* json_read.c - single values of a known kind: for error bodies, parameters, small objects.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "wire/json_int.h"

enum code json_read_str(struct json *json, struct slice *value)
{
  if (json_next(json) != JSON_STRING) return json_refuse(json, "a string");
  *value = json->text;
  return OK;
}

enum code json_read_bool(struct json *json, bool *value)
{
  enum json_kind kind = json_next(json);
  if (kind != JSON_TRUE && kind != JSON_FALSE) return json_refuse(json, "true or false");
  *value = kind == JSON_TRUE;
  return OK;
}

static enum code beyond(struct json *json, const char *type)
{
  return json->code = fail(json->err, E_VALUE_OUT_OF_RANGE, "\"%.*s\" is %.*s, outside %s",
                           SLICE_ARG(json->key), SLICE_ARG(json->text), type);
}

enum code json_read_i64(struct json *json, int64_t *value)
{
  bool over = false;
  if (json_next(json) != JSON_NUMBER) return json_refuse(json, "an integer");
  if (json_number_i64(json->text, value, &over)) return OK;
  return over ? beyond(json, "INT64") : json_refuse(json, "an integer");
}

enum code json_read_u64(struct json *json, uint64_t *value)
{
  bool over = false;
  if (json_next(json) != JSON_NUMBER) return json_refuse(json, "an unsigned integer");
  if (json_number_u64(json->text, value, &over)) return OK;
  return over ? beyond(json, "UINT64") : json_refuse(json, "an unsigned integer");
}

enum code json_read_f64(struct json *json, double *value)
{
  struct json_number number;
  if (json_next(json) != JSON_NUMBER) return json_refuse(json, "a number");
  const char *end = json->text.at + json->text.len;
  json_number_scan(json->text.at, end, &number);
  return json_number_to_f64(&number, json->text.at, end, value) ? OK : beyond(json, "FP64");
}
