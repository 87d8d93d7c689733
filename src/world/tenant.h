/* tenant.h - a tenant and its models. Read-only part of a world.
 * Thread: any, once its world is sealed.
 * SPDX-License-Identifier: MIT */
#ifndef WORLD_TENANT_H
#define WORLD_TENANT_H

#include "world/key.h"
#include "world/meter.h"
#include "world/model.h"

enum { TENANT_ABOUT_MAX = 200 };

/* Whose everything is that nobody says a tenant for. */
#define TENANT_DEFAULT "default"

struct tree;
struct trie;

struct tenant {
  struct slice name;          /* "default" */
  struct slice about;         /* what it is for */
  struct slice added_by;
  int64_t added_ms;
  uint32_t slot;              /* dense, chosen by control */
  const struct model *planned; /* in a plan: models, ascending by name; NULL in a world, where */
  struct tree *tree;           /* they are here: ask tenant_model for both, */
  struct trie *names;          /* and here by name: world_model */
  uint32_t n_models;
  const struct key *keys; /* in order of creation */
  uint32_t n_keys;
  struct slice flags;      /* the flag file, flagd's format as JSON; empty: no flags */
  uint64_t flags_seq;      /* of the event that set it: another number, another file */
  int64_t flags_ms;        /* Unix time of that event */
  /* Another number when an evaluation may give something else: the file has changed, or the split
   * of a release that is a flag, too. Made as it is sealed. */
  uint64_t flags_version;
  const struct quotas *quotas; /* what was said; NULL: nothing */
  struct meter *meter;         /* control's, and outlives the world; NULL: nobody counts */
  struct allowance allow;      /* made of both as it is sealed */
  uint64_t n_stored, stored_bytes; /* versions that are there, bytes of their files */
};

/* Of n_models, ascending by name, byte for byte. */
const struct model *tenant_model(const struct tenant *tenant, uint32_t place);
/* How many come before the name; *there: the model at that place has it. */
uint32_t tenant_models_below(const struct tenant *tenant, struct slice name, bool *there);

/* What a tenant may be called: as a model (world/name.h), in lower case, and none of the words that
 * mean all tenants or those who run the server. E_BAD_NAME. */
CHECKED enum code tenant_name_check(struct slice name, struct err *err);

#endif
