/* refuse.c - errors to answers.
 * Thread: its loop.
 * SPDX-License-Identifier: MIT */
#include "serve/refuse.h"

#include "base/utf8.h"

_Static_assert(ERROR_JSON_MAX > 6 * (ERR_TEXT_MAX + ERR_FIELD_MAX) + REQUEST_ID_MAX + 256,
               "the longest error, every byte escaped, fits");

static char *put(char *to, const char *text, size_t len)
{
  memcpy(to, text, len);
  return to + len;
}

static char *put_escaped(char *to, const char *text)
{
  static const char hex[] = "0123456789abcdef";
  struct slice rest = slice_str(text);
  while (rest.len) {
    unsigned char c = (unsigned char)rest.at[0];
    size_t n = 1;
    if (c == '"' || c == '\\') {
      *to++ = '\\';
      *to++ = (char)c;
    } else if (c < 0x20 || c == 0x7f) {
      to = put(to, "\\u00", 4);
      *to++ = hex[c >> 4];
      *to++ = hex[c & 15];
    } else {
      n = utf8_len(rest);
      to = n ? put(to, rest.at, n) : put(to, "\\ufffd", 6);
      if (n == 0) n = 1;
    }
    rest = slice_from(rest, n);
  }
  return to;
}

size_t refuse_json(char *to, const struct err *err, struct slice request_id)
{
  char *at = put(to, "{\"error\":\"", 10);
  at = put_escaped(at, err->text);
  at = put(at, "\",\"code\":\"", 10);
  const char *name = code_name(err->code);
  at = put(at, name, strlen(name));
  at = put(at, "\",\"request_id\":\"", 16);
  at = put(at, request_id.at, request_id.len); /* plain by serve_request_id */
  at = put(at, "\",\"details\":{", 13);
  if (err->field[0]) {
    at = put(at, "\"field\":\"", 9);
    at = put_escaped(at, err->field);
    *at++ = '"';
  }
  at = put(at, "}}\n", 3);
  must(at <= to + ERROR_JSON_MAX);
  return (size_t)(at - to);
}

void refuse(struct call *call)
{
  must(call->err.code != OK);
  call->part_one =
      slice_of(call->error_json, refuse_json(call->error_json, &call->err, call_id(call)));
  call->answer = (struct answer){
      .status = code_http(call->err.code),
      .code = call->err.code,
      .content_type = "application/json",
      .accept_encoding = call->answer.accept_encoding,
      .retry_after_s = err_retry_s(&call->err),
      .parts = &call->part_one,
      .n_parts = 1,
      .bytes = call->part_one.len,
  };
}
