/* key.c - folding keys, checking commands about them.
 * Thread: control (main before it starts). Pure.
 * SPDX-License-Identifier: MIT */
#include "control/key.h"

#include <inttypes.h>
#include <stdio.h>

#include "control/command.h"

/* --- looking up ------------------------------------------------------------------------------- */

static uint32_t place(const struct catalog *catalog, struct slice id)
{
  const struct key_index *index = &catalog->key_index;
  uint32_t mask = index->cap - 1, at = (uint32_t)siphash(catalog->hash_key, id) & mask;
  while (index->entries[at] && !slice_eq(key_id(&index->entries[at]->key), id))
    at = (at + 1) & mask;
  return at;
}

const struct key_entry *key_entry(const struct catalog *catalog, struct slice id)
{
  return catalog->key_index.cap ? catalog->key_index.entries[place(catalog, id)] : NULL;
}

/* --- reading facts ---------------------------------------------------------------------------- */

static bool id_is_plain(struct slice id)
{
  if (id.len != KEY_ID_LEN) return false;
  for (size_t i = 0; i < id.len; i++)
    if (!(id.at[i] >= '0' && id.at[i] <= '9') && !(id.at[i] >= 'a' && id.at[i] <= 'z'))
      return false;
  return true;
}

/* The key an event tells of; cidrs into the caller's array. */
static enum code key_read(const struct event *event, struct key *key, struct cidr cidrs[CIDRS_MAX],
                          struct err *err)
{
  struct slice id = event_fact(event, "key"), nets = event_fact(event, "cidrs");
  *key = (struct key){.person = event_fact(event, "person"),
                      .expires_ms = event_fact_int(event, "expires_ms", -1),
                      .added_ms = event->wall_ms,
                      .note = event->note,
                      .added_by = event->actor,
                      .cidrs = cidrs};
  if (!id_is_plain(id)) return fail(err, E_INVALID_ARGUMENT, "'%.*s' is no key id", SLICE_ARG(id));
  memcpy(key->id, id.at, KEY_ID_LEN);
  if (!role_named(event_fact(event, "role"), &key->role))
    return fail(err, E_INVALID_ARGUMENT, "'%.*s' is no role",
                SLICE_ARG(event_fact(event, "role")));
  if (!key->person.len || key->person.len > KEY_PERSON_MAX)
    return fail(err, E_INVALID_ARGUMENT, "a key is somebody's: a person of 1 to %d bytes",
                KEY_PERSON_MAX);
  if (!digest_from_hex(event_fact(event, "hash"), &key->hash))
    return fail(err, E_INVALID_ARGUMENT, "the hash is not 64 hex digits");
  if (key->expires_ms < 0)
    return fail(err, E_INVALID_ARGUMENT, "the time it expires is no Unix time in milliseconds");
  return nets.at ? cidrs_read(nets, cidrs, &key->n_cidrs, err) : OK;
}

/* --- the fold --------------------------------------------------------------------------------- */

static void *need(struct arena *arena, size_t n, size_t each)
{
  void *p = arena_zero(arena, n, each);
  must(p);
  return p;
}

static struct slice kept(struct arena *arena, struct slice text)
{
  if (!text.len) return SLICE_NONE;
  struct slice copy = arena_copy(arena, text);
  must(copy.at);
  return copy;
}

static void index_add(struct catalog *catalog, struct key_entry *entry)
{
  struct key_index *index = &catalog->key_index;
  if ((index->n + 1) * 2 > index->cap) {
    struct key_entry **old = index->entries;
    uint32_t old_cap = index->cap;
    index->cap = old_cap ? 2 * old_cap : 8;
    index->entries = need(&catalog->arena, index->cap, sizeof(struct key_entry *));
    for (uint32_t i = 0; i < old_cap; i++)
      if (old[i]) index->entries[place(catalog, key_id(&old[i]->key))] = old[i];
  }
  index->entries[place(catalog, key_id(&entry->key))] = entry;
  index->n++;
}

