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

#endif
