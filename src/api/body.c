/* body.c - reading JSON bodies and query strings strictly, and small JSON values.
 * Thread: desk.
 * jansson parses by recursion and up to a depth of 2,048; we count the depth first and refuse past
 * 64, so that its stack use stays flat.
 * SPDX-License-Identifier: MIT */
#include "api/ask_int.h"

#include <math.h>
#include <stdarg.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "wire/url.h"

enum { MEMBERS_MAX = 16 }; /* that one call of ask_members names */

/* ---- small JSON ---- */

void json_start(void)
{
  json_set_alloc_funcs(grab, ungrab);
  json_object_seed(0);
}

json_t *json_slice(struct slice text)
{
  json_t *json = json_stringn(text.at ? text.at : "", text.len);
  if (json) return json;
  struct buf buf;
  buf_init(&buf, 3 * text.len + 1);
  while (text.len) {
    size_t n = utf8_len(text);
    buf_add(&buf, n ? slice_of(text.at, n) : SLICE("\xef\xbf\xbd"));
    text = slice_from(text, n ? n : 1);
  }
  json = json_stringn(buf.at, buf.len);
  buf_deinit(&buf);
  must(json != NULL);
  return json;
}

json_t *json_u64(uint64_t value)
{
  return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

json_t *json_digest(const struct digest *digest)
{
  char hex[SHA256_HEX_LEN + 1];
  digest_hex(digest, hex);
  return json_string(hex);
}

json_t *json_time(int64_t wall_ms)
{
  char text[25];
  if (wall_ms <= 0) return json_null();
  clock_text(wall_ms, text);
  return json_string(text);
}

/* ---- parsing ---- */

static bool depth_is_sane(struct slice text)
{
  size_t depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.len; i++) {
    char c = text.at[i];
    if (in_string) {
      if (c == '\\')
        i++;
      else if (c == '"')
        in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > ASK_DEPTH_MAX) return false;
    } else if ((c == ']' || c == '}') && depth) {
      depth--;
    }
  }
  return true;
}

/* What the parser calls it, in our words: its own speak of its C interface and quote bytes. */
static enum code parse_fail(const json_error_t *error, struct err *err)
{
  enum code code = E_BAD_JSON;
  const char *what = "something else stands where a value, ',', ':' or a bracket belongs";
  switch (json_error_code(error)) {
    case json_error_duplicate_key:
      code = E_DUPLICATE_KEY;
      what = "an object has the same member twice";
      break;
    case json_error_stack_overflow:
      code = E_JSON_TOO_DEEP;
      what = "it is nested too deep";
      break;
    case json_error_numeric_overflow:
      code = E_VALUE_OUT_OF_RANGE;
      what = "a number is too large";
      break;
    case json_error_invalid_utf8: what = "a text is not UTF-8"; break;
    case json_error_premature_end_of_input: what = "it ends too early"; break;
    case json_error_end_of_input_expected: what = "something follows its end"; break;
    case json_error_null_character:
    case json_error_null_byte_in_key: what = "\\u0000 has no place in a text"; break;
    default: break;
  }
  return fail(err, code, "the JSON is not valid at line %d, column %d: %s", error->line,
              error->column, what);
}

json_t *json_parse(struct slice text, struct err *err)
{
  json_error_t error;
  if (!depth_is_sane(text)) {
    fail(err, E_JSON_TOO_DEEP, "the JSON is nested deeper than %d levels", ASK_DEPTH_MAX);
    return NULL;
  }
  json_t *json = json_loadb(text.at ? text.at : "", text.len,
                            JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
  if (!json) (void)parse_fail(&error, err);
  return json;
}

bool ask_body(struct ask *ask)
{
  struct slice text = ask->letter->body;
  must(ask->body == NULL);
  if (text.len == 0) {
    ask->body = json_object();
    return true;
  }
  ask->body = json_parse(text, &ask->err);
  if (!ask->body) return false;
  if (json_is_object(ask->body)) return true;
  fail(&ask->err, E_WRONG_TYPE, "the body is not a JSON object");
  return false;
}

bool members_known(struct ask *ask, const json_t *object, const char *const *names, const char *of)
{
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)(uintptr_t)object, key, value)
  {
    size_t i = 0;
    while (names[i] && strcmp(names[i], key) != 0) i++;
    if (names[i]) continue;
    fail(&ask->err, E_INVALID_ARGUMENT, "there is no member '%.64s' in %s", key, of);
    fail_at(&ask->err, "%.64s", key);
    return false;
  }
  return true;
}

