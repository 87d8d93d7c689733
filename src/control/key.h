/* key.h - API keys in the catalog: the fold of KEY_ADDED, KEY_ENDS and KEY_REVOKED, and what the
 * commands that lead to them come to.
 * Thread: control (main before it starts). Pure.
 *
 * Facts of KEY_ADDED: cidrs (optional), expires_ms, hash, key (the id), person, replaces
 * (optional), role; the note is the event's. Of KEY_REVOKED: key. Of KEY_ENDS: expires_ms, key.
 * The key itself is nowhere: who added it has seen it once. A revoked key stays known, so that its
 * id is never given to another.
 * SPDX-License-Identifier: MIT */
#ifndef CONTROL_KEY_H
#define CONTROL_KEY_H

#include "world/event.h"
#include "world/tenant.h"

struct catalog;
struct catalog_tenant;
struct decision;
struct letter_command;

enum { KEYS_LIVE_MAX = 1000 }; /* of one tenant */

struct key_entry {
  struct key key;
  const struct catalog_tenant *tenant;
  uint64_t seq;         /* of the event that added it */
  _Atomic int64_t used_ms; /* the loops' to write, at most once a second each */
  uint64_t revoked_seq; /* of the one that revoked it; 0: it lives */
  bool replaced;        /* another was made to follow it */
};

/* A tenant's keys in the order they were added. */
struct keyring {
  struct key_entry **entries;
  uint32_t n, cap, n_live;
};

/* All tenants' keys by id: open addressing, NULL empty. */
struct key_index {
  struct key_entry **entries;
  uint32_t n, cap;
};

static inline bool key_event_is(enum event_kind kind)
{
  return kind == EVENT_KEY_ADDED || kind == EVENT_KEY_REVOKED || kind == EVENT_KEY_ENDS;
}

bool key_command_is(const struct letter_command *command);
/* E_INTERNAL when it does not fit what came before. */
CHECKED enum code key_event_apply(struct catalog *catalog, struct catalog_tenant *tenant,
                                  const struct event *event, struct err *err);
/* COMMAND_KEY_ADD, _REVOKE, _ROTATE. now_ms: the command's event.wall_ms. */
void key_command_decide(const struct catalog_tenant *tenant, const struct catalog *catalog,
                        const struct letter_command *command, struct decision *decision);
/* Whether the event's facts make a key that may be added. */
CHECKED enum code key_event_check(const struct catalog *catalog, const struct event *event,
                                  struct err *err);
/* All of them, by that event: their tenant is gone. */
void keyring_revoke(struct keyring *keyring, uint64_t seq);
/* Whether a command may be answered as the one that led to event `seq` was. Never one that adds: a
 * key is shown once. */
bool key_command_replays(const struct catalog *catalog, const struct letter_command *command,
                         uint64_t seq);
/* Behind the tenant's others; the entry lies in the catalog's arena, its id is not known. */
void keyring_add(struct catalog *catalog, struct catalog_tenant *tenant, struct key_entry *entry);
/* NULL when unknown. */
const struct key_entry *key_entry(const struct catalog *catalog, struct slice id);
/* The live keys as a world's plan wants them, in scratch. */
void keyring_plan(const struct keyring *keyring, struct arena *scratch, struct tenant *to);
/* Adds nothing where there never was a key. */
void keyring_digest(const struct keyring *keyring, struct sha256 *sha);

#endif
