/* who.c - callers to tenants and roles.
 * Thread: its loop.
 * SPDX-License-Identifier: MIT */
#include "serve/who.h"

enum code who_of(const struct world *world, const struct http_head *head, bool loopback,
                 struct who *who, struct err *err)
{
  (void)head, (void)loopback, (void)err; /* what keys will be read from, and refused with */
  struct slice name = slice_str(TENANT_DEFAULT);
  *who = (struct who){
      .tenant = world ? world_tenant(world, name) : NULL,
      .tenant_name = name,
      .actor = SLICE("anonymous"),
      .person = SLICE("anonymous"),
      .role = ROLE_OPERATOR,
  };
  return OK;
}

enum code who_may(const struct who *who, enum role needed, struct err *err)
{
  if (role_may(who->role, needed)) return OK;
  return fail(err, E_DENIED, "this needs the role %s; \"%.*s\" has %s", role_name(needed),
              SLICE_ARG(who->actor), role_name(who->role));
}
