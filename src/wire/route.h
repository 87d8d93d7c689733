/* route.h - which row of the route table a method and a path mean. A pure matcher, compiled once.
 * Thread: any. A compiled table never changes, so all threads may match at once.
 *
 * Patterns: "/v2/models/{model}/versions/{version}/infer". A segment is
 *   text           exactly that text
 *   {name}         one segment, not empty and without ':' (no name of ours holds one)
 *   {name}:verb    one segment that ends in ":verb", the rest as above
 *   {name*}        last only: all remaining segments, at least one
 * A literal wins over a parameter, segment by segment from the left, so "/v2/models/stats" is not a
 * model. HEAD is matched by a GET row when there is no HEAD row.
 * SPDX-License-Identifier: MIT */
#ifndef WIRE_ROUTE_H
#define WIRE_ROUTE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/role.h"
#include "wire/http.h"
#include "wire/url.h"

enum route_kind {
  ROUTE_INFER_V1, /* a prediction, on the loop */
  ROUTE_INFER_V2,
  ROUTE_ALIVE,  /* is the process alive? on the loop */
  ROUTE_LIVE,   /* the same in V2's words */
  ROUTE_READY,  /* does everything that should serve? on the loop */
  ROUTE_STREAM_FLAGS, /* events without end, on the loop (net/stream.h) */
  ROUTE_ASK,    /* to a desk, whole body in memory */
  ROUTE_HOME,   /* the same, always to the desk that keeps what it knows of the tenant */
  ROUTE_UPLOAD, /* to a desk, body streamed */
};

enum { ROUTE_PARAMS_MAX = 4, ROUTE_ALLOW_MAX = 64 };

struct route {
  enum http_method method;
  const char *pattern;
  uint16_t id; /* the caller's own number for it */
  enum route_kind kind;
  size_t body_max;   /* bytes; 0: a request body is refused unless empty */
  enum verb verb;    /* what it does, and to what: base/role.def says who may */
  enum resource_class resource;
  const char *help;  /* one line */
  const char *later; /* not built: why, for the 501; NULL: built */
};

struct route_table;

/* Compiles n rows, which must outlive the table; the table lies in the arena. Crashes (must) on a
 * malformed pattern, on two rows that mean the same and past the arena's cap: boot-time mistakes of
 * ours. */
const struct route_table *route_compile(const struct route *rows, uint32_t n, struct arena *arena);

/* The row, with its parameters in pattern order, those it has not SLICE_NONE; NULL when there is
 * none. Then *allow is 0 for an
 * unknown path (404) or the set of methods that the path has, 1u << METHOD_x each (405). `*` allows
 * whatever the table has. */
const struct route *route_match(const struct route_table *table, enum http_method method,
                                const struct url *url, struct slice params[ROUTE_PARAMS_MAX],
                                uint32_t *allow);

/* Writes "GET, HEAD" for an Allow field; returns its length. */
size_t route_allow_text(uint32_t allow, char to[ROUTE_ALLOW_MAX]);

#endif
