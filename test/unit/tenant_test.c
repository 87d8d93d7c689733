/* tenant_test.c - tenants in the catalog: names, the fold, commands, and what removing leaves.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "control/command.h"
#include "control/release/fold.h"
#include "control/tenant.h"
#include "store/codec.h"
#include "golden_fold.h"

#define HASH "d7c4b743081e6ccdf263598ab3a94f5df38c9f2aec014973c0806819d7762f26"

static const unsigned char hash_key[16] = {9};
static struct catalog *catalog;
static struct decision decision;
static struct err err;
static const struct event_file file = {.name = SLICE("model.json"), .bytes = 2};

static enum code fold(struct event event)
{
  event.seq = catalog->seq + 1;
  return catalog_apply(catalog, &event, &err);
}

static void begin(void)
{
  catalog = catalog_new(hash_key);
  EXPECT_INT(fold((struct event){.kind = EVENT_TENANT_CREATED, .tenant = SLICE("default")}), OK);
  EXPECT_INT(fold((struct event){.kind = EVENT_TENANT_CREATED,
                                 .tenant = SLICE("acme"),
                                 .note = SLICE("fraud"),
                                 .actor = SLICE("ann"),
                                 .wall_ms = 7}),
             OK);
}

/* A model of acme's, serving. */
static void model_serves(void)
{
  struct event event = {.kind = EVENT_MODEL_CREATED, .tenant = SLICE("acme"), .model = SLICE("m")};
  EXPECT_INT(fold(event), OK);
  event.kind = EVENT_VERSION_PUSHED;
  event.version = 1;
  event.files = &file;
  event.n_files = 1;
  EXPECT_INT(fold(event), OK);
  event.n_files = 0;
  event.kind = EVENT_VERSION_DEPLOYED;
  EXPECT_INT(fold(event), OK);
}

static struct event with_key(struct event event, const char *id)
{
  static struct event_fact facts[5];
  const char *const all[5][2] = {
      {"expires_ms", "0"}, {"hash", HASH}, {"key", id}, {"person", "bob"}, {"role", "admin"}};
  for (int i = 0; i < 5; i++)
    facts[i] = (struct event_fact){slice_str(all[i][0]), slice_str(all[i][1])};
  event.facts = facts;
  event.n_facts = 5;
  return event;
}

static struct event with_fact(struct event event, const char *name, const char *value)
{
  static struct event_fact fact;
  fact = (struct event_fact){slice_str(name), slice_str(value)};
  event.facts = &fact;
  event.n_facts = 1;
  return event;
}

static enum code decide(enum command_kind kind, struct event event)
{
  struct letter_command command = {.kind = kind, .event = event};
  command_decide(catalog, &command, &decision);
  return decision.err.code;
}

/* What was decided, folded. */
static void done(void)
{
  EXPECT_INT(decision.kind, DECISION_APPEND);
  for (uint32_t i = 0; i < decision.n_events; i++) EXPECT_INT(fold(decision.events[i]), OK);
}

/* robustness row TN-109 */
TEST(TN_109_names_are_the_models_in_lower_case)
{
  static const char *const good[] = {"a", "acme", "team-7.fraud_x", "0"};
  static const char *const bad[] = {"", "Acme", "..", "a..b", ".a", "a-", "a b", "a/b", "con", "nul",
                                    "com1", "aux.x", "admin", "operator", "slipway", "all", "\xc3\xa9",
                                    "\xf0\x9f\x98\x80", "acm\xd0\xb5", "a\nb", "a%2f"};
  char mega[1 << 20];
  memset(mega, 'a', sizeof mega);
  for (size_t i = 0; i < sizeof good / sizeof *good; i++)
    EXPECT_INT(tenant_name_check(slice_str(good[i]), &err), OK);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    EXPECT_INT(tenant_name_check(slice_str(bad[i]), &err), E_BAD_NAME);
  EXPECT_INT(tenant_name_check(slice_of(mega, sizeof mega), &err), E_BAD_NAME);
  EXPECT_INT(tenant_name_check(slice_of(mega, 63), &err), OK);
  EXPECT_INT(tenant_name_check(slice_of(mega, 64), &err), E_BAD_NAME);
  EXPECT(strlen(err.text) < 128);
}

