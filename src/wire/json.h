/* json.h - strict RFC 8259, token by token, over a complete slice; json_out.h is the writer.
 * Thread: any, pure: memory only from the given arena, no recursion, stack use flat.
 *
 * Reading an object:
 *
 *   struct json json;
 *   json_init(&json, arena, body, err);
 *   if (json_next(&json) != JSON_OBJECT) return json_refuse(&json, "an object");
 *   while (json_next(&json) == JSON_KEY) {
 *     if (json_key_is(&json, "name")) {
 *       if (json_read_str(&json, &name) != OK) return json.code;
 *     } else if (json_skip(&json, NULL) != OK) {
 *       return json.code;
 *     }
 *   }
 *   return json_end(&json);      // OK, the error, or E_BAD_JSON for trailing bytes
 *
 * Refused, each with the byte offset in the text: everything RFC 8259 does not allow, a byte order
 * mark, invalid UTF-8, lone surrogates, bytes after the document (E_BAD_JSON); depth over 64
 * (E_JSON_TOO_DEEP); a key twice in one object, at any level and in skipped values too, compared
 * after unescaping (E_DUPLICATE_KEY); more than 1,024 keys in an object, a number token over 64
 * characters (zeros right after "0." are not counted), a string over string_max (E_BAD_JSON).
 * Cost: linear in the text but for keys, which cost O(log n) compares each; nothing is hashed, so
 * there are no collisions to provoke. Memory: 0 for up to 24 open keys, else 26 bytes for each;
 * plus the bytes of those keys and strings that hold escapes.
 * Source: RFC 8259; limits of the wire contract (JSON depth, keys, number, string).
 * SPDX-License-Identifier: MIT */
#ifndef WIRE_JSON_H
#define WIRE_JSON_H

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"
#include "wire/json_out.h"

enum {
  JSON_DEPTH_MAX = 64,
  JSON_KEYS_MAX = 1024,
  JSON_NUMBER_MAX = 64,
  JSON_STRING_MAX = 16 << 20,
  JSON_KEYS_INLINE = 24
};

enum json_kind {
  JSON_BAD = 0, /* json->code and the caller's err say why; sticky */
  JSON_DONE,    /* the document and nothing but white space after it has been read; sticky */
  JSON_OBJECT,
  JSON_OBJECT_END,
  JSON_ARRAY,
  JSON_ARRAY_END,
  JSON_KEY,    /* json->text, unescaped */
  JSON_STRING, /* json->text, unescaped */
  JSON_NUMBER, /* json->text is the token as it stands; see json_number_* */
  JSON_TRUE,
  JSON_FALSE,
  JSON_NULL
};

/* A key of an open object. For up to 8 bytes tag and length are the key; for longer ones tag is its
 * first and last four, and the bytes decide. */
struct json_key {
  struct slice text;
  uint64_t tag;
};

/* Not to be copied or moved after init. Public: code, text, string_max. */
struct json {
  enum code code;    /* OK until the first error */
  struct slice text; /* of KEY, STRING, NUMBER: a view of the source, or of the arena if escaped */
  size_t string_max; /* bytes between the quotes; JSON_STRING_MAX unless raised after init */
  /* the rest is the reader's own */
  const char *begin, *at, *end;
  const char *token; /* where the last token starts */
  struct slice key;  /* the last KEY, for errors */
  size_t origin;     /* added to offsets in errors: a part of a larger text */
  struct arena *arena;
  struct err *err;
  int state;
  bool skipping; /* strings are checked, not unescaped */
  uint32_t depth;
  uint64_t objects;      /* bit d: the container at depth d is an object */
  struct json_key *keys; /* of all open objects, outermost first */
  uint16_t *order;       /* parallel to keys: each object's keys by (tag, length, bytes) */
  uint32_t n_keys, keys_cap;
  uint32_t keys_from[JSON_DEPTH_MAX];
  struct json_key keys_inline[JSON_KEYS_INLINE];
  uint16_t order_inline[JSON_KEYS_INLINE];
};

/* text must outlive the reader and all views from it. err may be NULL. */
void json_init(struct json *json, struct arena *arena, struct slice text, struct err *err);
enum json_kind json_next(struct json *json);
/* Reads over the value that comes next (after a KEY, or the next of an array), checking it in full.
 * *raw, unless NULL, receives its text without surrounding white space. */
CHECKED enum code json_skip(struct json *json, struct slice *raw);
/* Call when done: OK only when the whole text was read, with nothing after it. */
CHECKED enum code json_end(struct json *json);
/* E_WRONG_TYPE "... is not `wanted`" at the last token, or the error there already was, or the one
 * inside the object or array that the last token opened (it is read to its end). */
enum code json_refuse(struct json *json, const char *wanted);
/* Bytes before the last token, for errors of your own. */
size_t json_offset(const struct json *json);
static inline bool json_key_is(const struct json *json, const char *key)
{
  return slice_eq(json->text, slice_str(key));
}

/* Each reads the next value and refuses other kinds with E_WRONG_TYPE, for integers also
 * numbers with a fraction or an exponent; E_VALUE_OUT_OF_RANGE beyond the type. The error names the
 * last key. */
CHECKED enum code json_read_str(struct json *json, struct slice *value);
CHECKED enum code json_read_bool(struct json *json, bool *value);
CHECKED enum code json_read_i64(struct json *json, int64_t *value);
CHECKED enum code json_read_u64(struct json *json, uint64_t *value);
CHECKED enum code json_read_f64(struct json *json, double *value);

/* Of a NUMBER's token: false when it is no integer (*over false) or beyond the type (*over
 * true). */
bool json_number_i64(struct slice token, int64_t *value, bool *over);
bool json_number_u64(struct slice token, uint64_t *value, bool *over);

#endif
