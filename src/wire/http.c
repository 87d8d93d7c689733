/* http.c - names of methods, fields and statuses.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "wire/http.h"

static const char *const method_names[METHOD_COUNT] = {
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "OTHER",
};

const char *http_method_name(enum http_method method)
{
  return (unsigned)method < METHOD_COUNT ? method_names[method] : "OTHER";
}

enum http_method http_method_named(struct slice text)
{
  for (int i = 0; i < METHOD_OTHER; i++)
    if (slice_eq(text, slice_str(method_names[i]))) return (enum http_method)i;
  return METHOD_OTHER;
}

struct field_name {
  const char *at;
  uint8_t len;
  bool once;
};

static const struct field_name field_names[FIELD_COUNT] = {
#define FIELD(id, name, once) [FIELD_##id] = {name, sizeof name - 1, once},
    HTTP_FIELDS(FIELD)
#undef FIELD
};

/* name has the length of the lower-case literal; both are field names, whose only bytes that
 * differ in bit 5 alone are letters. Eight at a time: this runs for every field of every
 * request. */
static bool name_is(const char *name, const char *literal, size_t len)
{
  const uint64_t low = UINT64_C(0x2020202020202020);
  size_t i = 0;
  for (; i + 8 <= len; i += 8) {
    uint64_t a, b;
    memcpy(&a, name + i, 8);
    memcpy(&b, literal + i, 8);
    if ((a | low) != (b | low)) return false;
  }
  for (; i < len; i++)
    if ((name[i] | 0x20) != (literal[i] | 0x20)) return false;
  return true;
}

enum http_field_id http_field_id(struct slice name)
{
  /* By length first: at most five names share one, and a zero ends them. */
  static const uint8_t by_len[32][6] = {
      [4] = {FIELD_HOST},
      [5] = {FIELD_RANGE},
      [6] = {FIELD_ACCEPT, FIELD_EXPECT, FIELD_ORIGIN, FIELD_COOKIE},
      [8] = {FIELD_IF_MATCH},
      [9] = {FIELD_X_API_KEY},
      [10] = {FIELD_CONNECTION, FIELD_USER_AGENT},
      [11] = {FIELD_TRACEPARENT},
      [12] = {FIELD_CONTENT_TYPE, FIELD_X_REQUEST_ID},
      [13] = {FIELD_AUTHORIZATION, FIELD_IF_NONE_MATCH, FIELD_UPLOAD_OFFSET, FIELD_UPLOAD_LENGTH,
              FIELD_CACHE_CONTROL},
      [14] = {FIELD_CONTENT_LENGTH},
      [15] = {FIELD_ACCEPT_ENCODING, FIELD_IDEMPOTENCY_KEY, FIELD_UPLOAD_COMPLETE, FIELD_CLASS},
      [16] = {FIELD_CONTENT_ENCODING, FIELD_TENANT},
      [17] = {FIELD_TRANSFER_ENCODING},
      [21] = {FIELD_DEADLINE_MS},
      [31] = {FIELD_INFERENCE_LENGTH},
  };
  if (name.len >= 32) return FIELD_NONE;
  for (const uint8_t *id = by_len[name.len]; *id; id++)
    if (name_is(name.at, field_names[*id].at, name.len)) return (enum http_field_id)*id;
  return FIELD_NONE;
}

bool http_field_once(enum http_field_id id)
{
  return (unsigned)id < FIELD_COUNT && field_names[id].once;
}

struct slice http_head_find(const struct http_head *head, struct slice name, uint16_t *from)
{
  for (uint16_t i = *from; i < head->n_fields; i++) {
    struct slice is = head->fields[i].name;
    /* Names mostly come in small letters, and this is asked several times a request. */
    if (is.len != name.len || ((is.at[0] ^ name.at[0]) & ~0x20)) continue;
    if (memcmp(is.at, name.at, name.len) != 0 && !slice_eq_nocase(is, name)) continue;
    *from = (uint16_t)(i + 1);
    return head->fields[i].value;
  }
  *from = head->n_fields;
  return SLICE_NONE;
}

bool http_list_has(struct slice list, struct slice token)
{
  size_t at = 0;
  while (at < list.len) {
    size_t end = at;
    while (end < list.len && list.at[end] != ',') end++;
    size_t from = at, to = end;
    while (from < to && (list.at[from] == ' ' || list.at[from] == '\t')) from++;
    while (to > from && (list.at[to - 1] == ' ' || list.at[to - 1] == '\t')) to--;
    if (slice_eq_nocase(slice_of(list.at + from, to - from), token)) return true;
    at = end + 1;
  }
  return false;
}

const char *http_reason(int status)
{
  switch (status) {
  case 100: return "Continue";
  case 101: return "Switching Protocols";
  case 200: return "OK";
  case 201: return "Created";
  case 202: return "Accepted";
  case 204: return "No Content";
  case 206: return "Partial Content";
  case 301: return "Moved Permanently";
  case 302: return "Found";
  case 303: return "See Other";
  case 304: return "Not Modified";
  case 307: return "Temporary Redirect";
  case 308: return "Permanent Redirect";
  case 400: return "Bad Request";
  case 401: return "Unauthorized";
  case 403: return "Forbidden";
  case 404: return "Not Found";
  case 405: return "Method Not Allowed";
  case 406: return "Not Acceptable";
  case 408: return "Request Timeout";
  case 409: return "Conflict";
  case 410: return "Gone";
  case 411: return "Length Required";
  case 412: return "Precondition Failed";
  case 413: return "Content Too Large";
  case 414: return "URI Too Long";
  case 415: return "Unsupported Media Type";
  case 416: return "Range Not Satisfiable";
  case 417: return "Expectation Failed";
  case 421: return "Misdirected Request";
  case 422: return "Unprocessable Content";
  case 423: return "Locked";
  case 428: return "Precondition Required";
  case 429: return "Too Many Requests";
  case 431: return "Request Header Fields Too Large";
  case 499: return "Client Closed Request";
  case 500: return "Internal Server Error";
  case 501: return "Not Implemented";
  case 502: return "Bad Gateway";
  case 503: return "Service Unavailable";
  case 504: return "Gateway Timeout";
  case 505: return "HTTP Version Not Supported";
  case 507: return "Insufficient Storage";
  default: return "";
  }
}
