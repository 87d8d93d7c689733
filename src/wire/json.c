/* json.c - the pull reader: one state, one bit per open container, one stack of open keys.
 * Thread: any, pure.
 * Why a sorted index and not a hash table for keys: it needs no seed, so the codec stays a function
 * of its input, and no input makes it slower than n log n compares.
 * SPDX-License-Identifier: MIT */
#include "wire/json.h"

#include <stdio.h>

#include "base/text.h"
#include "base/utf8.h"
#include "wire/json_int.h"

enum { KEYS_LINEAR = 8 };

void json_init(struct json *json, struct arena *arena, struct slice text, struct err *err)
{
  if (!text.at) text = SLICE("");
  json->code = OK;
  json->text = json->key = SLICE_NONE;
  json->string_max = JSON_STRING_MAX;
  json->begin = json->at = json->token = text.at;
  json->end = text.at + text.len;
  json->origin = 0;
  json->arena = arena;
  json->err = err;
  json->state = JSON_WANT_VALUE;
  json->depth = 0;
  json->objects = 0;
  json->keys = json->keys_inline;
  json->order = json->order_inline;
  json->n_keys = 0;
  json->keys_cap = JSON_KEYS_INLINE;
  json->skipping = false;
}

enum code json_bad(struct json *json, const char *at, enum code code, const char *what)
{
  if (json->code != OK) return json->code;
  json->token = at;
  return json->code = fail(json->err, code, "the JSON text is refused at byte %zu: %s",
                           json_offset(json), what);
}

size_t json_offset(const struct json *json)
{
  return json->origin + (size_t)(json->token - json->begin);
}

/* ---- strings */

/* Any byte of w that ends a plain run: a quote, a backslash, a control byte, or one that is not
 * ASCII. Exact in the lowest byte that is set, which is all that is used. */
static uint64_t word_stops(uint64_t w)
{
  const uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;
  uint64_t quote = w ^ ones * '"', slash = w ^ ones * '\\';
  return ((quote - ones) | (slash - ones) | (w - ones * 0x20) | w) & highs;
}

