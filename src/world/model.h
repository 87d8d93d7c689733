/* model.h - a model of a tenant: its versions and who of them answers. Read-only part of a world.
 * Thread: any, once its world is sealed.
 * SPDX-License-Identifier: MIT */
#ifndef WORLD_MODEL_H
#define WORLD_MODEL_H

#include "world/release.h"

struct model {
  struct slice name;
  uint32_t slot;                  /* dense, chosen by control */
  const struct version *versions; /* ascending by number */
  uint32_t n_versions;
  const struct version *copy;     /* of stable, with a fault, while that is rehearsed; else NULL. It
                                   * lies behind the others and is none of them */
  const struct version *stable;   /* NULL: nothing answers (unloaded, or never deployed) */
  const struct version *previous; /* what `rollback` goes back to; NULL: nothing */
  /* By number (stat/arm.h). Outside a release there are two, and the stable one has all. */
  struct arm arms[ARMS_MAX];
  uint32_t n_arms;             /* 0 when stable is NULL */
  const struct split *release; /* NULL: none is running */
};

/* NULL when there is none of that number. */
const struct version *model_version(const struct model *model, uint32_t number);

/* The one arm of a model outside a release. */
void model_serve(struct model *model, const struct version *stable);
/* Which arm of the model's release the key belongs to: the one lot of requests and flags. */
uint32_t model_arm_drawn(const struct model *model, struct slice key);

/* What a model may be called: [A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?, no "..", no device
 * name (con, nul, ...). E_BAD_NAME says which rule. Source: robustness rules, section 3. */
CHECKED enum code model_name_check(struct slice name, struct err *err);

#endif
