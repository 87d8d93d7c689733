/* who.c - callers to tenants and roles.
 * Thread: its loop.
 * SPDX-License-Identifier: MIT */
#include "serve/who.h"

#include <stdatomic.h>

#include "base/log.h"
#include "wire/key.h"
#include "world/ticket.h"

static void anonymous(const struct who_rules *rules, const struct world *world, struct who *who)
{
  struct slice name = slice_str(TENANT_DEFAULT);
  *who = (struct who){.tenant_name = SLICE(""),
                      .actor = SLICE(PERSON_ANONYMOUS),
                      .person = SLICE(PERSON_ANONYMOUS)};
  if (rules->keys_only) return;
  who->tenant = world ? world_tenant(world, name) : NULL;
  who->tenant_name = name;
  who->role = ROLE_OPERATOR;
}

static bool may_come_from(const struct key *key, const struct ip *peer)
{
  for (uint32_t i = 0; i < key->n_cidrs; i++)
    if (cidr_holds(&key->cidrs[i], peer)) return true;
  return key->n_cidrs == 0;
}

/* Of a key's length: what is looked up and hashed for a text of another one. */
static const char junk[] = "slw_000000000000_"
                           "0000000000000000000000000000000000000000000000000000000000000000"
                           "_00000000";
_Static_assert(sizeof junk - 1 == KEY_TEXT_LEN, "as long as a key");

struct found {
  struct slice id;       /* junk's where the text is no key: each line in the log is as long */
  const struct key *key; /* NULL: there is none of that id */
  const struct tenant *tenant;
};

/* What the log says of a key that was refused: words of one length, as each line is to take as long
 * to write. */
enum wrong { WRONG_NOTHING, WRONG_TEXT, WRONG_ID, WRONG_SECRET, WRONG_TIME, WRONG_PLACE };
static const char *const wrongs[] = {NULL,         "misspelled", "unknown id",
                                     "bad secret", "is expired", "wrong host"};

/* To find an id takes some nanoseconds more than not to: who found one looks for another that is
 * not there, and who found none for one that is. */
static void lookup_even(const struct world *world, const struct key *found)
{
  const struct tenant *tenant = world_tenants(world) ? world_tenant_at(world, 0) : NULL;
  bool there = !found && tenant && tenant->n_keys > 0;
  struct slice id = there ? key_id(&tenant->keys[0]) : slice_of(junk + 4, KEY_TEXT_ID);
  (void)world_key(world, id, &tenant);
}

/* It is looked up, and the HMAC made and compared, in every case. */
static enum wrong key_check(const struct who_rules *rules, const struct who_asks *asks,
                            struct slice text, struct found *found)
{
  static const struct key nobody; /* its hash is nobody's: an HMAC's pepper is known to none */
  struct key_text parts;
  bool long_enough = text.at && text.len == KEY_TEXT_LEN;
  bool whole = key_text_read(long_enough ? text : slice_of(junk, KEY_TEXT_LEN), &parts);
  found->key = world_key(asks->world, parts.id, &found->tenant);
  found->id = whole ? parts.id : slice_of(junk + 4, KEY_TEXT_ID);
  const struct key *key = found->key ? found->key : &nobody;
  struct digest digest = hmac_of(rules->pepper, parts.secret);
  bool same = digest_same(&digest, &key->hash);
  if (whole & same) {
    if (key->expires_ms && key->expires_ms <= asks->wall_ms) return WRONG_TIME;
    return may_come_from(key, &asks->peer) ? WRONG_NOTHING : WRONG_PLACE;
  }
  lookup_even(asks->world, found->key);
  return whole ? found->key ? WRONG_SECRET : WRONG_ID : WRONG_TEXT;
}

/* To a second: of all the requests of a busy key one in a while writes. */
static void used(const struct key *key, int64_t wall_ms)
{
  if (!key->used_ms) return;
  if (wall_ms - atomic_load_explicit(key->used_ms, memory_order_relaxed) >= 1000)
    atomic_store_explicit(key->used_ms, wall_ms, memory_order_relaxed);
}

