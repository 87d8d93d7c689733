/* tenant.c - a tenant's models by name, and what it may be called.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "world/tenant.h"

#include "world/name.h"

static int name_compare(struct slice a, struct slice b)
{
  int order = memcmp(a.at, b.at, a.len < b.len ? a.len : b.len);
  return order ? order : a.len < b.len ? -1 : a.len > b.len;
}

uint32_t tenant_models_below(const struct tenant *tenant, struct slice name, bool *there)
{
  uint32_t low = 0, high = tenant->n_models;
  *there = false;
  if (high && name_compare(tenant_model(tenant, high - 1)->name, name) < 0) return high;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    int order = name_compare(tenant_model(tenant, middle)->name, name);
    *there = *there || order == 0;
    if (order < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

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
