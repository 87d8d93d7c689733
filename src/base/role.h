/* role.h - what a caller may do, least first: each may all that the ones before it may.
 * Thread: any; pure.
 * Routes say the least role they need (api/routes.def), serve/who.h says which one a caller has.
 * SPDX-License-Identifier: MIT */
#ifndef BASE_ROLE_H
#define BASE_ROLE_H

enum role { ROLE_ANYBODY, ROLE_VIEWER, ROLE_INVOKER, ROLE_DEPLOYER, ROLE_OPERATOR, ROLE_COUNT };

const char *role_name(enum role role); /* "viewer" */

#endif