static void ring_add(struct arena *arena, struct keyring *ring, struct key_entry *entry)
{
  if (ring->n == ring->cap) {
    struct key_entry **old = ring->entries;
    ring->cap = ring->cap ? 2 * ring->cap : 4;
    ring->entries = need(arena, ring->cap, sizeof(struct key_entry *));
    if (ring->n) memcpy(ring->entries, old, ring->n * sizeof(struct key_entry *));
  }
  ring->entries[ring->n++] = entry;
  ring->n_live++;
}

static enum code misfit(const struct event *event, struct err *err, const char *why)
{
  return fail(err, E_INTERNAL, "event %" PRIu64 " (%s) does not fit the ones before: %s",
              event->seq, event_name(event->kind), why);
}

enum code key_event_apply(struct catalog *catalog, struct catalog_tenant *tenant,
                          const struct event *event, struct err *err)
{
  struct arena *arena = &catalog->arena;
  struct cidr cidrs[CIDRS_MAX];
  struct key key;
  struct err why;
  struct slice id = event_fact(event, "key");
  const struct key_entry *known = key_entry(catalog, id);
  if (event->kind == EVENT_KEY_REVOKED) {
    if (!known || known->tenant != tenant || known->revoked_seq)
      return misfit(event, err, "no such key");
    catalog->key_index.entries[place(catalog, id)]->revoked_seq = event->seq;
    tenant->keyring.n_live--;
    return OK;
  }
  if (known) return misfit(event, err, "the key exists");
  if (key_read(event, &key, cidrs, &why)) return misfit(event, err, why.text);
  struct key_entry *entry = need(arena, 1, sizeof *entry);
  struct cidr *nets = need(arena, key.n_cidrs, sizeof *nets);
  if (key.n_cidrs) memcpy(nets, cidrs, key.n_cidrs * sizeof *nets);
  entry->key = key;
  entry->tenant = tenant;
  entry->seq = event->seq;
  entry->key.used_ms = &entry->used_ms;
  entry->key.cidrs = nets;
  entry->key.person = kept(arena, key.person);
  entry->key.note = kept(arena, key.note);
  entry->key.added_by = kept(arena, key.added_by);
  index_add(catalog, entry);
  ring_add(arena, &tenant->keyring, entry);
  return OK;
}

/* --- commands --------------------------------------------------------------------------------- */

static void refuse(struct decision *decision, enum code code)
{
  decision->kind = DECISION_ANSWER;
  must(code != OK && decision->err.code == code);
}

static void append(const struct letter_command *command, enum event_kind kind,
                   struct decision *decision)
{
  decision->kind = DECISION_APPEND;
  decision->events[decision->n_events] = command->event;
  decision->events[decision->n_events++].kind = kind;
}

/* Whether somebody is left who can add keys when this one goes. */
static bool is_last_admin(const struct keyring *ring, const struct key_entry *gone, int64_t now_ms)
{
  if (!role_may(gone->key.role, ROLE_ADMIN)) return false;
  for (uint32_t i = 0; i < ring->n; i++) {
    const struct key_entry *entry = ring->entries[i];
    if (entry == gone || entry->revoked_seq || !role_may(entry->key.role, ROLE_ADMIN)) continue;
    if (!entry->key.expires_ms || entry->key.expires_ms > now_ms) return false;
  }
  return true;
}

static void revoke_decide(const struct catalog_tenant *tenant, const struct catalog *catalog,
                          const struct letter_command *command, struct decision *decision)
{
  struct slice id = event_fact(&command->event, "key");
  const struct key_entry *entry = key_entry(catalog, id);
  struct err *err = &decision->err;
  if (!entry || entry->tenant != tenant)
    refuse(decision, fail(err, E_KEY_NOT_FOUND, "there is no key '%.*s'", SLICE_ARG(id)));
  else if (entry->revoked_seq)
    *decision = (struct decision){.kind = DECISION_ANSWER, .seq = entry->revoked_seq};
  else if (is_last_admin(&tenant->keyring, entry, command->event.wall_ms))
    refuse(decision, fail(err, E_CONFLICT,
                          "'%.*s' is the last key that may add others; add one with the role admin "
                          "first",
                          SLICE_ARG(id)));
  else
    append(command, EVENT_KEY_REVOKED, decision);
}

