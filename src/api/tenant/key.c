/* key.c - API keys: add, list, revoke.
 * Thread: desk.
 * A key is made here and shown here, once: control and the ledger only ever see its hash. Its text
 * lies in memory until the answer has gone out, and is wiped then.
 * SPDX-License-Identifier: MIT */
#include <stdatomic.h>
#include <string.h>

#include "api/handlers_int.h"
#include "api/tenant/key_int.h"
#include "api/page.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"
#include "wire/key.h"
#include "wire/yaml.h"

#define EXPIRES_DEFAULT_MS (INT64_C(90) * 86400 * 1000)
enum { KEYS_PAGE = 1000, KEYS_PAGE_MAX = 10000 };
#define GRACE_DEFAULT_US (INT64_C(24) * 3600 * 1000000)
#define GRACE_MAX_US (INT64_C(30) * 86400 * 1000000)
#define EXPIRES_MAX_US (INT64_C(3660) * 86400 * 1000000)

/* ---- keys as JSON ---- */

json_t *key_json(const struct key *key)
{
  json_t *cidrs = json_array();
  int64_t used_ms =
      key->used_ms ? atomic_load_explicit(key->used_ms, memory_order_relaxed) : 0;
  for (uint32_t i = 0; i < key->n_cidrs; i++) {
    char text[IP_TEXT_MAX];
    unsigned bits = key->cidrs[i].bits;
    size_t len = ip_text(&key->cidrs[i].net, text);
    if (!memchr(text, ':', len)) bits -= 96;
    json_array_append_new(cidrs, json_sprintf("%s/%u", text, bits));
  }
  json_t *replaces =
      key->replaces[0] ? json_slice(slice_of(key->replaces, KEY_ID_LEN)) : json_null();
  return json_pack("{so,ss,so,so,so,so,so,so,so,so}", "id", json_slice(key_id(key)), "role",
                   role_name(key->role), "person", json_slice(key->person), "added_at",
                   json_time(key->added_ms), "added_by", json_slice(key->added_by), "expires_at",
                   json_time(key->expires_ms), "used_at", json_time(used_ms), "note",
                   json_slice(key->note), "cidrs", cidrs, "replaces", replaces);
}

/* "TIME/ID": keys stand in the order they were added, and one that a page ended with may have been
 * revoked since. */
static struct slice key_place(const struct key *key, struct arena *arena)
{
  struct slice id = key_id(key);
  return slice_str(arena_print(arena, "%lld/%.*s", (long long)key->added_ms, SLICE_ARG(id)));
}

static uint32_t keys_after(const struct tenant *tenant, struct slice place)
{
  const char *slash = place.at ? memchr(place.at, '/', place.len) : NULL;
  uint64_t added_ms = 0;
  uint32_t i = 0;
  struct slice time = slash ? slice_of(place.at, (size_t)(slash - place.at)) : SLICE_NONE;
  if (!text_read_u64(time, INT64_MAX, &added_ms)) return 0;
  struct slice id = slice_from(place, (size_t)(slash + 1 - place.at));
  for (uint32_t k = 0; k < tenant->n_keys; k++)
    if (slice_eq(key_id(&tenant->keys[k]), id)) return k + 1;
  while (i < tenant->n_keys && tenant->keys[i].added_ms <= (int64_t)added_ms) i++;
  return i;
}

enum desk_step key_list(struct ask *ask)
{
  const struct tenant *tenant = ask->tenant;
  int64_t now_ms = clock_wall_ms();
  struct page page;
  if (!page_read(ask, KEYS_PAGE, KEYS_PAGE_MAX, &page)) return ask_fail(ask);
  json_t *list = json_array();
  uint32_t n = tenant ? tenant->n_keys : 0, i = n ? keys_after(tenant, page.place) : 0;
  for (; i < n && page.limit > 0; i++, page.limit--) {
    const struct key *key = &tenant->keys[i];
    json_t *tree = key_json(key);
    bool over = key->expires_ms && key->expires_ms <= now_ms;
    json_object_set_new(tree, "state", json_string(over ? "EXPIRED" : "LIVE"));
    json_array_append_new(list, tree);
  }
  struct slice last = i && i < n ? key_place(&tenant->keys[i - 1], &ask->arena) : SLICE_NONE;
  return ask_json(ask, 200, json_pack("{so,so}", "keys", list, "next", page_next(ask, last)));
}

