/* handlers_int.h - the handlers that routes.def names. Room-internal.
 * Thread: desk.
 * SPDX-License-Identifier: MIT */
#ifndef API_HANDLERS_INT_H
#define API_HANDLERS_INT_H

#include "api/ask_int.h"

/* One declaration per row; a handler named by several rows is declared several times. */
#define ROUTE(method, path, kind, verb, resource, handler, body_max, help) \
  enum desk_step handler(struct ask *ask);
#define LATER(method, path, verb, resource, why)
#include "api/routes.def"
#undef ROUTE
#undef LATER

/* The next chunk of an upload that blob_put began. DESK_DONE: the answer is filled. */
enum desk_step blob_chunk(struct ask *ask, const struct letter_chunk *chunk);

#endif
