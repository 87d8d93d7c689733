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
  struct slice replaces = event_fact(event, "replaces");
  if (replaces.at && !id_is_plain(replaces))
    return fail(err, E_INVALID_ARGUMENT, "'%.*s' is no key id", SLICE_ARG(replaces));
  if (replaces.at) memcpy(key->replaces, replaces.at, KEY_ID_LEN);
  if (!role_named(event_fact(event, "role"), &key->role))
    return fail(err, E_INVALID_ARGUMENT, "'%.*s' is no role", SLICE_ARG(event_fact(event, "role")));
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

void keyring_add(struct catalog *catalog, struct catalog_tenant *tenant, struct key_entry *entry)
{
  entry->tenant = tenant;
  entry->key.used_ms = &entry->used_ms;
  index_add(catalog, entry);
  ring_add(&catalog->arena, &tenant->keyring, entry);
  if (entry->revoked_seq) tenant->keyring.n_live--;
}

static enum code misfit(const struct event *event, struct err *err, const char *why)
{
  return fail(err, E_INTERNAL, "event %" PRIu64 " (%s) does not fit the ones before: %s",
              event->seq, event_name(event->kind), why);
}

static struct slice replaces_id(const struct key *key)
{
  return slice_of(key->replaces, key->replaces[0] ? KEY_ID_LEN : 0);
}

/* The entry of a tenant's key that is not revoked; NULL. */
static struct key_entry *entry_of(const struct catalog *catalog,
                                  const struct catalog_tenant *tenant, struct slice id)
{
  const struct key_entry *known = key_entry(catalog, id);
  if (!known || known->tenant != tenant || known->revoked_seq) return NULL;
  return catalog->key_index.entries[place(catalog, id)];
}

static enum code ends_apply(struct key_entry *entry, const struct event *event, struct err *err)
{
  int64_t ends_ms = event_fact_int(event, "expires_ms", 0);
  if (!entry || ends_ms <= 0) return misfit(event, err, "no such key");
  if (!entry->key.expires_ms || entry->key.expires_ms > ends_ms) entry->key.expires_ms = ends_ms;
  return OK;
}

enum code key_event_apply(struct catalog *catalog, struct catalog_tenant *tenant,
                          const struct event *event, struct err *err)
{
  struct arena *arena = &catalog->arena;
  struct cidr cidrs[CIDRS_MAX];
  struct key key;
  struct err why;
  struct slice id = event_fact(event, "key");
  struct key_entry *old = entry_of(catalog, tenant, id);
  if (event->kind == EVENT_KEY_ENDS) return ends_apply(old, event, err);
  if (event->kind == EVENT_KEY_REVOKED) {
    if (!old) return misfit(event, err, "no such key");
    old->revoked_seq = event->seq;
    tenant->keyring.n_live--;
    return OK;
  }
  if (key_entry(catalog, id)) return misfit(event, err, "the key exists");
  if (key_read(event, &key, cidrs, &why)) return misfit(event, err, why.text);
  struct key_entry *entry = need(arena, 1, sizeof *entry);
  struct cidr *nets = need(arena, key.n_cidrs, sizeof *nets);
  if (key.n_cidrs) memcpy(nets, cidrs, key.n_cidrs * sizeof *nets);
  entry->key = key;
  entry->seq = event->seq;
  entry->key.cidrs = nets;
  entry->key.person = kept(arena, key.person);
  entry->key.note = kept(arena, key.note);
  entry->key.added_by = kept(arena, key.added_by);
  keyring_add(catalog, tenant, entry);
  old = key.replaces[0] ? entry_of(catalog, tenant, replaces_id(&key)) : NULL;
  if (old) old->replaced = true;
  return OK;
}

/* --- commands --------------------------------------------------------------------------------- */

static void append(const struct letter_command *command, enum event_kind kind,
                   struct decision *decision)
{
  decision->kind = DECISION_APPEND;
  decision->events[decision->n_events] = command->event;
  decision->events[decision->n_events++].kind = kind;
}

static bool is_live(const struct key_entry *entry, int64_t now_ms)
{
  return !entry->revoked_seq && (!entry->key.expires_ms || entry->key.expires_ms > now_ms);
}

static bool is_another(const struct key_entry *entry, const struct key_entry *gone, enum role role,
                       int64_t now_ms)
{
  return entry != gone && role_may(entry->key.role, role) && is_live(entry, now_ms);
}

/* Whether nobody is left who can add keys to the tenant, or run the installation, when this one
 * goes. NULL: somebody is; else the role that would be nobody's. */
static const char *last_of(const struct catalog *catalog, const struct keyring *ring,
                           const struct key_entry *gone, int64_t now_ms)
{
  const struct key_index *index = &catalog->key_index;
  bool left = !role_may(gone->key.role, ROLE_ADMIN);
  for (uint32_t i = 0; !left && i < ring->n; i++)
    left = is_another(ring->entries[i], gone, ROLE_ADMIN, now_ms);
  if (!left) return "admin";
  left = !role_may(gone->key.role, ROLE_OPERATOR);
  for (uint32_t i = 0; !left && i < index->cap; i++)
    left = index->entries[i] && is_another(index->entries[i], gone, ROLE_OPERATOR, now_ms);
  return left ? NULL : "operator";
}