enum desk_step key_whoami(struct ask *ask)
{
  const struct letter_ask *letter = ask->letter;
  return ask_json(ask, 200,
                  json_pack("{so,so,so,ss}", "tenant", json_slice(letter->tenant), "actor",
                            json_slice(letter->actor), "person", json_slice(letter->person), "role",
                            role_name(letter->role)));
}

/* ---- adding ---- */

struct made {
  char text[KEY_TEXT_LEN + 1];
};

static void made_free(void *state)
{
  explicit_bzero(state, sizeof(struct made));
  ungrab(state);
}

bool key_person_read(struct ask *ask, struct slice *person)
{
  if (!member_str(ask, ask->body, "person", ASK_MEMBER_MAX, person)) return false;
  bool good = person->len >= 1 && person->len <= KEY_PERSON_MAX;
  for (size_t i = 0; good && i < person->len; i++) good = (unsigned char)person->at[i] > 0x20;
  if (slice_eq(*person, SLICE(PERSON_ANONYMOUS)) || slice_eq(*person, SLICE("slipway")))
    good = false;
  if (good) return true;
  fail(&ask->err, E_INVALID_ARGUMENT,
       "say whose key it is: 'person' is 1 to %d bytes without blanks, not anonymous or slipway",
       KEY_PERSON_MAX);
  fail_at(&ask->err, "person");
  return false;
}

/* Nobody grants more than they hold. */
static bool role_read(struct ask *ask, enum role *role)
{
  struct slice name = SLICE_NONE;
  if (!member_str(ask, ask->body, "role", ASK_MEMBER_MAX, &name)) return false;
  if (!role_named(name, role)) {
    fail(&ask->err, E_INVALID_ARGUMENT,
         "'%.*s' is no role; there are viewer, auditor, invoker, deployer, approver, admin and "
         "operator",
         SLICE_ARG(name));
    fail_at(&ask->err, "role");
    return false;
  }
  if (role_may(ask->letter->role, *role)) return true;
  fail(&ask->err, E_DENIED, "you have the role %s, which does not hold %s",
       role_name(ask->letter->role), role_name(*role));
  fail_at(&ask->err, "role");
  return false;
}

/* "90d", "12h", "never". */
bool key_expires_read(struct ask *ask, int64_t now_ms, int64_t *expires_ms)
{
  struct slice text = SLICE_NONE;
  int64_t us;
  *expires_ms = now_ms + EXPIRES_DEFAULT_MS;
  if (!member_str(ask, ask->body, "expires", ASK_MEMBER_MAX, &text)) return false;
  if (!text.at) return true;
  if (slice_eq(text, SLICE("never"))) {
    *expires_ms = 0;
    return true;
  }
  if (yaml_duration_read(text, &us) && us >= 1000000 && us <= EXPIRES_MAX_US) {
    *expires_ms = now_ms + us / 1000;
    return true;
  }
  fail(&ask->err, E_INVALID_ARGUMENT,
       "'%.*s' is no time until it expires, like 12h or 90d, up to 3660d, or never",
       SLICE_ARG(text));
  fail_at(&ask->err, "expires");
  return false;
}

static bool cidrs_text_read(struct ask *ask, struct slice *text)
{
  struct cidr cidrs[CIDRS_MAX];
  uint32_t n;
  if (!member_str(ask, ask->body, "cidrs", ASK_MEMBER_MAX, text)) return false;
  if (!text->at || cidrs_read(*text, cidrs, &n, &ask->err) == OK) return true;
  fail_at(&ask->err, "cidrs");
  return false;
}

const struct key *key_made(struct ask *ask)
{
  const struct made *made = ask->state;
  const struct tenant *tenant = NULL;
  const struct key *key = world_key(ask->world, slice_of(made->text + 4, KEY_TEXT_ID), &tenant);
  if (!key) /* revoked in the same moment */
    fail(&ask->err, E_CONFLICT, "the key was added and is revoked already");
  return key;
}

enum desk_step key_answer(struct ask *ask, json_t *tree)
{
  const struct made *made = ask->state;
  char *rest = json_dumps(tree, JSON_COMPACT);
  json_decref(tree);
  /* {"key":"..." and what follows the rest's brace */
  size_t head = sizeof "{\"key\":\"\"," - 1 + KEY_TEXT_LEN, tail = strlen(rest + 1);
  struct blob *body = blob_new(head + tail);
  body->secret = true;
  memcpy(body->bytes, "{\"key\":\"", 8);
  memcpy(body->bytes + 8, made->text, KEY_TEXT_LEN);
  memcpy(body->bytes + 8 + KEY_TEXT_LEN, "\",", 2);
  memcpy(body->bytes + head, rest + 1, tail);
  ungrab(rest);
  return ask_text(ask, 201, "application/json", body);
}

