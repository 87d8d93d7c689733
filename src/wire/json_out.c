/* json_out.c - the writer: the last byte tells whether a comma is due.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "wire/json_out.h"

#include <math.h>

#include "base/text.h"
#include "base/utf8.h"

enum { OUT_FIRST = 256 };

void json_out_init(struct json_out *out, struct arena *arena, size_t bytes_likely)
{
  *out = (struct json_out){.arena = arena};
  json_out_room(out, bytes_likely ? bytes_likely : OUT_FIRST);
}

bool json_out_room(struct json_out *out, size_t n)
{
  if (n <= out->cap - out->len) return !out->full;
  if (out->full) return false;
  size_t cap = out->cap * 2;
  if (cap < out->len + n) cap = out->len + n;
  char *at = arena_grow(out->arena, out->at, out->cap, cap);
  if (!at) { /* doubling was too much: the exact need may still fit */
    cap = out->len + n;
    at = arena_grow(out->arena, out->at, out->cap, cap);
  }
  if (!at) {
    out->full = true;
    return false;
  }
  out->at = at;
  out->cap = cap;
  return true;
}

void json_out_raw(struct json_out *out, struct slice bytes)
{
  if (!bytes.len || !json_out_room(out, bytes.len)) return;
  memcpy(out->at + out->len, bytes.at, bytes.len);
  out->len += bytes.len;
}

static bool comma_is_due(const struct json_out *out)
{
  if (!out->len) return false;
  char last = out->at[out->len - 1];
  return last != '{' && last != '[' && last != ':' && last != ',';
}

/* Room for n bytes and the comma that may be due, which it writes. */
static bool value_begin(struct json_out *out, size_t n)
{
  if (!json_out_room(out, n + 1)) return false;
  if (comma_is_due(out)) out->at[out->len++] = ',';
  return true;
}

void json_out_value(struct json_out *out, struct slice json_text)
{
  if (!value_begin(out, json_text.len) || !json_text.len) return;
  memcpy(out->at + out->len, json_text.at, json_text.len);
  out->len += json_text.len;
}

void json_out_open(struct json_out *out, char bracket)
{
  if (value_begin(out, 1)) out->at[out->len++] = bracket;
}

void json_out_close(struct json_out *out, char bracket)
{
  json_out_raw(out, slice_of(&bracket, 1));
}

void json_out_key(struct json_out *out, const char *key)
{
  size_t len = strlen(key);
  if (!value_begin(out, len + 3)) return;
  char *to = out->at + out->len;
  to[0] = '"';
  memcpy(to + 1, key, len);
  to[len + 1] = '"';
  to[len + 2] = ':';
  out->len += len + 3;
}

void json_out_key_of(struct json_out *out, struct slice key)
{
  json_out_str(out, key);
  json_out_raw(out, SLICE(":"));
}

/* Puts one byte that JSON must not hold as it is. */
static size_t escape_put(char *to, unsigned char c)
{
  static const char brief[128] = {['"'] = '"',  ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f',
                                  ['\n'] = 'n', ['\r'] = 'r',  ['\t'] = 't'};
  to[0] = '\\';
  if (brief[c]) return to[1] = brief[c], 2;
  memcpy(to + 1, "u00", 3);
  hex_number(c, to + 4, 2);
  return 6;
}

/* How many bytes at the front of s go out as they are. */
static size_t plain_run(struct slice s)
{
  size_t i = 0;
  while (i < s.len) {
    unsigned char c = (unsigned char)s.at[i];
    if (c < 0x20 || c == '"' || c == '\\' || c == 0x7f) break;
    size_t n = c < 0x80 ? 1 : utf8_len(slice_of(s.at + i, s.len - i));
    if (!n) break;
    i += n;
  }
  return i;
}

void json_out_str(struct json_out *out, struct slice text)
{
  if (!value_begin(out, text.len + 2)) return;
  out->at[out->len++] = '"';
  while (text.len) {
    size_t run = plain_run(text);
    json_out_raw(out, slice_of(text.at, run));
    text = slice_from(text, run);
    if (!text.len) break;
    unsigned char c = (unsigned char)text.at[0];
    if (!json_out_room(out, 8)) return;
    if (c < 0x80)
      out->len += escape_put(out->at + out->len, c);
    else
      out->len += utf8_put(out->at + out->len, 0xfffd);
    text = slice_from(text, 1);
  }
  json_out_raw(out, SLICE("\""));
}

void json_out_bool(struct json_out *out, bool value)
{
  json_out_value(out, value ? SLICE("true") : SLICE("false"));
}

void json_out_null(struct json_out *out) { json_out_value(out, SLICE("null")); }

void json_out_i64(struct json_out *out, int64_t value)
{
  if (value_begin(out, TEXT_NUMBER_MAX)) out->len += text_print_i64(out->at + out->len, value);
}

void json_out_u64(struct json_out *out, uint64_t value)
{
  if (value_begin(out, TEXT_NUMBER_MAX)) out->len += text_print_u64(out->at + out->len, value);
}

void json_out_key_u64(struct json_out *out, const char *key, uint64_t value)
{
  json_out_key(out, key);
  json_out_u64(out, value);
}

static struct slice not_finite(double value)
{
  if (isnan(value)) return SLICE("\"NaN\"");
  return value > 0 ? SLICE("\"Infinity\"") : SLICE("\"-Infinity\"");
}

void json_out_f64(struct json_out *out, double value)
{
  if (!isfinite(value))
    json_out_value(out, not_finite(value));
  else if (value_begin(out, TEXT_NUMBER_MAX))
    out->len += text_print_f64(out->at + out->len, value);
}

void json_out_f32(struct json_out *out, float value)
{
  if (!isfinite(value))
    json_out_value(out, not_finite((double)value));
  else if (value_begin(out, TEXT_NUMBER_MAX))
    out->len += text_print_f32(out->at + out->len, value);
}

struct slice json_out_lend(const struct json_out *out) { return slice_of(out->at, out->len); }
