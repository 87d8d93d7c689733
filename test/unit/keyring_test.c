/* keyring_test.c - API keys in the catalog and in worlds: the fold, commands, and that a golden
 * ledger of them folds to the same for ever.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "control/command.h"
#include "store/codec.h"
#include "golden_fold.h"

#define HASH "d7c4b743081e6ccdf263598ab3a94f5df38c9f2aec014973c0806819d7762f26"

static const unsigned char hash_key[16] = {9};
static struct catalog *catalog;
static struct decision decision;
static struct err err;

/* Facts go by their names. */
static struct event key_event(const char *tenant, const char *id, const char *role,
                              const char *person, const char *expires_ms, const char *cidrs)
{
  static struct event_fact facts[8][6];
  static unsigned next;
  struct event_fact *to = facts[next++ % 8];
  struct event event = {.kind = EVENT_KEY_ADDED, .actor = SLICE("ann"), .wall_ms = 1000,
                        .tenant = slice_str(tenant), .facts = to};
  const char *const all[6][2] = {{"cidrs", cidrs}, {"expires_ms", expires_ms}, {"hash", HASH},
                                 {"key", id},      {"person", person},         {"role", role}};
  for (int i = 0; i < 6; i++)
    if (all[i][1])
      to[event.n_facts++] = (struct event_fact){slice_str(all[i][0]), slice_str(all[i][1])};
  return event;
}

static enum code fold(struct event event)
{
  event.seq = catalog->seq + 1;
  return catalog_apply(catalog, &event, &err);
}

static enum code fold_revoked(const char *tenant, const char *id)
{
  struct event_fact fact = {SLICE("key"), slice_str(id)};
  return fold((struct event){.kind = EVENT_KEY_REVOKED, .tenant = slice_str(tenant),
                             .facts = &fact, .n_facts = 1});
}

static void begin(void)
{
  catalog = catalog_new(hash_key);
  EXPECT_INT(fold((struct event){.kind = EVENT_TENANT_CREATED, .tenant = SLICE("a")}), OK);
  EXPECT_INT(fold((struct event){.kind = EVENT_TENANT_CREATED, .tenant = SLICE("b")}), OK);
}

static enum code decide(enum command_kind kind, struct event event)
{
  struct letter_command command = {.kind = kind, .event = event};
  command_decide(catalog, &command, &decision);
  return decision.err.code;
}

static enum code decide_revoke(const char *tenant, const char *id, const char *idempotency)
{
  static struct event_fact fact; /* what is decided is a view of it */
  fact = (struct event_fact){SLICE("key"), slice_str(id)};
  return decide(COMMAND_KEY_REVOKE,
                (struct event){.tenant = slice_str(tenant), .facts = &fact, .n_facts = 1,
                               .wall_ms = 5000, .idempotency = slice_str(idempotency)});
}

TEST(keys_are_added_and_revoked_and_ids_are_given_once)
{
  begin();
  EXPECT_INT(fold(key_event("a", "aaaaaaaaaaaa", "admin", "ann", "0", NULL)), OK);
  EXPECT_INT(fold(key_event("b", "aaaaaaaaaaaa", "admin", "ann", "0", NULL)), E_INTERNAL);
  EXPECT_INT(fold_revoked("b", "aaaaaaaaaaaa"), E_INTERNAL); /* another tenant's */
  EXPECT_INT(fold_revoked("a", "bbbbbbbbbbbb"), E_INTERNAL);
  EXPECT_INT(catalog_tenant(catalog, SLICE("a"))->keyring.n_live, 1);
  EXPECT_INT(fold_revoked("a", "aaaaaaaaaaaa"), OK);
  EXPECT_INT(catalog_tenant(catalog, SLICE("a"))->keyring.n_live, 0);
  EXPECT_INT(fold_revoked("a", "aaaaaaaaaaaa"), E_INTERNAL);
  EXPECT_INT(fold(key_event("a", "aaaaaaaaaaaa", "admin", "ann", "0", NULL)), E_INTERNAL);
  EXPECT_INT(catalog->seq, 4);
  catalog_free(catalog);
}

