/* once.h - Idempotency-Keys in the catalog: what a request with a key did, so that asking again
 * gets the same answer, and asking for something else with the same key is refused.
 * Thread: control (main before it starts). Pure.
 *
 * A key stands in the event it led to, so it is as durable as its effect and comes back with it.
 * With it stands a hash of the whole request (event.request), made by the desk; events of before
 * that have none, and are compared by what the event says.
 * A key is forgotten by the ledger alone, so that every fold forgets the same: when another event
 * with a key of that tenant comes, those go that are ONCE_MS older than it (by the newest time that
 * stood in any of the tenant's, for clocks jump), and then the eldest until ONCE_MAX are left. So a
 * tenant's keys are bounded, and one that nobody pushes out may live longer.
 * Source: robustness rules, section 7.
 * SPDX-License-Identifier: MIT */
#ifndef CONTROL_ONCE_H
#define CONTROL_ONCE_H

#include "world/event.h"

struct catalog;
struct catalog_model;
struct catalog_tenant;

enum { ONCE_MAX = 100000, ONCE_REQUEST_LEN = 16 };
#define ONCE_MS (INT64_C(24) * 3600 * 1000)

struct once_key {
  struct once_key *next; /* the tenant's, by seq */
  struct slice key;
  const struct catalog_tenant *tenant;
  const struct catalog_model *model;
  enum event_kind kind;
  uint32_t version, release;
  uint64_t seq;
  int64_t wall_ms;
  uint64_t asked; /* of the registry: a hash of what was asked for, for events without: */
  unsigned char request[ONCE_REQUEST_LEN];
  bool has_request;
  enum code code; /* VERSION_REFUSED */
  struct slice reason;
};

/* A tenant's, eldest first. */
struct once {
  struct once_key *first, *last;
  uint32_t n;
  int64_t newest_ms;
};

/* NULL: it was not used, or that is forgotten. */
const struct once_key *once_find(const struct catalog *catalog, const struct catalog_tenant *tenant,
                                 struct slice key);
/* The event's key; it is not known. model: NULL, the event is about none. */
void once_fold(struct catalog *catalog, struct catalog_tenant *tenant,
               const struct catalog_model *model, const struct event *event);
/* Puts an entry (texts copied) behind the tenant's others. */
void once_add(struct catalog *catalog, struct catalog_tenant *tenant, const struct once_key *entry);
/* Whether the key's request is told, and this command's, too: then *same says if they are one. */
bool once_compare(const struct once_key *key, const struct event *wish, bool *same);
void once_free(struct catalog *catalog);
void once_digest(struct sha256 *sha, const struct catalog *catalog);

#endif
