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
  EVENT_TENANT_CREATED,   /* tenant */
  EVENT_MODEL_CREATED,    /* tenant, model */
  EVENT_VERSION_PUSHED,   /* tenant, model, version, engine, note, files */
  EVENT_VERSION_DEPLOYED, /* tenant, model, version: it serves everything from now on */
  /* tenant, model, version, reason: load, contract, golden or warm failed */
  EVENT_VERSION_REFUSED,
  EVENT_VERSION_RETIRED, /* tenant, model, version: unloaded by a person; nothing serves */
  EVENT_ROLLED_BACK,     /* tenant, model, version: back to it */
  /* tenant, model, version: accepted, not yet decided; resumed after a crash */
  EVENT_DEPLOY_ASKED,
  EVENT_ROLLBACK_ASKED, /* the same for a rollback */
  EVENT_KINDS
};

struct event_file {
  struct slice name; /* plain name inside the model folder */
  uint64_t bytes;
  struct digest digest;
};

/* How long a text of an event may be, in bytes: one rule for who reads it (api), decides on it
 * (control) and writes it (store). A room may be stricter for reasons of its own (model names). */
enum {
  EVENT_FILES_MAX = 256,
  EVENT_TEXT_MAX = 255,      /* actor, tenant, model, engine, Idempotency-Key */
  EVENT_FILE_NAME_MAX = 128, /* one plain name in a model folder */
  NOTE_MAX = 1024,
  REASON_MAX = 256,
};

struct event {
  uint64_t seq;    /* 1, 2, 3... given by the ledger */
  int64_t wall_ms; /* for people; order is seq */
  enum event_kind kind;
  struct slice actor; /* who: "anonymous", a key id, "slipway" */
  struct slice tenant, model;
  uint32_t version;
  struct slice engine, note, reason;
  enum code code; /* VERSION_REFUSED: the error that goes with the reason */
  const struct event_file *files;
  uint32_t n_files;
  struct slice idempotency; /* the request's Idempotency-Key; empty: none */
};

/* Whether a text may stand in an event: UTF-8 of at most max bytes. `what`: "the note". */
CHECKED enum code event_text_check(const char *what, struct slice text, size_t max,
                                   struct err *err);
const char *event_name(enum event_kind kind); /* "version_pushed" */
enum event_kind event_named(struct slice name);
/* The identity of a version: SHA-256 over its files' names, sizes and digests, in name order. */
struct digest event_manifest(const struct event *event);
bool event_copy(struct arena *arena, const struct event *from, struct event *to);

#endif