TEST(an_event_that_says_no_key_does_not_fold_and_leaves_nothing)
{
  begin();
  struct digest before = catalog_digest(catalog), after;
  EXPECT_INT(fold(key_event("a", "short", "admin", "ann", "0", NULL)), E_INTERNAL);
  EXPECT_INT(fold(key_event("a", "AAAAAAAAAAAA", "admin", "ann", "0", NULL)), E_INTERNAL);
  EXPECT_INT(fold(key_event("a", "aaaaaaaaaaaa", "anybody", "ann", "0", NULL)), E_INTERNAL);
  EXPECT_INT(fold(key_event("a", "aaaaaaaaaaaa", "admin", "", "0", NULL)), E_INTERNAL);
  EXPECT_INT(fold(key_event("a", "aaaaaaaaaaaa", "admin", "ann", "-5", NULL)), E_INTERNAL);
  EXPECT_INT(fold(key_event("a", "aaaaaaaaaaaa", "admin", "ann", "0", "10.0.0.1/8")), E_INTERNAL);
  EXPECT_INT(fold(key_event("c", "aaaaaaaaaaaa", "admin", "ann", "0", NULL)), E_INTERNAL);
  after = catalog_digest(catalog);
  EXPECT(memcmp(&before, &after, sizeof after) == 0);
  catalog_free(catalog);
}

TEST(an_add_is_checked_before_it_is_written)
{
  begin();
  EXPECT_INT(decide(COMMAND_KEY_ADD, key_event("a", "aaaaaaaaaaaa", "admin", "ann", "0", "::1")),
             OK);
  EXPECT_INT(decision.kind, DECISION_APPEND);
  EXPECT_INT(decision.n_events, 1);
  EXPECT_INT(decision.events[0].kind, EVENT_KEY_ADDED);
  EXPECT_INT(fold(decision.events[0]), OK);
  EXPECT_INT(decide(COMMAND_KEY_ADD, key_event("b", "aaaaaaaaaaaa", "admin", "ann", "0", NULL)),
             E_CONFLICT);
  EXPECT_INT(decide(COMMAND_KEY_ADD, key_event("a", "bbbbbbbbbbbb", "god", "ann", "0", NULL)),
             E_INVALID_ARGUMENT);
  EXPECT_INT(decide(COMMAND_KEY_ADD, key_event("a", "bbbbbbbbbbbb", "admin", "ann", "x", NULL)),
             E_INVALID_ARGUMENT);
  EXPECT_INT(decide(COMMAND_KEY_ADD, key_event("c", "bbbbbbbbbbbb", "admin", "ann", "0", NULL)),
             E_NOT_FOUND);
  catalog_free(catalog);
}

TEST(a_tenant_has_so_many_keys_and_no_more)
{
  char id[16];
  begin();
  for (int i = 0; i < KEYS_LIVE_MAX; i++) {
    snprintf(id, sizeof id, "%012d", i);
    EXPECT_INT(fold(key_event("a", id, "viewer", "ann", "0", NULL)), OK);
  }
  struct event one = key_event("a", "aaaaaaaaaaaa", "viewer", "ann", "0", NULL);
  EXPECT_INT(decide(COMMAND_KEY_ADD, one), E_LIMIT_EXCEEDED);
  EXPECT_INT(fold_revoked("a", "000000000500"), OK);
  EXPECT_INT(decide(COMMAND_KEY_ADD, one), OK);
  EXPECT(key_entry(catalog, SLICE("000000000500"))->revoked_seq != 0);
  EXPECT(key_entry(catalog, SLICE("000000000999"))->revoked_seq == 0);
  catalog_free(catalog);
}

/* robustness row AU-108 */
TEST(AU_108_the_last_admin_stays)
{
  begin();
  EXPECT_INT(fold(key_event("a", "aaaaaaaaaaaa", "admin", "ann", "0", NULL)), OK);
  EXPECT_INT(fold(key_event("a", "bbbbbbbbbbbb", "approver", "bob", "0", NULL)), OK);
  EXPECT_INT(fold(key_event("a", "cccccccccccc", "operator", "cy", "4000", NULL)), OK);
  EXPECT_INT(fold(key_event("b", "dddddddddddd", "admin", "dan", "0", NULL)), OK);
  EXPECT_INT(decide_revoke("a", "bbbbbbbbbbbb", ""), OK);
  EXPECT_INT(decide_revoke("a", "cccccccccccc", ""), OK);
  EXPECT_INT(decide_revoke("a", "aaaaaaaaaaaa", ""), E_CONFLICT); /* cy's expired at 4000 */
  EXPECT_INT(fold(key_event("a", "eeeeeeeeeeee", "operator", "eve", "9000", NULL)), OK);
  EXPECT_INT(decide_revoke("a", "aaaaaaaaaaaa", ""), OK);
  EXPECT_INT(decide_revoke("b", "aaaaaaaaaaaa", ""), E_KEY_NOT_FOUND); /* AU-110: not b's */
  catalog_free(catalog);
}