static struct who who_with(const struct key *key, const struct tenant *tenant)
{
  return (struct who){.tenant = tenant,
                      .key = key,
                      .tenant_name = tenant->name,
                      .actor = key_id(key),
                      .person = key->person,
                      .role = key->role};
}

enum code who_of(const struct who_rules *rules, const struct who_asks *asks, struct who *who,
                 struct err *err)
{
  struct slice text;
  struct found found = {.id = SLICE("")};
  if (!key_of_head(asks->head, &text)) {
    anonymous(rules, asks->world, who);
    return OK;
  }
  if (!asks->world) return fail(err, E_NOT_READY, "the server is starting");
  if (!world_tenants(asks->world) && world_draining(asks->world))
    return fail(err, E_DRAINING, "the server is stopping");
  enum wrong wrong = rules->pepper ? key_check(rules, asks, text, &found) : WRONG_ID;
  if (wrong) {
    char peer[IP_TEXT_MAX];
    ip_text(&asks->peer, peer);
    log_event(LOG_INFO, "key_refused", "reason", wrongs[wrong], "key", log_slice(found.id),
              "peer", peer, NULL);
    return fail(err, E_UNAUTHENTICATED,
                "this key is not valid here: it may be mistyped, revoked, expired or meant for "
                "another network; send one key, as 'Authorization: Bearer slw_...'");
  }
  used(found.key, asks->wall_ms);
  *who = who_with(found.key, found.tenant);
  return OK;
}

enum code who_of_ticket(const struct who_rules *rules, const struct who_asks *asks,
                        struct slice ticket, struct who *who, struct err *err)
{
  struct slice id;
  int64_t until_s;
  const struct tenant *tenant = NULL;
  bool ours = rules->pepper && ticket_read(rules->pepper, ticket, &id, &until_s);
  const struct key *key = ours && asks->world ? world_key(asks->world, id, &tenant) : NULL;
  if (!key || until_s <= asks->wall_ms / 1000 || !may_come_from(key, &asks->peer) ||
      (key->expires_ms && key->expires_ms <= asks->wall_ms))
    return fail(err, E_UNAUTHENTICATED,
                "this ticket is not valid here, or not any more; a bulk evaluation gives another");
  *who = who_with(key, tenant);
  return OK;
}

enum code who_acts(const struct world *world, struct slice name, struct who *who, struct err *err)
{
  if (slice_eq(name, who->tenant_name)) return OK;
  if (!role_may(who->role, ROLE_OPERATOR))
    return fail(err, who->role == ROLE_ANYBODY ? E_UNAUTHENTICATED : E_DENIED,
                "the key decides the tenant; only an operator may name another in "
                "x-slipway-tenant");
  const struct tenant *tenant = world ? world_tenant(world, name) : NULL;
  if (!tenant)
    return fail(err, E_TENANT_NOT_FOUND, "there is no tenant '%.*s'", SLICE_ARG(name));
  who->tenant = tenant;
  who->tenant_name = tenant->name;
  who->acts = true;
  return OK;
}

bool who_stays(const struct world *world, struct slice id, int64_t wall_ms)
{
  const struct tenant *tenant;
  if (!world || !world_tenants(world)) return true; /* the server starts or stops: not the key */
  const struct key *key = world_key(world, id, &tenant);
  return key && (!key->expires_ms || key->expires_ms > wall_ms);
}

enum code who_may(const struct who *who, enum verb verb, enum resource_class class, struct err *err)
{
  enum role least = ROLE_OPERATOR;
  struct principal principal = {who->role, who->tenant_name};
  struct resource resource = {class, who->tenant_name};
  switch (authz(&principal, verb, &resource)) {
    case OK: return OK;
    case E_UNAUTHENTICATED:
      return fail(err, E_UNAUTHENTICATED,
                  "this needs a key; send it as 'Authorization: Bearer slw_...'");
    default:
      if (!authz_least(verb, class, &least)) return fail(err, E_DENIED, "nobody may do this");
      return fail(err, E_DENIED, "this needs the role %s; \"%.*s\" has %s", role_name(least),
                  SLICE_ARG(who->actor), role_name(who->role));
  }
}
