/* json_out.h - a small writer of JSON: text into an arena, commas put by themselves.
 * Thread: any, pure. Apart from json.h, whose names jansson has, too.
 *
 *   struct json_out out;
 *   json_out_init(&out, arena, 256);
 *   json_out_open(&out, '{');
 *   json_out_key(&out, "name");   json_out_str(&out, name);
 *   json_out_key(&out, "ready");  json_out_bool(&out, true);
 *   json_out_close(&out, '}');
 *   if (out.full) ...             // arena at its cap; sticky, checked once at the end
 *   struct slice text = json_out_lend(&out);
 *
 * Nothing else may be taken from the arena between init and the last put, or growing copies.
 * SPDX-License-Identifier: MIT */
#ifndef WIRE_JSON_OUT_H
#define WIRE_JSON_OUT_H

#include "base/arena.h"
#include "base/slice.h"

struct json_out {
  char *at;
  size_t len, cap;
  struct arena *arena;
  bool full;
};

void json_out_init(struct json_out *out, struct arena *arena, size_t bytes_likely);
void json_out_open(struct json_out *out, char bracket);   /* '{' or '[' */
void json_out_close(struct json_out *out, char bracket);  /* '}' or ']' */
void json_out_key(struct json_out *out, const char *key); /* plain ASCII of our own: not escaped */
void json_out_key_of(struct json_out *out, struct slice key);
/* Quotes, backslashes and control bytes escaped; invalid UTF-8 becomes U+FFFD. */
void json_out_str(struct json_out *out, struct slice text);
void json_out_bool(struct json_out *out, bool value);
void json_out_null(struct json_out *out);
void json_out_i64(struct json_out *out, int64_t value);
void json_out_u64(struct json_out *out, uint64_t value);
/* A member that is a count. */
void json_out_key_u64(struct json_out *out, const char *key, uint64_t value);
/* Shortest text that reads back the same; not finite: "NaN", "Infinity", "-Infinity" as strings. */
void json_out_f64(struct json_out *out, double value);
void json_out_f32(struct json_out *out, float value);
/* A value that is JSON text already. */
void json_out_value(struct json_out *out, struct slice json_text);
/* Bytes as they are, no comma. */
void json_out_raw(struct json_out *out, struct slice bytes);
/* Makes room for n more bytes; false past the arena's cap. Then out->at + out->len may be written
 * directly and out->len advanced. */
bool json_out_room(struct json_out *out, size_t n);
struct slice json_out_lend(const struct json_out *out);

#endif