bool key_command_is(const struct letter_command *command)
{
  return command->kind == COMMAND_KEY_ADD || command->kind == COMMAND_KEY_REVOKE;
}

bool key_command_replays(const struct catalog *catalog, const struct letter_command *command,
                         uint64_t seq)
{
  const struct key_entry *entry = key_entry(catalog, event_fact(&command->event, "key"));
  return command->kind == COMMAND_KEY_REVOKE && entry && entry->revoked_seq == seq;
}

enum code key_event_check(const struct catalog *catalog, const struct event *event,
                          struct err *err)
{
  struct cidr cidrs[CIDRS_MAX];
  struct key key;
  if (key_read(event, &key, cidrs, err)) return err->code;
  if (!key_entry(catalog, key_id(&key))) return OK;
  return fail(err, E_CONFLICT, "there is a key '%.*s' already; try again",
              SLICE_ARG(key_id(&key)));
}

void keyring_revoke(struct keyring *ring, uint64_t seq)
{
  for (uint32_t i = 0; i < ring->n; i++)
    if (!ring->entries[i]->revoked_seq) ring->entries[i]->revoked_seq = seq;
  ring->n_live = 0;
}

void key_command_decide(const struct catalog_tenant *tenant, const struct catalog *catalog,
                        const struct letter_command *command, struct decision *decision)
{
  struct err *err = &decision->err;
  if (command->kind == COMMAND_KEY_REVOKE) {
    revoke_decide(tenant, catalog, command, decision);
    return;
  }
  if (key_event_check(catalog, &command->event, err)) {
    refuse(decision, err->code);
    return;
  }
  if (tenant->keyring.n_live >= KEYS_LIVE_MAX) {
    refuse(decision, fail(err, E_LIMIT_EXCEEDED,
                          "tenant '%.*s' has %d keys, the most there may be; revoke some first",
                          SLICE_ARG(tenant->name), KEYS_LIVE_MAX));
    return;
  }
  append(command, EVENT_KEY_ADDED, decision);
}

/* --- into worlds, into one canonical form ----------------------------------------------------- */

void keyring_plan(const struct keyring *ring, struct arena *scratch, struct tenant *to)
{
  struct key *keys = need(scratch, ring->n_live, sizeof *keys);
  uint32_t n = 0;
  for (uint32_t i = 0; i < ring->n; i++)
    if (!ring->entries[i]->revoked_seq) keys[n++] = ring->entries[i]->key;
  must(n == ring->n_live);
  to->keys = keys;
  to->n_keys = n;
}

static void add_text(struct sha256 *sha, struct slice text)
{
  char number[24];
  int len = snprintf(number, sizeof number, "%zu;", text.len);
  sha256_add(sha, slice_of(number, (size_t)len));
  sha256_add(sha, text);
}

void keyring_digest(const struct keyring *ring, struct sha256 *sha)
{
  for (uint32_t i = 0; i < ring->n; i++) {
    const struct key_entry *entry = ring->entries[i];
    const struct key *key = &entry->key;
    char numbers[128];
    int len = snprintf(numbers, sizeof numbers,
                       "%" PRId64 ";%" PRId64 ";%" PRIu64 ";%" PRIu64 ";%u;", key->expires_ms,
                       key->added_ms, entry->seq, entry->revoked_seq, key->n_cidrs);
    add_text(sha, key_id(key));
    add_text(sha, slice_str(role_name(key->role)));
    add_text(sha, key->person);
    add_text(sha, key->note);
    add_text(sha, key->added_by);
    add_text(sha, slice_of((const char *)key->hash.at, SHA256_LEN));
    add_text(sha, slice_of(numbers, (size_t)len));
    for (uint32_t k = 0; k < key->n_cidrs; k++) {
      add_text(sha, slice_of((const char *)key->cidrs[k].net.at, sizeof key->cidrs[k].net.at));
      add_text(sha, slice_of((const char *)&key->cidrs[k].bits, 1));
    }
  }
}