TEST(an_idempotency_key_replays_a_revocation_and_never_an_addition)
{
  begin();
  struct event one = key_event("a", "aaaaaaaaaaaa", "admin", "ann", "0", NULL);
  one.idempotency = SLICE("k-1");
  EXPECT_INT(fold(one), OK);
  EXPECT_INT(decide(COMMAND_KEY_ADD, one), E_IDEMPOTENCY_MISMATCH);
  EXPECT_INT(fold(key_event("a", "bbbbbbbbbbbb", "viewer", "bob", "0", NULL)), OK);
  EXPECT_INT(decide_revoke("a", "bbbbbbbbbbbb", "k-2"), OK);
  EXPECT_INT(fold(decision.events[0]), OK);
  uint64_t seq = catalog->seq;
  EXPECT_INT(decide_revoke("a", "bbbbbbbbbbbb", "k-2"), OK);
  EXPECT_INT(decision.kind, DECISION_ANSWER);
  EXPECT_INT(decision.seq, seq);
  EXPECT_INT(decide_revoke("a", "aaaaaaaaaaaa", "k-2"), E_IDEMPOTENCY_MISMATCH);
  EXPECT_INT(decide_revoke("a", "bbbbbbbbbbbb", ""), OK); /* revoked is revoked */
  EXPECT_INT(decision.kind, DECISION_ANSWER);
  catalog_free(catalog);
}

TEST(a_world_knows_the_live_keys_of_every_tenant_and_whose_they_are)
{
  struct arena scratch;
  struct tenant tenants[2] = {{.name = SLICE("a")}, {.name = SLICE("b")}};
  begin();
  arena_init(&scratch, 1 << 20, NULL);
  EXPECT_INT(fold(key_event("a", "aaaaaaaaaaaa", "admin", "ann", "77", "10.0.0.0/8,::1")), OK);
  EXPECT_INT(fold(key_event("a", "bbbbbbbbbbbb", "viewer", "bob", "0", NULL)), OK);
  EXPECT_INT(fold(key_event("b", "cccccccccccc", "invoker", "cy", "0", NULL)), OK);
  EXPECT_INT(fold_revoked("a", "bbbbbbbbbbbb"), OK);
  for (int i = 0; i < 2; i++) keyring_plan(&catalog->tenants[i]->keyring, &scratch, &tenants[i]);
  struct world_plan plan = {.tenants = tenants, .n_tenants = 2, .hash_key = {3}};
  struct world *world = world_build(&plan, 1);
  arena_deinit(&scratch);
  catalog_free(catalog);
  const struct tenant *tenant = NULL;
  const struct key *key = world_key(world, SLICE("aaaaaaaaaaaa"), &tenant);
  EXPECT(key && slice_eq(tenant->name, SLICE("a")) && slice_eq(key->person, SLICE("ann")));
  EXPECT(key && key->role == ROLE_ADMIN && key->expires_ms == 77 && key->added_ms == 1000);
  EXPECT(key && key->n_cidrs == 2 && key->cidrs[0].bits == 104 && key->cidrs[1].bits == 128);
  EXPECT(key && slice_eq(key->added_by, SLICE("ann")));
  EXPECT(!world_key(world, SLICE("bbbbbbbbbbbb"), &tenant)); /* revoked */
  EXPECT(!world_key(world, SLICE("dddddddddddd"), &tenant));
  key = world_key(world, SLICE("cccccccccccc"), &tenant);
  EXPECT(key && slice_eq(tenant->name, SLICE("b")) && tenant->n_keys == 1);
  world_free(world);
}

/* --- the golden ledger ------------------------------------------------------------------------ */

#define GOLDEN_DIGEST "6a469a127e7bdf6e16ff947eef2227da3d499479deded1fb758dd82a0b597728"

TEST(the_golden_ledger_of_keys_folds_for_ever)
{
  catalog = golden_fold("ledger-keys.jsonl", GOLDEN_DIGEST, NULL);
  if (!catalog) return;
  EXPECT_INT(catalog->seq, 6);
  EXPECT_INT(catalog_tenant(catalog, SLICE("acme"))->keyring.n_live, 1);
  catalog_free(catalog);
}

/* --- rotation --------------------------------------------------------------------------------- */