/* Nor takes away, nor hands on. */
static bool key_is_held(struct ask *ask, const struct key *key)
{
  if (role_may(ask->letter->role, key->role)) return true;
  fail(&ask->err, E_DENIED, "you have the role %s, which does not hold the key's %s",
       role_name(ask->letter->role), role_name(key->role));
  return false;
}

static enum desk_step added(struct ask *ask)
{
  const struct letter_command *command = &ask->command;
  ask->err = command->err;
  if (ask->err.code == E_IDEMPOTENCY_MISMATCH)
    fail(&ask->err, E_IDEMPOTENCY_MISMATCH,
         "this Idempotency-Key was used before; if that added a key, it was shown then and is not "
         "shown again: revoke it, and add another with a fresh one");
  if (ask->err.code != OK) return ask_fail(ask);
  const struct key *key = key_made(ask);
  if (!key) return ask_fail(ask);
  json_t *tree = key_json(key);
  json_object_set_new(tree, "seq", json_u64(command->seq));
  return key_answer(ask, tree);
}

/* The key, kept until the answer; its hash and id go into facts, in the order of their names. */
void key_make(struct ask *ask, struct event_fact *hash, struct event_fact *id)
{
  unsigned char random[KEY_RANDOM];
  char hex[SHA256_HEX_LEN + 1];
  struct key_text parts;
  struct made *made = grab(sizeof *made);
  ask->state = made;
  ask->state_free = made_free;
  rand_secret(random, sizeof random);
  key_text_make(random, made->text);
  explicit_bzero(random, sizeof random);
  must(key_text_read(slice_of(made->text, KEY_TEXT_LEN), &parts));
  struct digest digest = hmac_of(ask->desk->opts->pepper, parts.secret);
  digest_hex(&digest, hex);
  *hash = (struct event_fact){SLICE("hash"), arena_copy(&ask->arena, slice_str(hex))};
  *id = (struct event_fact){SLICE("key"), arena_copy(&ask->arena, parts.id)};
}

enum desk_step key_add(struct ask *ask)
{
  struct event *event = &ask->command.event;
  struct event_fact *facts = arena_zero(&ask->arena, 6, sizeof *facts);
  struct slice person = SLICE_NONE, cidrs = SLICE_NONE, note = SLICE_NONE;
  int64_t now_ms = clock_wall_ms(), expires_ms;
  enum role role;
  uint32_t n = 0;
  must(facts);
  if (!ask_body(ask) || !ask_members(ask, "role", "person", "expires", "note", "cidrs", NULL) ||
      !role_read(ask, &role) || !key_person_read(ask, &person) ||
      !key_expires_read(ask, now_ms, &expires_ms) || !cidrs_text_read(ask, &cidrs) ||
      !member_str(ask, ask->body, "note", KEY_NOTE_MAX, &note))
    return ask_fail(ask);
  const char *expires = arena_print(&ask->arena, "%lld", (long long)expires_ms);
  if (cidrs.at) facts[n++] = (struct event_fact){SLICE("cidrs"), cidrs};
  facts[n++] = (struct event_fact){SLICE("expires_ms"), slice_str(expires)};
  key_make(ask, &facts[n], &facts[n + 1]), n += 2;
  facts[n++] = (struct event_fact){SLICE("person"), person};
  facts[n++] = (struct event_fact){SLICE("role"), slice_str(role_name(role))};
  *event = (struct event){.kind = EVENT_KEY_ADDED, .wall_ms = now_ms, .note = note};
  event->facts = facts;
  event->n_facts = n;
  ask->command.kind = COMMAND_KEY_ADD;
  return ask_command(ask, added);
}

/* ---- rotating ---- */

/* "24h", "0s": from now until the old key expires. */
static bool grace_read(struct ask *ask, int64_t now_ms, int64_t *ends_ms)
{
  struct slice text = SLICE_NONE;
  int64_t us = GRACE_DEFAULT_US;
  if (!member_str(ask, ask->body, "grace", ASK_MEMBER_MAX, &text)) return false;
  if (text.at && (!yaml_duration_read(text, &us) || us < 0 || us > GRACE_MAX_US)) {
    fail(&ask->err, E_INVALID_ARGUMENT, "'%.*s' is no time such as 24h, at most 30d",
         SLICE_ARG(text));
    fail_at(&ask->err, "grace");
    return false;
  }
  *ends_ms = now_ms + us / 1000;
  return true;
}

