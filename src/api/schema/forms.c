/* forms.c - forms.def as an array, and which row of routes.def has which.
 * Thread: any; constant.
 * SPDX-License-Identifier: MIT */
#include "api/schema/schema_int.h"

#include "wire/route.h"

#define ONCE   "Idempotency-Key?: onceKey"
#define MATCH  ONCE ", If-Match?: text"
#define ETAG   "ETag: text(1..)"
#define OFFSET "Upload-Offset: count, Upload-Complete: '?0'|'?1', Cache-Control: 'no-store'"
#define INFER_HEAD \
  "x-slipway-deadline-ms?: int(1..86400000), Inference-Header-Content-Length?: count"
#define INFER_GIVES                                                                  \
  "x-slipway-model: name, x-slipway-version: versionText, x-slipway-arm?: armName, " \
  "x-slipway-release?: text, Inference-Header-Content-Length?: count, Content-Encoding?: text"

#define CODES(...) ((const enum code[]){__VA_ARGS__, OK})
#define WRITES     E_CONFLICT, E_IDEMPOTENCY_MISMATCH, E_STORAGE_FULL
#define CHANGES    WRITES, E_PRECONDITION_FAILED
#define LOADS      E_QUARANTINED, E_MODEL_REJECTED, E_MODELS_MEMORY_FULL, E_DEADLINE_EXCEEDED
#define DECLARED   E_CONFLICT, E_VERSION_NOT_FOUND, E_TENANT_NOT_FOUND, E_ROLLED_BACK, E_QUARANTINED
#define INFERS                                                                  \
  E_MODEL_FAILED, E_BREAKER_OPEN, E_QUARANTINED, E_DEADLINE_EXCEEDED, \
      E_MODELS_MEMORY_FULL

/* What a route's kind says of who answers it. A new kind has a line here, or does not compile. */
#define OF_ASK(handler)          FORM_##handler
#define OF_HOME(handler)         FORM_##handler
#define OF_UPLOAD(handler)       FORM_##handler
#define OF_ALIVE(handler)        LOOP_ALIVE
#define OF_LIVE(handler)         LOOP_LIVE
#define OF_READY(handler)        LOOP_READY
#define OF_INFER_V1(handler)     LOOP_INFER_V1
#define OF_INFER_V2(handler)     LOOP_INFER_V2
#define OF_STREAM_FLAGS(handler) LOOP_STREAM_FLAGS

enum {
#define FORM(handler, ...) FORM_##handler,
#define LOOP(kind, ...)    LOOP_##kind,
#include "api/schema/forms.def"
#undef FORM
#undef LOOP
  FORM_not_built,
};

static const struct form forms[] = {
#define FORM(handler, ...) {.name = #handler, __VA_ARGS__},
#define LOOP(kind, ...)    {.name = #kind, __VA_ARGS__},
#include "api/schema/forms.def"
#undef FORM
#undef LOOP
    {.name = "not_built", .codes = CODES(E_NOT_IMPLEMENTED)},
};

static const unsigned char of_rows[] = {
#define ROUTE(method, path, kind, verb, resource, handler, body_max, help) OF_##kind(handler),
#define LATER(method, path, verb, resource, why)                           FORM_not_built,
#include "api/routes.def"
#undef ROUTE
#undef LATER
};

const struct form *form_of_row(uint32_t row)
{
  must(row < sizeof of_rows);
  return &forms[of_rows[row]];
}
