/* tenant.c - what a tenant may be called.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "world/tenant.h"

#include "world/name.h"

/* In a log or an answer these would read as somebody or something else. */
static const char *const taken[] = {"admin", "all",    "anonymous", "global", "none",
                                    "null",  "operator", "root",    "slipway", "system"};

enum code tenant_name_check(struct slice name, struct err *err)
{
  if (name_check("tenant", name, err)) return err->code;
  for (size_t i = 0; i < name.len; i++)
    if (name.at[i] >= 'A' && name.at[i] <= 'Z')
      return fail(err, E_BAD_NAME, "tenant name '%.*s' must be in lower case", SLICE_ARG(name));
  for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
    if (slice_eq(name, slice_str(taken[i])))
      return fail(err, E_BAD_NAME, "'%.*s' is a word of the server's own; choose another name",
                  SLICE_ARG(name));
  return OK;
}