TEST(a_tenant_is_added_with_its_first_key_in_one_append)
{
  begin();
  struct event wish = {.tenant = SLICE("bank"), .note = SLICE("loans"), .actor = SLICE("ann"),
                       .idempotency = SLICE("k1")};
  EXPECT_INT(decide(COMMAND_TENANT_ADD, with_key(wish, "aaaaaaaaaaaa")), OK);
  EXPECT_INT(decision.n_events, 2);
  EXPECT_INT(decision.events[0].kind, EVENT_TENANT_CREATED);
  EXPECT_INT(decision.events[0].n_facts, 0);
  EXPECT_INT(decision.events[1].kind, EVENT_KEY_ADDED);
  EXPECT_INT(decision.events[1].idempotency.len, 0); /* the tenant's event has it */
  done();
  const struct catalog_tenant *bank = catalog_tenant(catalog, SLICE("bank"));
  EXPECT(bank && bank->slot == 2 && bank->keyring.n_live == 1);
  EXPECT(slice_eq(bank->about, SLICE("loans")) && slice_eq(bank->added_by, SLICE("ann")));
  /* its key is shown once: the same request again does not show it */
  EXPECT_INT(decide(COMMAND_TENANT_ADD, with_key(wish, "bbbbbbbbbbbb")), E_IDEMPOTENCY_MISMATCH);
  wish.idempotency = SLICE_NONE;
  EXPECT_INT(decide(COMMAND_TENANT_ADD, with_key(wish, "bbbbbbbbbbbb")), E_CONFLICT);
  wish.tenant = SLICE("other");
  EXPECT_INT(decide(COMMAND_TENANT_ADD, with_key(wish, "aaaaaaaaaaaa")), E_CONFLICT);
  EXPECT_INT(decide(COMMAND_TENANT_ADD, with_key(wish, "short")), E_INVALID_ARGUMENT);
  wish.tenant = SLICE("Other");
  EXPECT_INT(decide(COMMAND_TENANT_ADD, wish), E_BAD_NAME);
  wish.tenant = SLICE("other");
  EXPECT_INT(decide(COMMAND_TENANT_ADD, wish), OK);
  EXPECT_INT(decision.n_events, 1); /* without a key */
  catalog_free(catalog);
}

TEST(what_is_not_named_stays_as_it_is)
{
  begin();
  struct event wish = {.tenant = SLICE("acme")};
  EXPECT_INT(decide(COMMAND_TENANT_SET, wish), E_INVALID_ARGUMENT);
  struct digest before = catalog_digest(catalog);
  EXPECT_INT(decide(COMMAND_TENANT_SET, with_fact(wish, "about", "cards")), OK);
  done();
  const struct catalog_tenant *acme = catalog_tenant(catalog, SLICE("acme"));
  EXPECT(slice_eq(acme->about, SLICE("cards")));
  struct digest after = catalog_digest(catalog);
  EXPECT(memcmp(&before, &after, sizeof after) != 0);
  EXPECT_INT(fold(with_fact((struct event){.kind = EVENT_TENANT_SET, .tenant = SLICE("acme")},
                            "of_a_later_day", "1")),
             OK);
  EXPECT(slice_eq(acme->about, SLICE("cards")));
  EXPECT_INT(decide(COMMAND_TENANT_SET, with_fact(wish, "about", "")), OK);
  done();
  EXPECT_INT(acme->about.len, 0);
  wish.tenant = SLICE("ghost");
  EXPECT_INT(decide(COMMAND_TENANT_SET, with_fact(wish, "about", "x")), E_TENANT_NOT_FOUND);
  catalog_free(catalog);
}

/* robustness row TN-107: and its name is never given again */
TEST(TN_107_a_removed_tenant_is_gone_and_its_name_taken)
{
  begin();
  struct event key = {.kind = EVENT_KEY_ADDED, .tenant = SLICE("acme")};
  EXPECT_INT(fold(with_key(key, "aaaaaaaaaaaa")), OK);
  model_serves();
  struct event wish = {.tenant = SLICE("acme"), .idempotency = SLICE("gone")};
  EXPECT_INT(decide(COMMAND_TENANT_REMOVE, wish), E_CONFLICT);
  EXPECT(strstr(decision.err.text, "model 'm' of tenant 'acme' serves"));
  EXPECT_INT(decide(COMMAND_TENANT_REMOVE, with_fact(wish, "force", "true")), OK);
  done();
  const struct catalog_tenant *acme = catalog_tenant_ever(catalog, SLICE("acme"));
  EXPECT(catalog_tenant(catalog, SLICE("acme")) == NULL && acme && acme->removed_seq);
  EXPECT_INT(acme->keyring.n_live, 0);
  EXPECT_INT(acme->models[0]->serving, 0);
  EXPECT(key_entry(catalog, SLICE("aaaaaaaaaaaa"))->revoked_seq != 0);
  /* nothing about it folds or is decided any more */
  EXPECT_INT(fold((struct event){.kind = EVENT_TENANT_CREATED, .tenant = SLICE("acme")}),
             E_INTERNAL);
  EXPECT_INT(fold((struct event){.kind = EVENT_VERSION_DEPLOYED, .tenant = SLICE("acme"),
                                 .model = SLICE("m"), .version = 1}),
             E_INTERNAL);
  EXPECT_INT(decide(COMMAND_TENANT_REMOVE, with_fact(wish, "force", "true")), OK); /* replayed */
  EXPECT_INT(decision.kind, DECISION_ANSWER);
  EXPECT_INT(decision.seq, acme->removed_seq);
  wish.idempotency = SLICE_NONE;
  EXPECT_INT(decide(COMMAND_TENANT_REMOVE, wish), E_TENANT_NOT_FOUND);
  EXPECT_INT(decide(COMMAND_TENANT_SET, with_fact(wish, "about", "x")), E_TENANT_NOT_FOUND);
  EXPECT_INT(decide(COMMAND_TENANT_ADD, wish), E_CONFLICT);
  EXPECT(strstr(decision.err.text, "never given twice"));
  wish.model = SLICE("m");
  EXPECT_INT(decide(COMMAND_DEPLOY, wish), E_NOT_FOUND);
  catalog_free(catalog);
}