bool ask_members(struct ask *ask, const char *first, ...)
{
  const char *names[MEMBERS_MAX + 1] = {first};
  va_list more;
  va_start(more, first);
  for (size_t n = 0; names[n];) {
    must(n < MEMBERS_MAX);
    names[++n] = va_arg(more, const char *);
  }
  va_end(more);
  return members_known(ask, ask->body, names, "this request");
}

static bool wrong_type(struct ask *ask, const char *key, const char *wanted)
{
  fail(&ask->err, E_WRONG_TYPE, "member '%s' is not %s", key, wanted);
  fail_at(&ask->err, "%s", key);
  return false;
}

bool member_str(struct ask *ask, const json_t *object, const char *key, size_t bytes_max,
                struct slice *value)
{
  const json_t *member = json_object_get(object, key);
  if (!member) return true;
  if (!json_is_string(member)) return wrong_type(ask, key, "a string");
  *value = slice_of(json_string_value(member), json_string_length(member));
  if (value->len <= bytes_max) return true;
  fail(&ask->err, E_INVALID_ARGUMENT, "member '%s' is longer than %zu bytes", key, bytes_max);
  fail_at(&ask->err, "%s", key);
  return false;
}

bool json_whole(const json_t *json, int64_t *value)
{
  double real = json_is_real(json) ? json_real_value(json) : 0.5;
  if (json_is_integer(json)) {
    *value = json_integer_value(json);
    return true;
  }
  if (real != floor(real) || fabs(real) >= 0x1p53) return false;
  *value = (int64_t)real;
  return true;
}

bool member_int(struct ask *ask, const json_t *object, const char *key, int64_t min, int64_t max,
                int64_t *value)
{
  const json_t *member = json_object_get(object, key);
  if (!member) return true;
  if (!json_whole(member, value)) return wrong_type(ask, key, "a whole number");
  if (*value >= min && *value <= max) return true;
  fail(&ask->err, E_VALUE_OUT_OF_RANGE, "member '%s' is %lld, it must lie between %lld and %lld",
       key, (long long)*value, (long long)min, (long long)max);
  fail_at(&ask->err, "%s", key);
  return false;
}

bool member_bool(struct ask *ask, const json_t *object, const char *key, bool *value)
{
  const json_t *member = json_object_get(object, key);
  if (!member) return true;
  if (!json_is_boolean(member)) return wrong_type(ask, key, "true or false");
  *value = json_is_true(member);
  return true;
}

/* ---- the query string ---- */

bool ask_query(struct ask *ask, const char *key, struct slice *value)
{
  struct slice raw = url_query_get(ask->letter->query, slice_str(key));
  *value = SLICE_NONE;
  if (!raw.at) return true;
  if (url_decode(raw, true, &ask->arena, value, &ask->err) == OK) return true;
  fail_at(&ask->err, "%s", key);
  return false;
}

bool ask_query_int(struct ask *ask, const char *key, int64_t min, int64_t max, int64_t *value)
{
  struct slice text;
  uint64_t number;
  if (!ask_query(ask, key, &text)) return false;
  if (!text.at) return true;
  if (text_read_u64(text, (uint64_t)max, &number) && (int64_t)number >= min) {
    *value = (int64_t)number;
    return true;
  }
  fail(&ask->err, E_VALUE_OUT_OF_RANGE, "?%s= is '%.*s', it must be a number from %lld to %lld",
       key, SLICE_ARG(text), (long long)min, (long long)max);
  fail_at(&ask->err, "%s", key);
  return false;
}
