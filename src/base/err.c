/* err.c - filling error objects and reading the error table.
 * Thread: any.
 * SPDX-License-Identifier: MIT */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/utf8.h"

struct face {
  const char *name;
  int http, grpc, exit;
  bool retry;
  enum log_level level;
};

static const struct face faces[CODE_COUNT] = {
    [OK] = {"OK", 200, 0, 0, false, LOG_DEBUG},
#define CODE(name, http, grpc, exit, retry, level) \
  [E_##name] = {#name, http, grpc, exit, retry, level},
#include "base/err.def"
#undef CODE
};

/* Whatever begins as a key does is one that somebody put in the wrong place: errors are shown,
 * kept and sent on, so that only its beginning may stand in them. */
static void keys_hide(char *text)
{
  static const char key[] = "0123456789_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  for (char *at = text; (at = strstr(at, "slw_")) != NULL;) {
    at += 4;
    size_t len = strspn(at, key);
    if (len <= 3) continue;
    memset(at, '.', 3);
    memmove(at + 3, at + len, strlen(at + len) + 1);
  }
}

static void text_clean(char *text)
{
  for (unsigned char *c = (unsigned char *)text; *c; c++)
    if (*c < 0x20 || *c == 0x7f) *c = '?';
  keys_hide(text);
}

enum code fail(struct err *err, enum code code, const char *fmt, ...)
{
  must(code != OK && code < CODE_COUNT);
  if (!err) return code;
  err->code = code;
  err->retry_after_ms = 0;
  err->limit.name = NULL;
  err->field[0] = '\0';
  va_list args;
  va_start(args, fmt);
  vsnprintf(err->text, sizeof err->text, fmt, args);
  va_end(args);
  text_clean(err->text);
  return code;
}

enum code fail_limit(struct err *err, const char *name, const char *scope, struct slice whose,
                     uint64_t value, uint64_t used, int64_t resets_ms)
{
  enum { IN_VAIN_MS = 60000 };
  if (!err) return E_INTERNAL;
  size_t len = whose.len < ERR_WHOSE_MAX ? whose.len : ERR_WHOSE_MAX - 1;
  err->limit = (struct err_limit){
      .name = name, .scope = scope, .value = value, .used = used, .resets_ms = resets_ms};
  if (len) memcpy(err->limit.whose, whose.at, len);
  err->retry_after_ms = resets_ms < 0            ? IN_VAIN_MS
                        : resets_ms < UINT32_MAX ? (uint32_t)resets_ms
                                                 : UINT32_MAX;
  return err->code;
}

enum code fail_at(struct err *err, const char *fmt, ...)
{
  if (!err) return E_INTERNAL;
  va_list args;
  va_start(args, fmt);
  vsnprintf(err->field, sizeof err->field, fmt, args);
  va_end(args);
  text_clean(err->field);
  return err->code;
}

enum code fail_under(struct err *err, const char *fmt, ...)
{
  if (!err) return E_INTERNAL;
  char inner[ERR_FIELD_MAX], outer[ERR_FIELD_MAX];
  memcpy(inner, err->field, sizeof inner);
  va_list args;
  va_start(args, fmt);
  vsnprintf(outer, sizeof outer, fmt, args);
  va_end(args);
  return fail_at(err, "%s%s%s", outer, inner[0] ? "." : "", inner);
}

static const struct face *face_of(enum code code)
{
  must((unsigned)code < CODE_COUNT);
  return &faces[code];
}

const char *code_name(enum code code) { return face_of(code)->name; }
int code_http(enum code code) { return face_of(code)->http; }
int code_grpc(enum code code) { return face_of(code)->grpc; }
int code_exit(enum code code) { return face_of(code)->exit; }
bool code_retry(enum code code) { return face_of(code)->retry; }
enum log_level code_level(enum code code) { return face_of(code)->level; }

uint32_t err_retry_s(const struct err *err)
{
  if (!code_retry(err->code)) return 0;
  uint32_t s = err->retry_after_ms / 1000 + (err->retry_after_ms % 1000 != 0);
  return s ? s : 1;
}

_Static_assert(ERR_JSON_MAX >
                   UTF8_JSON_MAX *
                           (ERR_TEXT_MAX + ERR_FIELD_MAX + ERR_ID_MAX + ERR_WHOSE_MAX) +
                       384,
               "the longest error, every byte escaped, fits");

static char *put(char *to, struct slice text)
{
  memcpy(to, text.at, text.len);
  return to + text.len;
}

/* Most of what we say is plain letters: these need no look at what follows. */
static bool is_plain(char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; }

static char *put_string(char *to, struct slice text)
{
  *to++ = '"';
  while (text.len) {
    size_t n = 0;
    while (n < text.len && is_plain(text.at[n])) *to++ = text.at[n++];
    text = slice_from(text, n);
    if (text.len) to += utf8_json(to, &text);
  }
  *to++ = '"';
  return to;
}

static char *put_number(char *to, uint64_t number) { return to + text_print_u64(to, number); }

static char *put_limit(char *to, const struct err_limit *limit)
{
  to = put(to, SLICE("\"limit\":"));
  to = put_string(to, slice_str(limit->name));
  to = put(to, SLICE(",\"scope\":"));
  to = put_string(to, slice_str(limit->scope));
  to = put(to, SLICE(",\"whose\":"));
  to = put_string(to, slice_str(limit->whose));
  to = put_number(put(to, SLICE(",\"value\":")), limit->value);
  to = put_number(put(to, SLICE(",\"used\":")), limit->used);
  to = put(to, SLICE(",\"resets_in_ms\":"));
  if (limit->resets_ms < 0) return put(to, SLICE("null"));
  return put_number(to, (uint64_t)limit->resets_ms);
}

size_t err_json(char to[ERR_JSON_MAX], const struct err *err, struct slice request_id)
{
  struct slice name = slice_str(code_name(err->code));
  char *at = put(to, SLICE("{\"error\":"));
  at = put_string(at, err->text[0] ? slice_str(err->text) : name);
  at = put(at, SLICE(",\"code\":"));
  at = put_string(at, name);
  if (request_id.at) {
    if (request_id.len > ERR_ID_MAX) request_id.len = ERR_ID_MAX;
    at = put(at, SLICE(",\"request_id\":"));
    at = put_string(at, request_id);
  }
  at = put(at, SLICE(",\"details\":{"));
  if (err->field[0]) {
    at = put(at, SLICE("\"field\":"));
    at = put_string(at, slice_str(err->field));
  }
  if (err->limit.name) {
    if (err->field[0]) *at++ = ',';
    at = put_limit(at, &err->limit);
  }
  at = put(at, SLICE("}}\n"));
  return (size_t)(at - to);
}

enum code code_named(const char *name, uint32_t len)
{
  for (int i = 0; i < CODE_COUNT; i++)
    if (strlen(faces[i].name) == len && memcmp(faces[i].name, name, len) == 0) return (enum code)i;
  return CODE_COUNT;
}

void must_failed(const char *cond, const char *file, int line)
{
  fprintf(stderr, "slipway: bug: '%s' does not hold at %s:%d\n", cond, file, line);
  abort();
}