static void revoke_decide(const struct catalog_tenant *tenant, const struct catalog *catalog,
                          const struct letter_command *command, struct decision *decision)
{
  struct slice id = event_fact(&command->event, "key");
  const struct key_entry *entry = key_entry(catalog, id);
  struct err *err = &decision->err;
  const char *role = entry && entry->tenant == tenant && is_live(entry, command->event.wall_ms)
                         ? last_of(catalog, &tenant->keyring, entry, command->event.wall_ms)
                         : NULL;
  if (!entry || entry->tenant != tenant) {
    fail(err, E_KEY_NOT_FOUND, "there is no key '%.*s'", SLICE_ARG(id));
    decision_refuse(decision);
  } else if (entry->revoked_seq) {
    *decision = (struct decision){.kind = DECISION_ANSWER, .seq = entry->revoked_seq};
  } else if (role) {
    fail(err, E_CONFLICT, "'%.*s' is the last key with the role %s; add another one first",
         SLICE_ARG(id), role);
    decision_refuse(decision);
  } else {
    append(command, EVENT_KEY_REVOKED, decision);
  }
}

/* One of the two lives at a time, but for the grace: no third may be made meanwhile. */
static enum code rotate_check(const struct catalog *catalog, const struct catalog_tenant *tenant,
                              const struct event *wish, struct err *err)
{
  struct slice id = event_fact(wish, "replaces");
  const struct key_entry *old = entry_of(catalog, tenant, id);
  if (!old) return fail(err, E_KEY_NOT_FOUND, "there is no key '%.*s'", SLICE_ARG(id));
  if (event_fact_int(wish, "ends_ms", 0) <= 0)
    return fail(err, E_INVALID_ARGUMENT, "say until when the old key lives");
  if (!is_live(old, wish->wall_ms))
    return fail(err, E_CONFLICT, "key '%.*s' has expired; add another", SLICE_ARG(id));
  if (old->replaced)
    return fail(err, E_CONFLICT, "key '%.*s' was rotated already; rotate the one that follows it",
                SLICE_ARG(id));
  const struct key_entry *before = entry_of(catalog, tenant, replaces_id(&old->key));
  if (before && is_live(before, wish->wall_ms))
    return fail(err, E_CONFLICT,
                "key '%.*s' follows '%.*s', which lives still: two at a time; revoke that first",
                SLICE_ARG(id), SLICE_ARG(key_id(&before->key)));
  return OK;
}

/* The new one, without the fact about the old, and the old one's end. Facts go by their names:
 * ends_ms stands where expires_ms of KEY_ENDS goes. */
static void rotate_append(const struct letter_command *command, struct decision *decision)
{
  const struct event *wish = &command->event;
  struct event_fact *facts = arena_zero(command->arena, wish->n_facts + 2, sizeof *facts);
  uint32_t n = 0;
  must(facts);
  append(command, EVENT_KEY_ADDED, decision);
  append(command, EVENT_KEY_ENDS, decision);
  for (uint32_t i = 0; i < wish->n_facts; i++)
    if (!slice_eq(wish->facts[i].name, SLICE("ends_ms"))) facts[n++] = wish->facts[i];
  decision->events[0].facts = facts;
  decision->events[0].n_facts = n;
  facts[n] = (struct event_fact){SLICE("expires_ms"), event_fact(wish, "ends_ms")};
  facts[n + 1] = (struct event_fact){SLICE("key"), event_fact(wish, "replaces")};
  decision->events[1].facts = &facts[n];
  decision->events[1].n_facts = 2;
  decision->events[1].note = SLICE_NONE;
  decision->events[1].idempotency = SLICE_NONE;
}

bool key_command_is(const struct letter_command *command)
{
  return command->kind == COMMAND_KEY_ADD || command->kind == COMMAND_KEY_REVOKE ||
         command->kind == COMMAND_KEY_ROTATE;
}

bool key_command_replays(const struct catalog *catalog, const struct letter_command *command,
                         uint64_t seq)
{
  const struct key_entry *entry = key_entry(catalog, event_fact(&command->event, "key"));
  return command->kind == COMMAND_KEY_REVOKE && entry && entry->revoked_seq == seq;
}

enum code key_event_check(const struct catalog *catalog, const struct event *event, struct err *err)
{
  struct cidr cidrs[CIDRS_MAX];
  struct key key;
  if (key_read(event, &key, cidrs, err)) return err->code;
  if (!key_entry(catalog, key_id(&key))) return OK;
  return fail(err, E_CONFLICT, "there is a key '%.*s' already; try again", SLICE_ARG(key_id(&key)));
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
    decision_refuse(decision);
    return;
  }
  if (tenant->keyring.n_live >= KEYS_LIVE_MAX) {
    fail(err, E_LIMIT_EXCEEDED,
         "tenant '%.*s' has %d keys, the most there may be; revoke some first",
         SLICE_ARG(tenant->name), KEYS_LIVE_MAX);
    decision_refuse(decision);
    return;
  }
  if (command->kind != COMMAND_KEY_ROTATE)
    append(command, EVENT_KEY_ADDED, decision);
  else if (rotate_check(catalog, tenant, &command->event, err))
    decision_refuse(decision);
  else
    rotate_append(command, decision);
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
    int len =
        snprintf(numbers, sizeof numbers, "%" PRId64 ";%" PRId64 ";%" PRIu64 ";%" PRIu64 ";%u;",
                 key->expires_ms, key->added_ms, entry->seq, entry->revoked_seq, key->n_cidrs);
    add_text(sha, key_id(key));
    add_text(sha, slice_str(role_name(key->role)));
    add_text(sha, key->person);
    add_text(sha, key->note);
    add_text(sha, key->added_by);
    add_text(sha, slice_of((const char *)key->hash.at, SHA256_LEN));
    add_text(sha, slice_of(numbers, (size_t)len));
    if (key->replaces[0]) add_text(sha, replaces_id(key));
    for (uint32_t k = 0; k < key->n_cidrs; k++) {
      add_text(sha, slice_of((const char *)key->cidrs[k].net.at, sizeof key->cidrs[k].net.at));
      add_text(sha, slice_of((const char *)&key->cidrs[k].bits, 1));
    }
  }
}