/* The key's own networks once more, as text. */
static struct slice cidrs_text(struct ask *ask, const struct key *key)
{
  struct buf buf;
  buf_init(&buf, ASK_MEMBER_MAX);
  for (uint32_t i = 0; i < key->n_cidrs; i++) {
    char text[IP_TEXT_MAX];
    size_t len = ip_text(&key->cidrs[i].net, text);
    unsigned bits = key->cidrs[i].bits - (memchr(text, ':', len) ? 0 : 96u);
    buf_print(&buf, "%s%s/%u", i ? "," : "", text, bits);
  }
  must(!buf.full);
  struct slice copy = arena_copy(&ask->arena, buf_lend(&buf));
  buf_deinit(&buf);
  must(copy.at);
  return copy;
}

/* Facts of the new key, which is the old one but for its secret; ascending by name. */
static void rotate_fill(struct ask *ask, const struct key *old, int64_t expires_ms,
                        int64_t ends_ms)
{
  struct event *event = &ask->command.event;
  struct event_fact *facts = arena_zero(&ask->arena, 8, sizeof *facts);
  uint32_t n = 0;
  must(facts);
  const char *expires = arena_print(&ask->arena, "%lld", (long long)expires_ms);
  const char *ends = arena_print(&ask->arena, "%lld", (long long)ends_ms);
  if (old->n_cidrs) facts[n++] = (struct event_fact){SLICE("cidrs"), cidrs_text(ask, old)};
  facts[n++] = (struct event_fact){SLICE("ends_ms"), slice_str(ends)};
  facts[n++] = (struct event_fact){SLICE("expires_ms"), slice_str(expires)};
  key_make(ask, &facts[n], &facts[n + 1]), n += 2;
  facts[n++] = (struct event_fact){SLICE("person"), arena_copy(&ask->arena, old->person)};
  facts[n++] = (struct event_fact){SLICE("replaces"), ask->letter->params[0]};
  facts[n++] = (struct event_fact){SLICE("role"), slice_str(role_name(old->role))};
  *event = (struct event){.kind = EVENT_KEY_ADDED, .note = arena_copy(&ask->arena, old->note)};
  event->facts = facts;
  event->n_facts = n;
}

/* The new key for the old one's person, role and networks; both live until the grace is over. A key
 * that never expires is followed by one that does not either. */
enum desk_step key_rotate(struct ask *ask)
{
  const struct tenant *tenant = NULL;
  const struct key *old = world_key(ask->world, ask->letter->params[0], &tenant);
  int64_t now_ms = clock_wall_ms(), expires_ms, ends_ms;
  if (!old || tenant != ask->tenant) {
    fail(&ask->err, E_KEY_NOT_FOUND, "there is no key '%.*s'", SLICE_ARG(ask->letter->params[0]));
    return ask_fail(ask);
  }
  if (!key_is_held(ask, old) || !ask_body(ask) || !ask_members(ask, "expires", "grace", NULL) ||
      !key_expires_read(ask, now_ms, &expires_ms) || !grace_read(ask, now_ms, &ends_ms))
    return ask_fail(ask);
  if (!old->expires_ms && !json_object_get(ask->body, "expires")) expires_ms = 0;
  rotate_fill(ask, old, expires_ms, ends_ms);
  ask->command.kind = COMMAND_KEY_ROTATE;
  return ask_command(ask, added);
}

/* ---- revoking ---- */

static enum desk_step revoked(struct ask *ask)
{
  const struct letter_command *command = &ask->command;
  ask->err = command->err;
  if (ask->err.code != OK) return ask_fail(ask);
  return ask_json(ask, 200, json_pack("{so,ss,so}", "id", json_slice(ask->letter->params[0]),
                                      "state", "REVOKED", "seq", json_u64(command->seq)));
}

enum desk_step key_revoke(struct ask *ask)
{
  struct event *event = &ask->command.event;
  struct event_fact *fact = arena_zero(&ask->arena, 1, sizeof *fact);
  const struct tenant *tenant = NULL;
  const struct key *key = world_key(ask->world, ask->letter->params[0], &tenant);
  must(fact);
  if (key && tenant == ask->tenant && !key_is_held(ask, key)) return ask_fail(ask);
  *fact = (struct event_fact){SLICE("key"), ask->letter->params[0]};
  *event = (struct event){.kind = EVENT_KEY_REVOKED, .wall_ms = clock_wall_ms()};
  event->facts = fact;
  event->n_facts = 1;
  ask->command.kind = COMMAND_KEY_REVOKE;
  return ask_command(ask, revoked);
}
