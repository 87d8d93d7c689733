/* body.h - a request body on its way in: one piece of arena memory that bytes are read straight
 * into.
 * Thread: its loop.
 * A body of known length gets its memory at once (untouched memory costs nothing) plus
 * BODY_SLACK, so that a read into it that also catches the next request's first bytes never
 * fills it to the brim: a full buffer would make the loop read again. A chunked body doubles as
 * it grows.
 * SPDX-License-Identifier: MIT */
#ifndef SERVE_BODY_H
#define SERVE_BODY_H

#include "base/arena.h"

enum { BODY_SLACK = 64, BODY_CHUNKED_FIRST = 16 << 10 };
#define BODY_UNKNOWN UINT64_MAX

struct body {
  char *at;
  size_t len, cap; /* cap: without the slack */
};

/* bytes: Content-Length, or BODY_UNKNOWN. json: where in it a binary part begins (0: nowhere);
 * that byte will lie on an address divisible by 8. E_OUT_OF_MEMORY past the arena's cap. */
CHECKED enum code body_init(struct body *body, struct arena *arena, uint64_t bytes, uint64_t json,
                            struct err *err);
/* Appends a piece; one that already lies at the end of the body is not copied. */
CHECKED enum code body_add(struct body *body, struct arena *arena, struct slice piece,
                           struct err *err);
static inline struct slice body_lend(const struct body *body)
{
  return slice_of(body->at, body->len);
}

#endif
