/* schema_int.h - what requests and answers look like, written short. Room-internal.
 * Thread: desk; pure but for memory.
 *
 *   int  int(1..9)  text(..64)  bool  null  number  any      a base, with its bounds
 *   model                                                   a row of types.def
 *   'READY'                                                 exactly this text
 *   A | B                                                   one of these
 *   T[]  T[1..5]                                            a list, with the bounds of its length
 *   {name: T, note?: T}                                     an object of these members, no others
 *   {name: T, *: U}  {name: T, ...}                         and others: of a type, of any
 *   {*tagName: T}                                           of names like that
 *   {+model, name: T}                                       those of that row, and these
 *   {(1..) note?: T}                                        with the bounds of how many there are
 *
 * Objects are closed unless they say otherwise, in answers as in questions: a member that nobody
 * wrote down is a mistake of the server's or of the notation's, and a test finds it.
 * A text that is no notation crashes (must): it is ours, and openapi_test reads every one.
 * SPDX-License-Identifier: MIT */
#ifndef API_SCHEMA_SCHEMA_INT_H
#define API_SCHEMA_SCHEMA_INT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* What one handler takes and gives, over what every route does (openapi.c). NULL: nothing. */
struct form {
  const char *name;       /* of the handler, or the kind of the route */
  const char *path;       /* members: parameters of the path that are not what their name says */
  const char *query;      /* members: parameters behind '?' */
  const char *head;       /* members: header fields of the request */
  const char *body;       /* of a JSON body, or "bytes" */
  const char *media;      /* of the body, where it is not that alone: types with ", " between */
  bool body_free;         /* none at all will do */
  const char *answers;    /* "200: T; 202 text/plain: T" */
  const char *gives;      /* members: header fields of the answers that `answers` names */
  const char *links;   /* what may follow: "model_show: model=$response.body#/model; ..." */
  const char *refusal;    /* a body of refusals that is not the usual one */
  const enum code *codes; /* what it refuses with, ended by OK */
};

/* That of the row with this number in routes.def. */
const struct form *form_of_row(uint32_t row);
/* The JSON Schema of a notation. */
json_t *schema_of(const char *notation);
/* Calls fn for each member of "a: T, b?: U". */
void schema_members(const char *members,
                    void (*fn)(void *arg, const char *name, bool required, json_t *schema),
                    void *arg);
/* {"model": {...}, ...}: what a name stands for. */
json_t *schema_types(void);
/* The notation of a row of types.def. */
const char *schema_type_notation(const char *name, size_t len);

#endif
