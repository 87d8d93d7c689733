/* state.h - what a tenant is to be like, as somebody declared it, and in what that differs from
 * what it is: carried by one COMMAND_STATE.
 * Thread: one at a time, as the letter: a desk fills it, control answers in it.
 *
 * What is not mentioned stays as it is. With `prune` a section that is there is the whole of it:
 * models, and of a model its tags, limits and aliases; the tenant's limits; flags. What the section
 * does not name goes. A section that is not there is left alone even so.
 * SPDX-License-Identifier: MIT */
#ifndef WORLD_STATE_H
#define WORLD_STATE_H

#include "world/event.h"

enum {
  STATE_BODY_MAX = 1 << 20,   /* of the request */
  STATE_ARENA_MAX = 16 << 20, /* what one takes at its desk and in control */
  STATE_EVENTS_MAX = 4096,    /* changes of one apply */
  STATE_EDITS_MAX = 16384,    /* lines of one plan */
};

enum state_deploy {
  STATE_DEPLOY_NONE,
  STATE_DEPLOY_NOW,     /* it answers as soon as it is loaded */
  STATE_DEPLOY_RELEASE, /* a release is to bring it: the plan says so, somebody else begins it */
};

struct state_alias {
  struct slice name;
  uint32_t version; /* 0: the one that the model's entry means */
};

struct state_model {
  struct slice name;
  /* The version meant, in one of three ways, or none: by its files, its digest, its number. */
  const struct event_file *files;
  uint32_t n_files;
  bool by_digest; /* by files, too */
  struct digest digest;
  uint32_t version;
  struct slice engine, note; /* with files */
  bool may_push; /* with files: they are stored and may become a version; the inspector said: */
  const struct event_fact *facts;
  uint32_t n_facts;
  struct slice card;   /* a JSON merge patch of the model's card; empty: nothing is said of it */
  struct slice quotas; /* base/quota.h's text */
  const struct state_alias *aliases;
  uint32_t n_aliases;
  bool says_tags, says_quotas, says_aliases; /* the sections that are there */
  enum state_deploy deploy;
};

/* One line of a plan. Texts are for people, and equal where the line is. */
struct state_edit {
  char op;             /* '+' made, '~' changed, '-' removed */
  const char *what;    /* "model", "version", "alias", "tag", ...: a literal */
  struct slice model;  /* empty: it is about the tenant */
  struct slice name;   /* which alias, tag, limit, flag; the number of a version */
  struct slice from, to; /* at NULL: nothing */
  uint64_t bytes;      /* a version to be made: of its files */
};

struct state {
  struct arena arena; /* what all of it points to; the desk's, and control's while it decides */
  bool prune;
  bool apply; /* else only told */
  bool may_limit; /* who asks may make tenants and set what they are limited in */
  bool by_plan; /* apply only if the difference is the one that was looked at: */
  struct digest plan;
  bool says_about, says_quotas, says_models, says_flags;
  struct slice about, quotas;
  struct slice flags; /* a JSON object: definitions by key, sorted */
  const struct state_model *models; /* ascending by name, case aside (state_name_order) */
  uint32_t n_models;
  /* Home: */
  bool decided; /* false: an answer from before was found by its Idempotency-Key */
  const struct state_edit *edits;
  uint32_t n_edits;
  struct digest digest; /* of the edits: the plan's name */
};

/* The order of a tenant's models: ASCII letters without regard to case; 0: one is in the way of the
 * other. */
int state_name_order(struct slice a, struct slice b);

#endif
