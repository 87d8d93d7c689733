/* role.c - the names of roles.
 * Thread: any; pure.
 * SPDX-License-Identifier: MIT */
#include "base/role.h"

#include "base/err.h"

const char *role_name(enum role role)
{
  static const char *const names[] = {"anybody", "viewer", "invoker", "deployer", "operator"};
  must((unsigned)role < ROLE_COUNT);
  return names[role];
}
