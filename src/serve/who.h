/* who.h - who asks, and whether they may: one place for predictions and control plane.
 * Thread: its loop.
 * Keys are not built yet: every caller is "anonymous" of TENANT_DEFAULT and may do everything. The
 * daemon refuses to listen beyond loopback unless its configuration says `anonymous: true`, so
 * nobody is let in by accident.
 * SPDX-License-Identifier: MIT */
#ifndef SERVE_WHO_H
#define SERVE_WHO_H

#include "base/role.h"
#include "wire/http.h"
#include "world/world.h"

struct who {
  const struct tenant *tenant;     /* the world's; NULL: it has nothing there yet */
  struct slice tenant_name, actor, person; /* literals: they may outlive world and head */
  enum role role;
};

/* world: the newest, or NULL before the first. E_UNAUTHENTICATED: a key that is not one. */
CHECKED enum code who_of(const struct world *world, const struct http_head *head, bool loopback,
                         struct who *who, struct err *err);
/* E_DENIED when the caller's role is less than what is needed. */
CHECKED enum code who_may(const struct who *who, enum role needed, struct err *err);

#endif
