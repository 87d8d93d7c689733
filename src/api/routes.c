/* routes.c - routes.def as an array.
 * Thread: any; constant.
 * SPDX-License-Identifier: MIT */
#include "api/routes.h"

/* A pair that the policy has no row for is no name here: a route that says it does not compile. */
enum {
#define POLICY(resource, verb, role) POLICY_##resource##_##verb,
#include "base/role.def"
#undef POLICY
};
#define VERB_OF(verb, resource) (POLICY_##resource##_##verb >= 0 ? VERB_##verb : VERB_COUNT)

/* __COUNTER__ numbers the rows; nothing else in this file may use it. */
static const struct route rows[] = {
#define ROUTE(method, path, kind, verb, resource, handler, body_max, help)                        \
  {METHOD_##method, path, (uint16_t)__COUNTER__, ROUTE_##kind, body_max, VERB_OF(verb, resource), \
   RESOURCE_##resource, help, NULL},
/* clang-format off */
#define LATER(method, path, verb, resource, why)                   \
  {METHOD_##method, path, (uint16_t)__COUNTER__, ROUTE_ASK,        \
   METHOD_##method == METHOD_GET ? 0 : 1 << 20, VERB_OF(verb, resource), \
   RESOURCE_##resource, why, why},
/* clang-format on */
#include "api/routes.def"
#undef ROUTE
#undef LATER
};

const struct route *routes_all(uint32_t *n)
{
  *n = sizeof rows / sizeof *rows;
  return rows;
}
