/* body.c - request bodies, received in place.
 * Thread: its loop.
 * SPDX-License-Identifier: MIT */
#include "serve/body.h"

static enum code body_refuse(struct err *err)
{
  return fail(err, E_OUT_OF_MEMORY,
              "the request needs more memory than one may have; send less at once");
}

enum code body_init(struct body *body, struct arena *arena, uint64_t bytes, uint64_t json,
                    struct err *err)
{
  if (bytes == BODY_UNKNOWN) bytes = BODY_CHUNKED_FIRST;
  if (bytes > SIZE_MAX / 2) return body_refuse(err);
  size_t shift = (size_t)(-json & 7);
  char *at = arena_get(arena, (size_t)bytes + shift + BODY_SLACK);
  if (!at) return body_refuse(err);
  *body = (struct body){.at = at + shift, .cap = (size_t)bytes};
  return OK;
}

enum code body_add(struct body *body, struct arena *arena, struct slice piece, struct err *err)
{
  if (piece.at == body->at + body->len && body->len + piece.len <= body->cap) {
    body->len += piece.len;
    return OK;
  }
  if (piece.len > body->cap - body->len) {
    size_t cap = body->cap * 2;
    if (cap < body->len + piece.len) cap = body->len + piece.len;
    char *at = arena_grow(arena, body->at, body->cap + BODY_SLACK, cap + BODY_SLACK);
    if (!at) return body_refuse(err);
    body->at = at;
    body->cap = cap;
  }
  memcpy(body->at + body->len, piece.at, piece.len);
  body->len += piece.len;
  return OK;
}
