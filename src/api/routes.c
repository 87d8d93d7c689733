/* routes.c - routes.def as an array.
 * Thread: any; constant.
 * SPDX-License-Identifier: MIT */
#include "api/routes.h"

#define ROLE_anybody  ROLE_ANYBODY
#define ROLE_viewer   ROLE_VIEWER
#define ROLE_auditor  ROLE_AUDITOR
#define ROLE_invoker  ROLE_INVOKER
#define ROLE_deployer ROLE_DEPLOYER
#define ROLE_approver ROLE_APPROVER
#define ROLE_admin    ROLE_ADMIN
#define ROLE_operator ROLE_OPERATOR

/* __COUNTER__ numbers the rows; nothing else in this file may use it. */
static const struct route rows[] = {
#define ROUTE(method, path, kind, role, handler, body_max, help) \
  {METHOD_##method, path, (uint16_t)__COUNTER__, ROUTE_##kind, body_max, ROLE_##role, help, NULL},
/* clang-format off */
#define LATER(method, path, role, why)                             \
  {METHOD_##method, path, (uint16_t)__COUNTER__, ROUTE_ASK,        \
   METHOD_##method == METHOD_GET ? 0 : 1 << 20, ROLE_##role, why, why},
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
