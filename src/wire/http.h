/* http.h - what every HTTP version has in common: methods, header fields, one request head.
 * Thread: any, pure.
 * A head is filled by a codec (wire/http1.h) and read by everybody after it. Its slices point into
 * the memory its codec was given and live as long as that.
 * Source: RFC 9110.
 * SPDX-License-Identifier: MIT */
#ifndef WIRE_HTTP_H
#define WIRE_HTTP_H

#include "base/slice.h"

/* OTHER: a verb the parser knows (MOVE, PURGE ...) and no route of ours uses: 405. */
enum http_method {
  METHOD_GET,
  METHOD_HEAD,
  METHOD_POST,
  METHOD_PUT,
  METHOD_PATCH,
  METHOD_DELETE,
  METHOD_OPTIONS,
  METHOD_TRACE,
  METHOD_CONNECT,
  METHOD_OTHER,
  METHOD_COUNT
};

/* Fields that are recognised while the head is parsed, so that reading one is an array access.
 * FIELD(id, name in lower case, may it come once only?) - twice is 400. */
#define HTTP_FIELDS(FIELD)                                                     \
  FIELD(HOST, "host", true)                                                    \
  FIELD(ACCEPT, "accept", false)                                               \
  FIELD(EXPECT, "expect", true)                                                \
  FIELD(ORIGIN, "origin", true)                                                \
  FIELD(CONNECTION, "connection", false)                                       \
  FIELD(AUTHORIZATION, "authorization", true)                                  \
  FIELD(X_API_KEY, "x-api-key", true)                                          \
  FIELD(TENANT, "x-slipway-tenant", true)                                      \
  FIELD(CONTENT_TYPE, "content-type", true)                                    \
  FIELD(CONTENT_LENGTH, "content-length", true)                                \
  FIELD(CONTENT_ENCODING, "content-encoding", true)                            \
  FIELD(ACCEPT_ENCODING, "accept-encoding", false)                             \
  FIELD(TRANSFER_ENCODING, "transfer-encoding", true)                          \
  FIELD(INFERENCE_LENGTH, "inference-header-content-length", true)             \
  FIELD(X_REQUEST_ID, "x-request-id", false)                                   \
  FIELD(DEADLINE_MS, "x-slipway-deadline-ms", true)                            \
  FIELD(CLASS, "x-slipway-class", true)                                        \
  FIELD(TRACEPARENT, "traceparent", false)                                     \
  FIELD(IF_NONE_MATCH, "if-none-match", false)                                 \
  FIELD(IF_MATCH, "if-match", false)                                           \
  FIELD(IDEMPOTENCY_KEY, "idempotency-key", true)                              \
  FIELD(UPLOAD_OFFSET, "upload-offset", true)                                  \
  FIELD(UPLOAD_COMPLETE, "upload-complete", true)                              \
  FIELD(UPLOAD_LENGTH, "upload-length", true)                                  \
  FIELD(RANGE, "range", false)                                                 \
  FIELD(CACHE_CONTROL, "cache-control", false)                                 \
  FIELD(COOKIE, "cookie", false)                                               \
  FIELD(USER_AGENT, "user-agent", false)

enum http_field_id {
  FIELD_NONE = 0,
#define FIELD(id, name, once) FIELD_##id,
  HTTP_FIELDS(FIELD)
#undef FIELD
  FIELD_COUNT
};

struct http_field {
  struct slice name;  /* as it came; compare without regard to case */
  struct slice value; /* outer white space removed; no control byte but TAB inside */
};

struct http_head {
  enum http_method method;
  uint8_t minor;         /* HTTP/1.minor: 0 or 1 */
  bool keep_alive;       /* the client would like to go on after the answer */
  bool expect_continue;  /* wants "100 Continue" before it sends the body */
  bool chunked;          /* body of unknown length */
  uint64_t content_length; /* 0 when chunked or without a body */
  struct slice target;   /* request target as it came: wire/url.h takes it apart */
  struct slice verb;     /* the method's text, for METHOD_OTHER */
  const struct http_field *fields; /* in the order they came */
  uint16_t n_fields;
  uint8_t first[FIELD_COUNT]; /* index of the first field of that id, plus one; 0: absent */
};

/* The value of the first field with this id; at is NULL when there is none (an empty value has a
 * non-NULL at). */
static inline struct slice http_head_get(const struct http_head *head, enum http_field_id id)
{
  unsigned i = head->first[id];
  return i ? head->fields[i - 1].value : SLICE_NONE;
}

/* The same for any name, by walking; *from is where to begin and is left after the hit, so that a
 * field that comes several times is read by calling again. Start with 0. */
struct slice http_head_find(const struct http_head *head, struct slice name, uint16_t *from);

/* The id of a field name in any case; FIELD_NONE when it has none. */
enum http_field_id http_field_id(struct slice name);
/* Whether a field with this id may come only once in a head. */
bool http_field_once(enum http_field_id id);
/* Whether a comma-separated list (Connection) holds the token, in any case. */
bool http_list_has(struct slice list, struct slice token);

const char *http_method_name(enum http_method method); /* "GET"; "OTHER" for OTHER */
/* METHOD_OTHER for any text that is none of ours; case matters. */
enum http_method http_method_named(struct slice text);
/* "Not Found"; "" for a status without one. */
const char *http_reason(int status);

#endif
