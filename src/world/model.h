/* model.h - a model of a tenant: its versions and who of them answers. Read-only part of a world.
 * Thread: any, once its world is sealed.
 * SPDX-License-Identifier: MIT */
#ifndef WORLD_MODEL_H
#define WORLD_MODEL_H

#include "base/blob.h"
#include "world/release.h"

/* A name that a person lets point at a version: MODEL@champion. */
struct alias {
  struct slice name;
  uint32_t version;
  int64_t set_ms;
  struct slice set_by;
};

struct tree;

struct model {
  struct slice name;
  struct blob *card;            /* what people say of it: control/registry/card.h; NULL: nothing */
  const struct alias *aliases;  /* ascending by name */
  uint32_t n_aliases;
  uint64_t changed_seq;         /* newest event about it, but for what a release does: its ETag */
  int64_t created_ms;
  uint32_t slot;                  /* dense, chosen by control */
  const struct version *planned;  /* in a plan: versions, ascending by number; NULL in a world, */
  struct tree *tree;              /* where they are here: ask model_version_at for both */
  uint32_t n_versions;
  uint32_t n_in[VERSION_STATES]; /* of these, by state; made as it is sealed */
  const struct version *copy;     /* of stable, with a fault, while that is rehearsed; else NULL. It
                                   * is none of the others; in a plan it lies behind them */
  const struct version *stable;   /* NULL: nothing answers (unloaded, or never deployed) */
  const struct version *previous; /* what `rollback` goes back to; NULL: nothing */
  /* By number (stat/arm.h). Outside a release there are two, and the stable one has all. */
  struct arm arms[ARMS_MAX];
  uint32_t n_arms;             /* 0 when stable is NULL */
  uint32_t quarantined; /* stable is NULL, since this version, which should serve, may not run */
  const struct split *release; /* NULL: none is running */
  const struct quotas *quotas;   /* what was said of this model; NULL: nothing */
  struct meter *meter;           /* control's, and outlives the world; NULL: nothing was said */
  const struct allowance *allow; /* made of both as it is sealed; NULL: none of its own */
};

/* Of n_versions, ascending by number. */
const struct version *model_version_at(const struct model *model, uint32_t place);
const struct version *model_newest(const struct model *model); /* NULL: there are none */
/* How many have a lower number. */
uint32_t model_versions_below(const struct model *model, uint64_t number);
/* NULL when there is none of that number. */
const struct version *model_version(const struct model *model, uint32_t number);

/* Where an alias points; NULL when there is no such alias. */
const struct alias *model_alias(const struct model *model, struct slice name);

/* What an alias may be called: [a-z][a-z0-9._-]{0,62}, but not "latest", and not "v" and digits,
 * which are read as versions by other tools. E_BAD_NAME. */
CHECKED enum code alias_name_check(struct slice name, struct err *err);

/* The one arm of a model outside a release. */
void model_serve(struct model *model, const struct version *stable);
/* Which arm of the model's release the key belongs to: the one lot of requests and flags. */
uint32_t model_arm_drawn(const struct model *model, struct slice key);

/* What a model may be called: [A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?, no "..", no device
 * name (con, nul, ...). E_BAD_NAME says which rule. Source: robustness rules, section 3. */
CHECKED enum code model_name_check(struct slice name, struct err *err);

#endif
