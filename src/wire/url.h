/* url.h - a request target, taken apart once: router and authorisation see the same canonical path.
 * Thread: any, pure.
 *
 * Canonical means: percent escapes decoded exactly once, valid UTF-8, no control byte, no NUL, no
 * encoded slash or backslash, no `.` or `..` segment, no empty segment but a last one. Whatever is
 * not is 400 and never repaired: a path with two readings has none.
 * A trailing slash is kept as a last, empty segment, which no route matches: 404.
 *
 * Forms (RFC 9112 section 3.2): origin-form `/path?query`; absolute-form `http://host/path?query`
 * (an origin server must accept it; `authority` is set); `*` (for OPTIONS; `asterisk` is set);
 * authority-form belongs to CONNECT, which we refuse by method, and is 400 here.
 * The query is never decoded and never an error on its own: V2 routes ignore it.
 * SPDX-License-Identifier: MIT */
#ifndef WIRE_URL_H
#define WIRE_URL_H

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

enum { URL_SEGMENTS_MAX = 16 };

struct url {
  struct slice path;      /* decoded, begins with '/'; empty for `*` */
  struct slice query;     /* after '?', as it came; at is NULL when there is none */
  struct slice authority; /* absolute-form only: "host" or "host:port" as it came */
  struct slice segments[URL_SEGMENTS_MAX]; /* decoded, views into path, without slashes */
  uint32_t n_segments;    /* may be over URL_SEGMENTS_MAX: then no route matches; "/" has 0 */
  bool asterisk;
};

/* Takes target apart. Without escapes nothing is copied and path points into target; else the
 * decoded path comes from the arena. E_BAD_REQUEST says what is wrong and at which byte;
 * E_OUT_OF_MEMORY. */
CHECKED enum code url_parse(struct slice target, struct arena *arena, struct url *url,
                            struct err *err);

/* The raw value of `key` in a query ("a=1&b"); at is NULL when absent, the first one when repeated;
 * a key without '=' has an empty value. */
struct slice url_query_get(struct slice query, struct slice key);

/* Decodes escapes (and with plus, '+' as a space) of a query value into the arena. E_BAD_REQUEST
 * on a bad escape, NUL or invalid UTF-8. */
CHECKED enum code url_decode(struct slice raw, bool plus, struct arena *arena, struct slice *to,
                             struct err *err);

#endif
