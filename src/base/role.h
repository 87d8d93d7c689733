/* role.h - what a caller may do.
 * Thread: any; pure.
 * Routes say what they do to what (api/routes.def), serve/who.h says which role a caller has, the
 * policy (role.def) which role that takes, and authz is the one place that compares them. A role is
 * a set, not a rung: each may all that the ones below it may:
 *
 *   operator    the installation: tenants, settings of the server
 *      |
 *    admin      all of its tenant: keys, quotas
 *    |     \
 *  approver  \     says yes where a release waits for somebody
 *    |       auditor   reads the record: who changed what, on what evidence, with proof
 *  deployer    |       pushes models and releases them
 *    |         |
 *  invoker     |       asks models
 *     \       /
 *      viewer          sees what there is and how it does
 *
 * An approver may deploy: that two people agree is a matter of persons (world/key.h), not of roles.
 * SPDX-License-Identifier: MIT */
#ifndef BASE_ROLE_H
#define BASE_ROLE_H

#include "base/err.h"
#include "base/role.def"

enum role {
  ROLE_ANYBODY,
  ROLE_VIEWER,
  ROLE_AUDITOR,
  ROLE_INVOKER,
  ROLE_DEPLOYER,
  ROLE_APPROVER,
  ROLE_ADMIN,
  ROLE_OPERATOR,
  ROLE_COUNT
};

enum verb {
#define VERB(name) VERB_##name,
  VERBS(VERB)
#undef VERB
      VERB_COUNT
};

enum resource_class {
#define RESOURCE(name) RESOURCE_##name,
  RESOURCES(RESOURCE)
#undef RESOURCE
      RESOURCE_COUNT
};

struct principal {
  enum role role;
  struct slice tenant; /* whom it acts for */
};

struct resource {
  enum resource_class class;
  struct slice tenant; /* whose it is */
};

/* Whether the principal may. OK; E_UNAUTHENTICATED: say first who you are; E_DENIED: no;
 * E_NOT_FOUND: it is another tenant's, and so is not there. Only an operator sees past its
 * tenant. */
CHECKED enum code authz(const struct principal *principal, enum verb verb,
                        const struct resource *resource);
/* The least role that may; false: nobody may. */
bool authz_least(enum verb verb, enum resource_class resource, enum role *role);
const char *verb_name(enum verb verb); /* "read" */
const char *resource_name(enum resource_class resource);

/* Whether who has the one role may what needs the other; so, too, whether it may grant it. */
bool role_may(enum role has, enum role needed);
const char *role_name(enum role role); /* "viewer" */
/* The role called name; false when there is none, or none that a key can have ("anybody"). */
bool role_named(struct slice name, enum role *role);

#endif