/* The four hex digits at p; -1 when they are none. */
static int32_t hex_four(const char *p, const char *end)
{
  int32_t unit = 0;
  if (end - p < 4) return -1;
  for (int i = 0; i < 4; i++) {
    int digit = hex_value(p[i]);
    if (digit < 0) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

/* Checks the escape at p (a backslash); returns what follows it, NULL with *what filled. */
static const char *escape_check(const char *p, const char *end, const char **what)
{
  *what = "a backslash starts no escape that JSON knows";
  if (end - p < 2 || !strchr("\"\\/bfnrtu", p[1]) || !p[1]) return NULL;
  if (p[1] != 'u') return p + 2;
  int32_t unit = hex_four(p + 2, end);
  *what = "\\u wants four hexadecimal digits";
  if (unit < 0) return NULL;
  p += 6;
  if (unit < 0xd800 || unit > 0xdfff) return p;
  *what = "half of a surrogate pair";
  if (unit > 0xdbff || end - p < 6 || p[0] != '\\' || p[1] != 'u') return NULL;
  unit = hex_four(p + 2, end);
  return unit >= 0xdc00 && unit <= 0xdfff ? p + 6 : NULL;
}

const char *json_string_scan(struct json *json, const char *quote, bool *escaped)
{
  const char *p = quote + 1, *end = json->end, *what;
  *escaped = false;
  for (;;) {
    while (end - p >= 8) {
      uint64_t w;
      memcpy(&w, p, sizeof w);
      uint64_t stops = word_stops(w);
      if (stops) {
        p += __builtin_ctzll(stops) >> 3;
        break;
      }
      p += 8;
    }
    if (p >= end) break;
    unsigned char c = (unsigned char)*p;
    if (c == '"') {
      if ((size_t)(p - quote) <= json->string_max + 1) return p;
      json_bad(json, quote, E_BAD_JSON, "a string is too long");
      return NULL;
    }
    if (c == '\\') {
      const char *next = escape_check(p, end, &what);
      if (!next) return json_bad(json, p, E_BAD_JSON, what), NULL;
      *escaped = true;
      p = next;
    } else if (c < 0x20) {
      json_bad(json, p, E_BAD_JSON, "a control byte in a string; escape it");
      return NULL;
    } else if (c < 0x80) {
      p++;
    } else {
      size_t n = utf8_len(slice_of(p, (size_t)(end - p)));
      if (!n) return json_bad(json, p, E_BAD_JSON, "not UTF-8"), NULL;
      p += n;
    }
  }
  json_bad(json, quote, E_BAD_JSON, "a string does not end");
  return NULL;
}

size_t json_unescape(struct slice raw, char *to)
{
  static const char plain[256] = {['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
                                  ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t'};
  const char *p = raw.at, *end = raw.at + raw.len;
  char *out = to;
  while (p < end) {
    const char *slash = memchr(p, '\\', (size_t)(end - p));
    size_t run = (size_t)((slash ? slash : end) - p);
    memcpy(out, p, run);
    out += run, p += run;
    if (!slash) break;
    if (p[1] != 'u') {
      *out++ = plain[(unsigned char)p[1]];
      p += 2;
      continue;
    }
    uint32_t cp = (uint32_t)hex_four(p + 2, end);
    p += 6;
    if (cp >= 0xd800 && cp <= 0xdbff) {
      cp = 0x10000 + ((cp - 0xd800) << 10) + ((uint32_t)hex_four(p + 2, end) - 0xdc00);
      p += 6;
    }
    out += utf8_put(out, cp);
  }
  return (size_t)(out - to);
}

/* Reads the string at `quote` into json->text and goes past it. Skipped ones are only checked. */
static bool string_read(struct json *json, const char *quote, bool wanted)
{
  bool escaped;
  const char *close = json_string_scan(json, quote, &escaped);
  if (!close) return false;
  json->text = slice_of(quote + 1, (size_t)(close - quote - 1));
  json->at = close + 1;
  if (!escaped || !wanted) return true;
  char *plain = arena_get(json->arena, json->text.len);
  if (!plain) {
    json->code =
        fail(json->err, E_OUT_OF_MEMORY, "the JSON text needs more memory than a call has");
    return false;
  }
  json->text = slice_of(plain, json_unescape(json->text, plain));
  return true;
}

/* ---- keys */

static uint64_t key_tag(struct slice key)
{
  uint32_t head = 0, tail = 0;
  if (key.len >= 4) {
    memcpy(&head, key.at, sizeof head);
    memcpy(&tail, key.at + key.len - sizeof tail, sizeof tail);
  } else if (key.len) {
    const unsigned char *at = (const unsigned char *)key.at;
    head = (uint32_t)at[0] | (uint32_t)at[key.len / 2] << 8 | (uint32_t)at[key.len - 1] << 16;
  }
  return (uint64_t)tail << 32 | head;
}

static int key_order(const struct json_key *a, const struct json_key *b)
{
  if (a->tag != b->tag) return a->tag < b->tag ? -1 : 1;
  if (a->text.len != b->text.len) return a->text.len < b->text.len ? -1 : 1;
  return a->text.len <= 8 ? 0 : memcmp(a->text.at, b->text.at, a->text.len);
}

/* Puts keys[i] into the sorted order[0..i); false when an equal one is there. */
static bool order_insert(const struct json_key *keys, uint16_t *order, uint32_t i)
{
  uint32_t low = 0, high = i;
  while (low < high) {
    uint32_t mid = (low + high) / 2;
    int way = key_order(&keys[i], &keys[order[mid]]);
    if (way == 0) return false;
    if (way < 0)
      high = mid;
    else
      low = mid + 1;
  }
  memmove(order + low + 1, order + low, (i - low) * sizeof *order);
  order[low] = (uint16_t)i;
  return true;
}

static bool keys_grow(struct json *json)
{
  uint32_t cap = json->keys_cap * 2;
  struct json_key *keys = arena_get(json->arena, cap * sizeof *keys);
  uint16_t *order = arena_get(json->arena, cap * sizeof *order);
  if (!keys || !order) {
    json->code =
        fail(json->err, E_OUT_OF_MEMORY, "the JSON text needs more memory than a call has");
    return false;
  }
  memcpy(keys, json->keys, json->n_keys * sizeof *keys);
  memcpy(order, json->order, json->n_keys * sizeof *order);
  json->keys = keys;
  json->order = order;
  json->keys_cap = cap;
  return true;
}

static bool key_add(struct json *json, struct slice key, const char *at)
{
  uint32_t from = json->keys_from[json->depth - 1], n = json->n_keys - from;
  if (n == JSON_KEYS_MAX)
    return json_bad(json, at, E_BAD_JSON, "an object has more than 1024 keys"), false;
  if (json->n_keys == json->keys_cap && !keys_grow(json)) return false;
  struct json_key *keys = json->keys + from;
  uint16_t *order = json->order + from;
  bool fresh = true;
  keys[n] = (struct json_key){key, key_tag(key)};
  if (n < KEYS_LINEAR) {
    for (uint32_t i = 0; i < n; i++)
      if (keys[i].tag == keys[n].tag && key_order(&keys[i], &keys[n]) == 0) fresh = false;
  } else {
    if (n == KEYS_LINEAR)
      for (uint32_t i = 0; i < n; i++) must(order_insert(keys, order, i));
    fresh = order_insert(keys, order, n);
  }
  json->n_keys++;
  if (fresh) return true;
  json->token = at;
  json->code = fail(json->err, E_DUPLICATE_KEY, "key \"%.*s\" is twice in one object, at byte %zu",
                    SLICE_ARG(key), json_offset(json));
  return false;
}

/* ---- tokens */

static enum json_kind bad(struct json *json, const char *at, const char *what)
{
  json_bad(json, at, E_BAD_JSON, what);
  return JSON_BAD;
}

static enum json_kind container_open(struct json *json, bool object)
{
  if (json->depth == JSON_DEPTH_MAX) {
    json_bad(json, json->at, E_JSON_TOO_DEEP, "nested deeper than 64");
    return JSON_BAD;
  }
  uint64_t bit = UINT64_C(1) << json->depth;
  json->objects = object ? json->objects | bit : json->objects & ~bit;
  json->keys_from[json->depth++] = json->n_keys;
  json->at++;
  json->state = object ? JSON_WANT_FIRST_KEY : JSON_WANT_FIRST_VALUE;
  return object ? JSON_OBJECT : JSON_ARRAY;
}

static enum json_kind container_close(struct json *json, bool object)
{
  json->n_keys = json->keys_from[--json->depth];
  json_passed(json, json->at + 1);
  return object ? JSON_OBJECT_END : JSON_ARRAY_END;
}

static enum json_kind key_read(struct json *json)
{
  const char *quote = json->at;
  if (quote == json->end || *quote != '"') return bad(json, quote, "a key is due, in quotes");
  json->token = quote;
  if (!string_read(json, quote, true) || !key_add(json, json->text, quote)) return JSON_BAD;
  json->key = json->text;
  const char *colon = json_space(json->at, json->end);
  if (colon == json->end || *colon != ':') return bad(json, colon, "a colon is due");
  json->at = colon + 1;
  json->state = JSON_WANT_VALUE;
  return JSON_KEY;
}

static enum json_kind word_read(struct json *json, struct slice word, enum json_kind kind)
{
  if (!slice_starts(slice_of(json->at, (size_t)(json->end - json->at)), word))
    return bad(json, json->at, "a value is due");
  json_passed(json, json->at + word.len);
  return kind;
}

static enum json_kind number_read(struct json *json)
{
  struct json_number number;
  const char *end = json_number_scan(json->at, json->end, &number);
  if (!end) return bad(json, json->at, "not a number as JSON writes it");
  if (!json_number_fits(json->at, end))
    return bad(json, json->at, "a number has more than 64 characters");
  json->text = slice_of(json->at, (size_t)(end - json->at));
  json_passed(json, end);
  return JSON_NUMBER;
}

static enum json_kind value_read(struct json *json)
{
  const char *at = json->at;
  if (at == json->end) return bad(json, at, "the text ends where a value is due");
  json->token = at;
  switch (*at) {
    case '{': return container_open(json, true);
    case '[': return container_open(json, false);
    case '"':
      if (!string_read(json, at, !json->skipping)) return JSON_BAD;
      json->state = JSON_WANT_MORE;
      return JSON_STRING;
    case 't': return word_read(json, SLICE("true"), JSON_TRUE);
    case 'f': return word_read(json, SLICE("false"), JSON_FALSE);
    case 'n': return word_read(json, SLICE("null"), JSON_NULL);
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9': return number_read(json);
    case '\xef':
      if (at == json->begin) return bad(json, at, "a byte order mark; send UTF-8 without it");
  }
  return bad(json, at, "a value is due");
}

/* After a value: a comma, the container's end, or the document's. */
static enum json_kind more_read(struct json *json)
{
  const char *at = json->at;
  if (json->depth == 0)
    return at == json->end ? JSON_DONE : bad(json, at, "bytes after the end of the document");
  bool object = json->objects >> (json->depth - 1) & 1;
  if (at == json->end) return bad(json, at, "the text ends inside an object or array");
  json->token = at;
  if (*at == (object ? '}' : ']')) return container_close(json, object);
  if (*at != ',') return bad(json, at, "a comma or the end of the object or array is due");
  json->at = json_space(at + 1, json->end);
  return object ? key_read(json) : value_read(json);
}

enum json_kind json_next(struct json *json)
{
  if (json->code != OK) return JSON_BAD;
  json->at = json_space(json->at, json->end);
  const char *at = json->at;
  switch (json->state) {
    case JSON_WANT_VALUE: return value_read(json);
    case JSON_WANT_MORE: return more_read(json);
    case JSON_WANT_FIRST_VALUE:
      if (at < json->end && *at == ']') return container_close(json, false);
      return value_read(json);
    default:
      if (at < json->end && *at == '}') return container_close(json, true);
      return key_read(json);
  }
}

bool json_element(struct json *json)
{
  const char *at = json_space(json->at, json->end);
  bool first = json->state == JSON_WANT_FIRST_VALUE;
  if (json->code == OK && at < json->end && (first ? *at != ']' : *at == ',')) {
    json->at = first ? at : at + 1;
    json->state = JSON_WANT_VALUE;
    return true;
  }
  json_next(json);
  return false;
}

enum code json_skip(struct json *json, struct slice *raw)
{
  uint32_t depth = json->depth;
  json->skipping = true;
  enum json_kind kind = json_next(json);
  const char *start = json->token;
  if (kind == JSON_OBJECT_END || kind == JSON_ARRAY_END || kind == JSON_DONE || kind == JSON_KEY)
    json_bad(json, json->token, E_BAD_JSON, "a value is due");
  while (json->depth > depth && kind != JSON_BAD) kind = json_next(json);
  json->skipping = false;
  if (raw && json->code == OK) *raw = slice_of(start, (size_t)(json->at - start));
  return json->code;
}

enum code json_end(struct json *json)
{
  if (json->code == OK && json_next(json) != JSON_DONE)
    json_bad(json, json->token, E_BAD_JSON, "the document goes on where it should end");
  return json->code;
}

/* What is refused for its kind must be JSON all the same: a container just opened is read to its
 * end, so that nesting or garbage inside is told first. */
static void refused_finish(struct json *json)
{
  bool opened = json->token < json->end && (*json->token == '{' || *json->token == '[');
  if (!opened || json->depth == 0) return;
  uint32_t depth = json->depth - 1;
  json->skipping = true;
  while (json->code == OK && json->depth > depth) json_next(json);
  json->skipping = false;
}

enum code json_refuse(struct json *json, const char *wanted)
{
  struct slice key = json->key;
  size_t offset = json_offset(json);
  if (json->code == OK) refused_finish(json);
  if (json->code != OK) return json->code;
  if (key.at)
    return json->code = fail(json->err, E_WRONG_TYPE, "\"%.*s\" is not %s, at byte %zu",
                             SLICE_ARG(key), wanted, offset);
  return json->code = fail(json->err, E_WRONG_TYPE, "the JSON value at byte %zu is not %s", offset,
                           wanted);
}

/* ---- single values of a known kind */

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
