/* catalog.h - the fold of the ledger: tenants, models, versions, who serves, and who served before.
 * Thread: control (main before it starts). Pure: no clock, no disk, no chance; the same events make
 * the same catalog on every machine, for ever (test/golden/ledger-*.jsonl).
 *
 * What is removed is only marked so: everything but flag files and cards lies in one arena, and
 * pointers stay valid until the end.
 * Readers may look at the structs; only catalog_apply changes them.
 *
 * What a rollback goes back to is a stack: a deploy puts the version that served on it, a rollback
 * takes from it and puts nothing back, since who was rolled back from is nothing to go back to. So
 * after deploys of 1, 2 and 3 two rollbacks lead to 1, and a third is refused. Retiring puts, too:
 * a rollback undoes it.
 * SPDX-License-Identifier: MIT */
#ifndef CONTROL_CATALOG_H
#define CONTROL_CATALOG_H

#include "base/quota.h"
#include "control/key.h"
#include "control/once.h"
#include "world/event.h"

struct catalog_release; /* release/fold.h */
struct catalog_freeze;  /* the same */
struct catalog_alias;   /* registry/fold.h */
struct blob;

enum { BACKS_MAX = 64 }; /* versions to go back to; the eldest is forgotten first */

struct catalog_version {
  uint32_t number;
  struct slice engine, note, actor;
  const struct event_file *files;
  uint32_t n_files;
  uint64_t bytes; /* of all files */
  struct digest digest;
  int64_t pushed_ms;
  uint64_t seq;
  struct blob *card; /* registry/card.h; NULL: nothing is said of it */
  bool held;         /* the card says that it must not be removed */
  bool suspected;    /* since this start, until it is quarantined: not run meanwhile */
  uint64_t removed;  /* the event that did it; 0: it is there */
  uint64_t corrupt;  /* the scrub's event; 0: nothing is known against it */
  uint64_t quarantined; /* the event that did it; 0: it may run */
  struct slice quarantine; /* why */
  struct slice inspected; /* jobs/inspect's stamp, at its push; empty: nobody looked */
  uint64_t memory_bytes, memory_peak_bytes; /* as measured then; 0: they were not */
  enum code refused; /* why it was refused last; OK: never, or it has served since */
  struct slice reason;
};

struct catalog_model {
  struct slice name;
  struct catalog_tenant *tenant;
  uint32_t slot;                    /* 0, 1, 2... over all tenants, in order of creation */
  struct catalog_version *versions; /* number n is at n - 1 */
  uint32_t n_versions, versions_cap;
  uint32_t n_live, n_held; /* versions: not removed; of these on hold */
  struct blob *card;       /* as of versions */
  bool held, pinned;       /* the card says: not to be removed; to stay in memory */
  uint64_t removed;     /* the event that did it; 0: it is there */
  uint64_t changed_seq; /* newest event about it, but for what a release does */
  int64_t created_ms;
  struct catalog_alias *aliases; /* ascending by name */
  uint32_t n_aliases, aliases_cap;
  uint32_t serving; /* 0: nothing */
  uint64_t switched_seq;
  int64_t switched_ms;
  uint32_t backs[BACKS_MAX], n_backs; /* newest last */
  uint32_t asked;                     /* a switch accepted and not yet decided; 0: none */
  enum event_kind asked_kind;         /* EVENT_DEPLOY_ASKED, EVENT_ROLLBACK_ASKED */
  struct slice asked_actor;
  struct quotas *quotas;           /* what was said of it; NULL: nothing ever */
  struct meter *meter;             /* made with the first of it */
  struct catalog_release *release; /* the newest; NULL: never any */
  uint32_t n_releases;
};

struct catalog_tenant {
  struct slice name;
  uint32_t slot;      /* 0, 1, 2... in order of creation; never another's */
  struct slice about; /* what it is for */
  struct slice added_by;
  int64_t added_ms;
  uint64_t removed_seq; /* of the event that removed it; 0: it is there */
  struct catalog_model **models; /* ascending by name without regard to case: unique so */
  uint32_t n_models, models_cap; /* those that were removed, too */
  uint32_t n_models_live, n_versions_live;
  uint64_t bytes_live; /* of all files of versions that are there */
  struct slice flags; /* the flag file, JSON; empty: none was ever set */
  uint64_t flags_seq; /* of the event that set it, and when that was: */
  int64_t flags_ms;
  char *flags_text; /* its memory: flag.c's */
  struct once once; /* Idempotency-Keys */
  struct keyring keyring;
  struct quotas *quotas; /* what was said; NULL: nothing ever */
  struct meter *meter;   /* made with the tenant */
  struct owned *owned;   /* control/registry/owned.h; NULL: nobody asked yet */
};

struct catalog {
  struct arena arena;
  struct arena *meters; /* where meters lie: they outlive loops, which may outlive the catalog */
  uint64_t seq;                    /* of the newest event folded */
  struct catalog_tenant **tenants; /* by slot */
  uint32_t n_tenants, tenants_cap;
  struct catalog_model **models; /* by slot */
  uint32_t n_models, models_cap;
  struct once_key **once; /* Idempotency-Keys of all tenants: open addressing, NULL empty */
  uint32_t n_once, once_cap;
  struct catalog_tenant **names; /* the same, over tenants */
  uint32_t names_cap;
  struct key_index key_index;     /* API keys of all tenants, revoked ones, too */
  struct catalog_freeze *freezes; /* in force, in the order they were set */
  uint32_t n_freezes, freezes_cap;
  unsigned char hash_key[16];
};

/* hash_key: for the tables only, it does not show in anything. */
struct catalog *catalog_new(const unsigned char hash_key[16]);
void catalog_free(struct catalog *catalog);

/* Folds one event. E_INTERNAL when it does not fit what came before (then nothing has changed): the
 * ledger was written by something else, or there is a bug. */
CHECKED enum code catalog_apply(struct catalog *catalog, const struct event *event,
                                struct err *err);

/* NULL when unknown or removed; names byte for byte. */
struct catalog_tenant *catalog_tenant(const struct catalog *catalog, struct slice name);
/* The same, be it removed: its name is taken for good. */
struct catalog_tenant *catalog_tenant_ever(const struct catalog *catalog, struct slice name);
struct catalog_model *catalog_model(const struct catalog_tenant *tenant, struct slice name);
/* The same without regard to case, a removed one, too: who is in the way of a new one. */
struct catalog_model *catalog_model_like(const struct catalog_tenant *tenant, struct slice name);
/* NULL when there is none, or it was removed. */
const struct catalog_version *catalog_version(const struct catalog_model *model, uint32_t number);
uint32_t catalog_previous(const struct catalog_model *model); /* 0: nothing to go back to */

/* Over everything above in one canonical form: equal digests, equal catalogs. */
struct digest catalog_digest(const struct catalog *catalog);

#endif