static enum code decide_rotate(const char *tenant, const char *id, const char *old,
                               int64_t wall_ms)
{
  static struct event_fact facts[6];
  static struct arena arena;
  const char *const all[6][2] = {{"ends_ms", "7000"}, {"expires_ms", "0"}, {"hash", HASH},
                                 {"key", id},         {"person", "ann"},   {"replaces", old}};
  static struct event_fact with_role[7];
  for (int i = 0; i < 6; i++)
    facts[i] = (struct event_fact){slice_str(all[i][0]), slice_str(all[i][1])};
  memcpy(with_role, facts, sizeof facts);
  with_role[6] = (struct event_fact){SLICE("role"), SLICE("admin")};
  arena_deinit(&arena);
  arena_init(&arena, 1 << 16, NULL);
  struct letter_command command = {
      .kind = COMMAND_KEY_ROTATE,
      .arena = &arena,
      .event = {.tenant = slice_str(tenant), .facts = with_role, .n_facts = 7, .wall_ms = wall_ms}};
  command_decide(catalog, &command, &decision);
  return decision.err.code;
}

TEST(a_rotated_key_lives_until_its_grace_is_over_and_two_live_at_most)
{
  begin();
  EXPECT_INT(fold(key_event("a", "aaaaaaaaaaaa", "admin", "ann", "0", NULL)), OK);
  EXPECT_INT(decide_rotate("b", "bbbbbbbbbbbb", "aaaaaaaaaaaa", 5000), E_KEY_NOT_FOUND);
  EXPECT_INT(decide_rotate("a", "bbbbbbbbbbbb", "zzzzzzzzzzzz", 5000), E_KEY_NOT_FOUND);
  EXPECT_INT(decide_rotate("a", "bbbbbbbbbbbb", "aaaaaaaaaaaa", 5000), OK);
  EXPECT_INT(decision.n_events, 2);
  EXPECT_INT(decision.events[0].kind, EVENT_KEY_ADDED);
  EXPECT_INT(decision.events[1].kind, EVENT_KEY_ENDS);
  for (uint32_t i = 1; i < decision.events[0].n_facts; i++) {
    struct slice x = decision.events[0].facts[i - 1].name, y = decision.events[0].facts[i].name;
    EXPECT(memcmp(x.at, y.at, x.len < y.len ? x.len : y.len) < 0); /* the ledger's order */
  }
  for (uint32_t i = 0; i < 2; i++) EXPECT_INT(fold(decision.events[i]), OK);
  EXPECT_INT(key_entry(catalog, SLICE("aaaaaaaaaaaa"))->key.expires_ms, 7000);
  EXPECT_INT(key_entry(catalog, SLICE("bbbbbbbbbbbb"))->key.expires_ms, 0);
  EXPECT_INT(decide_rotate("a", "cccccccccccc", "aaaaaaaaaaaa", 6000), E_CONFLICT); /* followed */
  EXPECT_INT(decide_rotate("a", "cccccccccccc", "bbbbbbbbbbbb", 6000), E_CONFLICT); /* a third */
  EXPECT_INT(decide_rotate("a", "cccccccccccc", "bbbbbbbbbbbb", 7000), OK);
  EXPECT_INT(decide_rotate("a", "cccccccccccc", "aaaaaaaaaaaa", 7000), E_CONFLICT); /* expired */
  /* an end never makes a key live longer */
  struct event_fact later[2] = {{SLICE("expires_ms"), SLICE("9000")},
                                {SLICE("key"), SLICE("aaaaaaaaaaaa")}};
  EXPECT_INT(fold((struct event){.kind = EVENT_KEY_ENDS, .tenant = SLICE("a"), .facts = later,
                                 .n_facts = 2}),
             OK);
  EXPECT_INT(key_entry(catalog, SLICE("aaaaaaaaaaaa"))->key.expires_ms, 7000);
  EXPECT_INT(fold((struct event){.kind = EVENT_KEY_ENDS, .tenant = SLICE("b"), .facts = later,
                                 .n_facts = 2}),
             E_INTERNAL);
  catalog_free(catalog);
}

/* robustness row AU-108 */
TEST(AU_108_the_last_operator_of_the_installation_stays)
{
  begin();
  EXPECT_INT(fold(key_event("a", "aaaaaaaaaaaa", "operator", "ann", "0", NULL)), OK);
  EXPECT_INT(fold(key_event("a", "bbbbbbbbbbbb", "admin", "bob", "0", NULL)), OK);
  EXPECT_INT(decide_revoke("a", "aaaaaaaaaaaa", ""), E_CONFLICT);
  EXPECT(strstr(decision.err.text, "the role operator"));
  EXPECT_INT(fold(key_event("b", "cccccccccccc", "operator", "eve", "0", NULL)), OK);
  EXPECT_INT(decide_revoke("a", "aaaaaaaaaaaa", ""), OK);
  EXPECT_INT(decide_revoke("b", "cccccccccccc", ""), E_CONFLICT); /* b's last admin */
  catalog_free(catalog);
}
