/* event.h - what can happen to the control plane. The ledger stores events, the catalog is their
 * fold; nothing else changes it. Events are versioned: a new field gets a new event version and the
 * fold keeps understanding the old ones for ever (test/golden/ledger-*.jsonl).
 * Thread: any; plain data whose pointers live in the arena it was read into.
 * SPDX-License-Identifier: MIT */
#ifndef WORLD_EVENT_H
#define WORLD_EVENT_H

#include "base/arena.h"
#include "base/hash.h"

enum event_kind {
  EVENT_NONE,
  EVENT_TENANT_CREATED,   /* tenant; note: what it is for */
  EVENT_MODEL_CREATED,    /* tenant, model */
  /* tenant, model, version, engine, note, files; facts inspected (jobs/inspect's stamp),
   * memory_bytes, memory_peak_bytes, where it was looked at */
  EVENT_VERSION_PUSHED,
  EVENT_VERSION_DEPLOYED, /* tenant, model, version: it serves everything from now on */
  /* tenant, model, version, reason: load, contract, golden or warm failed */
  EVENT_VERSION_REFUSED,
  EVENT_VERSION_RETIRED, /* tenant, model, version: unloaded by a person; nothing serves */
  EVENT_ROLLED_BACK,     /* tenant, model, version: back to it */
  /* tenant, model, version: accepted, not yet decided; resumed after a crash */
  EVENT_DEPLOY_ASKED,
  EVENT_ROLLBACK_ASKED, /* the same for a rollback */
  /* tenant, model, version (the candidate), release; facts plan, stable, seed */
  EVENT_RELEASE_STARTED,
  /* tenant, model, release; facts state, step, elapsed_ms, why, verdict: the state it is in from
   * now on. Where that state makes another version answer (completed; rolled back after it was),
   * so does this event: there is no second one for it */
  EVENT_RELEASE_MOVED,
  EVENT_RELEASE_APPROVED, /* tenant, model, release, actor; facts step, spec, person */
  /* tenant, model (empty: all); facts scope, from_ms, until_ms, weekly, why */
  EVENT_FREEZE_SET,
  EVENT_FREEZE_LIFTED,    /* the same tenant, model and scope */
  /* tenant; facts key, role, person, hash, expires_ms, replaces (a key's id, or none); note */
  EVENT_KEY_ADDED,
  EVENT_KEY_REVOKED,      /* tenant; fact key */
  EVENT_FLAGS_SET,        /* tenant; fact flags: the tenant's whole flag file from now on */
  EVENT_FLAG_REMOVED,     /* tenant; facts flag, flags: the whole file without it */
  /* --- the registry (control/registry/fold.h says what each fact is) */
  EVENT_MODEL_SET,       /* tenant, model; facts card, hold, patch: its card from now on; or
                          * quotas (control/quota.h): what is named of its limits */
  EVENT_VERSION_SET,     /* tenant, model, version; the same */
  EVENT_ALIAS_SET,       /* tenant, model, version; fact alias: the name points there */
  EVENT_ALIAS_REMOVED,   /* tenant, model, version (where it pointed); fact alias */
  EVENT_MODEL_REMOVED,   /* tenant, model: with all its versions and aliases */
  EVENT_VERSION_REMOVED, /* tenant, model, version */
  /* tenant, model, version, reason; facts file, digest: its bytes are not what was pushed */
  EVENT_VERSION_CORRUPT,
  EVENT_VERSION_SOUND, /* the same: they are again */
  EVENT_VERSION_QUARANTINED, /* tenant, model, version, reason: it is not run from now on */
  EVENT_VERSION_CLEARED,     /* tenant, model, version: by a person's word it is again */
  /* tenant; facts: what changes about it. A fact sets what its name says, an empty one puts it back
   * to what it is without; what no fact names stays as it is. So a new setting is a new
   * fact, read in control/tenant.c, and old ledgers say nothing of it. about: what it is for;
   * quotas: what is named of its limits (control/quota.h) */
  EVENT_TENANT_SET,
  /* tenant: it, its models, keys and flags are gone from now on; its name is never given again.
   * Fact freezes, where it is said: its freezes, and those of its models (older events say none) */
  EVENT_TENANT_REMOVED,
  EVENT_KEY_ENDS, /* tenant; facts key, expires_ms: it expires then, and no later */
  EVENT_KINDS
};

struct event_file {
  struct slice name; /* plain name inside the model folder */
  uint64_t bytes;
  struct digest digest;
};

/* What an event of the newer kinds says beyond the common members: a name and a text. Numbers are
 * decimal. A reader takes the names it knows. */
struct event_fact {
  struct slice name, value;
};

/* How long a text of an event may be, in bytes: one rule for who reads it (api), decides on it
 * (control) and writes it (store). A room may be stricter for reasons of its own (model names). */
enum {
  EVENT_FILES_MAX = 256,
  EVENT_TEXT_MAX = 255,      /* actor, tenant, model, engine, Idempotency-Key */
  EVENT_REQUEST_LEN = 32,
  EVENT_FILE_NAME_MAX = 128, /* one plain name in a model folder */
  NOTE_MAX = 1024,
  REASON_MAX = 256,
  EVENT_FACTS_MAX = 16,
  EVENT_FACT_NAME_MAX = 32,      /* [a-z_]+ */
  EVENT_FACT_MAX = 512 << 10,    /* all values of an event together: a plan, evidence, flags */
};

struct event {
  uint64_t seq;    /* 1, 2, 3... given by the ledger */
  int64_t wall_ms; /* for people; order is seq */
  enum event_kind kind;
  struct slice actor; /* who: "anonymous", a key id, "slipway" */
  struct slice tenant, model;
  uint32_t version;
  uint32_t release; /* 1, 2, 3... per model; 0: the event is about none */
  struct slice engine, note, reason;
  enum code code; /* VERSION_REFUSED: the error that goes with the reason */
  const struct event_file *files;
  uint32_t n_files;
  const struct event_fact *facts; /* ascending by name, no name twice */
  uint32_t n_facts;
  struct slice idempotency; /* the request's Idempotency-Key; empty: none */
  struct slice request;     /* with it: a hash of the request, 32 hex digits; empty: not told */
};

/* Whether a text may stand in an event: UTF-8 of at most max bytes. `what`: "the note". */
CHECKED enum code event_text_check(const char *what, struct slice text, size_t max,
                                   struct err *err);
const char *event_name(enum event_kind kind); /* "version_pushed" */
enum event_kind event_named(struct slice name);
/* The value of a fact; at NULL when the event does not say it. */
struct slice event_fact(const struct event *event, const char *name);
/* Whether the event says it at all, be it empty. */
bool event_says(const struct event *event, const char *name);
/* The value as a decimal number; `absent` when it is not there or is none. */
int64_t event_fact_int(const struct event *event, const char *name, int64_t absent);
/* The version that answers everything for its model from this event on; 0: it says nothing of that.
 * Of a RELEASE_MOVED from before there was the fact `serving`: what `completed` meant. */
uint32_t event_serving(const struct event *event);
/* The identity of a version: SHA-256 over its files' names, sizes and digests, in name order. */
struct digest event_manifest(const struct event *event);
bool event_copy(struct arena *arena, const struct event *from, struct event *to);

#endif
