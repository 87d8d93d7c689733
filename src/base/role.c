/* role.c - the names of roles, what each holds, and the policy.
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

/* ---- the policy ---- */

#define ROLE_anybody  ROLE_ANYBODY
#define ROLE_viewer   ROLE_VIEWER
#define ROLE_auditor  ROLE_AUDITOR
#define ROLE_invoker  ROLE_INVOKER
#define ROLE_deployer ROLE_DEPLOYER
#define ROLE_approver ROLE_APPROVER
#define ROLE_admin    ROLE_ADMIN
#define ROLE_operator ROLE_OPERATOR

/* One more than the role; 0: nobody. */
static const unsigned char policy[RESOURCE_COUNT][VERB_COUNT] = {
#define POLICY(resource, verb, role) [RESOURCE_##resource][VERB_##verb] = ROLE_##role + 1,
#include "base/role.def"
#undef POLICY
};

bool authz_least(enum verb verb, enum resource_class resource, enum role *role)
{
  must((unsigned)verb < VERB_COUNT && (unsigned)resource < RESOURCE_COUNT);
  if (!policy[resource][verb]) return false;
  *role = (enum role)(policy[resource][verb] - 1);
  return true;
}

enum code authz(const struct principal *principal, enum verb verb, const struct resource *resource)
{
  enum role least;
  if (!authz_least(verb, resource->class, &least)) return E_DENIED;
  if (!role_may(principal->role, least))
    return principal->role == ROLE_ANYBODY ? E_UNAUTHENTICATED : E_DENIED;
  if (role_may(principal->role, ROLE_OPERATOR)) return OK;
  return slice_eq(principal->tenant, resource->tenant) ? OK : E_NOT_FOUND;
}

const char *verb_name(enum verb verb)
{
#define VERB(name) #name,
  static const char *const names[] = {VERBS(VERB)};
#undef VERB
  must((unsigned)verb < VERB_COUNT);
  return names[verb];
}

const char *resource_name(enum resource_class resource)
{
#define RESOURCE(name) #name,
  static const char *const names[] = {RESOURCES(RESOURCE)};
#undef RESOURCE
  must((unsigned)resource < RESOURCE_COUNT);
  return names[resource];
}