/* Of events from before there was the fact they stay: an old ledger folds to what it was. */
TEST(freezes_of_a_removed_tenant_go_with_it)
{
  static const struct event_fact scopes[] = {
      {{"scope", 5}, {"tenant", 6}}, {{"scope", 5}, {"model", 5}}, {{"scope", 5}, {"system", 6}}};
  for (int old = 0; old < 2; old++) {
    begin();
    model_serves();
    for (int i = 0; i < 3; i++) {
      struct event freeze = {.kind = EVENT_FREEZE_SET, .tenant = SLICE("acme"),
                             .model = i == 1 ? SLICE("m") : SLICE_NONE,
                             .facts = &scopes[i], .n_facts = 1};
      EXPECT_INT(fold(freeze), OK);
      freeze.tenant = SLICE("default");
      if (i == 0) EXPECT_INT(fold(freeze), OK);
    }
    EXPECT_INT(catalog->n_freezes, 4);
    struct event wish = {.tenant = SLICE("acme")};
    EXPECT_INT(decide(COMMAND_TENANT_REMOVE, with_fact(wish, "force", "true")), OK);
    struct event event = decision.events[0];
    if (old) event.n_facts = 0;
    EXPECT_INT(fold(event), OK);
    EXPECT_INT(catalog->n_freezes, old ? 4 : 2);
    EXPECT(old || (slice_eq(catalog->freezes[0].tenant->name, SLICE("default")) &&
                   catalog->freezes[1].scope == FREEZE_SYSTEM));
    catalog_free(catalog);
  }
}

TEST(the_default_tenant_stays_and_so_does_one_with_something_under_way)
{
  begin();
  struct event wish = {.tenant = SLICE("default")};
  EXPECT_INT(decide(COMMAND_TENANT_REMOVE, with_fact(wish, "force", "true")), E_CONFLICT);
  model_serves();
  struct event asked = {.kind = EVENT_DEPLOY_ASKED, .tenant = SLICE("acme"), .model = SLICE("m"),
                        .version = 1};
  EXPECT_INT(fold(asked), OK);
  wish.tenant = SLICE("acme");
  EXPECT_INT(decide(COMMAND_TENANT_REMOVE, with_fact(wish, "force", "true")), E_CONFLICT);
  EXPECT(strstr(decision.err.text, "running"));
  EXPECT_INT(fold((struct event){.kind = EVENT_TENANT_REMOVED, .tenant = SLICE("acme")}),
             E_INTERNAL);
  catalog_free(catalog);
}

/* --- the golden ledger ------------------------------------------------------------------------ */

#define GOLDEN_DIGEST "cb78f1f82d57addce735486655770c01f012eb2c1fc212b00f0eaf9ab92c412d"

TEST(the_golden_ledger_of_tenants_folds_for_ever)
{
  catalog = golden_fold("ledger-tenants.jsonl", GOLDEN_DIGEST, NULL);
  if (!catalog) return;
  EXPECT_INT(catalog->seq, 13);
  EXPECT_INT(catalog_tenant(catalog, SLICE("acme"))->about.len, 0);
  EXPECT_INT(catalog_tenant(catalog, SLICE("acme"))->keyring.n_live, 2);
  EXPECT_INT(key_entry(catalog, SLICE("aaaaaaaaaaaa"))->key.expires_ms, 1767312000000);
  EXPECT(catalog_tenant(catalog, SLICE("bank")) == NULL);
  EXPECT_INT(catalog_tenant_ever(catalog, SLICE("bank"))->keyring.n_live, 0);
  catalog_free(catalog);
}
