/* role.h - what a caller may do.
 * Thread: any; pure.
 * Routes say the least role they need (api/routes.def), serve/who.h says which one a caller has,
 * and role_may is the one place that compares them: a role is a set, not a rung. Each may all that
 * the ones below it may:
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

#include "base/slice.h"

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

/* Whether who has the one role may what needs the other; so, too, whether it may grant it. */
bool role_may(enum role has, enum role needed);
const char *role_name(enum role role); /* "viewer" */
/* The role called name; false when there is none, or none that a key can have ("anybody"). */
bool role_named(struct slice name, enum role *role);

#endif
