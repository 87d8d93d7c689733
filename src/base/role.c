/* role.c - the names of roles, and what each holds.
 * Thread: any; pure.
 * SPDX-License-Identifier: MIT */
#include "base/role.h"

#include "base/err.h"

#define HOLDS(role) (1u << ROLE_##role)

static const struct {
  const char *name;
  unsigned holds;
} roles[ROLE_COUNT] = {
    [ROLE_ANYBODY] = {"anybody", HOLDS(ANYBODY)},
    [ROLE_VIEWER] = {"viewer", HOLDS(ANYBODY) | HOLDS(VIEWER)},
    [ROLE_AUDITOR] = {"auditor", HOLDS(ANYBODY) | HOLDS(VIEWER) | HOLDS(AUDITOR)},
    [ROLE_INVOKER] = {"invoker", HOLDS(ANYBODY) | HOLDS(VIEWER) | HOLDS(INVOKER)},
    [ROLE_DEPLOYER] = {"deployer",
                       HOLDS(ANYBODY) | HOLDS(VIEWER) | HOLDS(INVOKER) | HOLDS(DEPLOYER)},
    [ROLE_APPROVER] = {"approver", HOLDS(ANYBODY) | HOLDS(VIEWER) | HOLDS(INVOKER) |
                                       HOLDS(DEPLOYER) | HOLDS(APPROVER)},
    [ROLE_ADMIN] = {"admin", HOLDS(OPERATOR) - 1},
    [ROLE_OPERATOR] = {"operator", 2 * HOLDS(OPERATOR) - 1},
};
_Static_assert(ROLE_OPERATOR == ROLE_COUNT - 1 && ROLE_ADMIN == ROLE_COUNT - 2,
               "the two that hold all before them come last");

bool role_may(enum role has, enum role needed)
{
  must((unsigned)has < ROLE_COUNT && (unsigned)needed < ROLE_COUNT);
  return (roles[has].holds >> needed & 1) != 0;
}

const char *role_name(enum role role)
{
  must((unsigned)role < ROLE_COUNT);
  return roles[role].name;
}

bool role_named(struct slice name, enum role *role)
{
  for (unsigned i = ROLE_ANYBODY + 1; i < ROLE_COUNT; i++) {
    if (!slice_eq(name, slice_str(roles[i].name))) continue;
    *role = (enum role)i;
    return true;
  }
  return false;
}
