/* routes.c - routes.def as an array.
 * Thread: any; constant.
 * SPDX-License-Identifier: MIT */
#include "api/routes.h"

#define ROLE_anybody  NULL
#define ROLE_viewer   "viewer"
#define ROLE_invoker  "invoker"
#define ROLE_deployer "deployer"
#define ROLE_operator "operator"

/* __COUNTER__ numbers the rows; nothing else in this file may use it. */
static const struct route rows[] = {
#define ROUTE(method, path, kind, role, handler, body_max, help) \
  {METHOD_##method, path, (uint16_t)__COUNTER__, ROUTE_##kind, body_max, ROLE_##role, help},
#include "api/routes.def"
#undef ROUTE
};

const struct route *routes_all(uint32_t *n)
{
  *n = sizeof rows / sizeof *rows;
  return rows;
}
