/* registry_test.c - what commands about the registry come to, and what their events do.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "base/blob.h"
#include "control/command.h"
#include "control/registry/fold.h"
#include "store/codec.h"
#include "golden_fold.h"

static const unsigned char hash_key[16] = {4};
static struct catalog *catalog;
static struct event_file file = {.name = SLICE("model.onnx"), .bytes = 10};
static struct decision decision;
static struct arena arena;
static struct err err;

static enum code fold(struct event event)
{
  event.seq = catalog->seq + 1;
  event.wall_ms = 1000 + (int64_t)event.seq;
  event.tenant = SLICE("default");
  return catalog_apply(catalog, &event, &err);
}

/* Model m: versions 1 to 4, 3 serves, 2 to go back to, then 1. */
static struct catalog_model *begin(void)
{
  arena_init(&arena, 4 << 20, NULL);
  catalog = catalog_new(hash_key);
  EXPECT_INT(fold((struct event){.kind = EVENT_TENANT_CREATED}), OK);
  EXPECT_INT(fold((struct event){.kind = EVENT_MODEL_CREATED, .model = SLICE("m")}), OK);
  for (uint32_t i = 1; i <= 4; i++)
    EXPECT_INT(fold((struct event){.kind = EVENT_VERSION_PUSHED,
                                   .model = SLICE("m"),
                                   .version = i,
                                   .files = &file,
                                   .n_files = 1}),
               OK);
  for (uint32_t i = 1; i <= 3; i++)
    EXPECT_INT(
        fold((struct event){.kind = EVENT_VERSION_DEPLOYED, .model = SLICE("m"), .version = i}),
        OK);
  return catalog->tenants[0]->models[0];
}

static void end(void)
{
  catalog_free(catalog);
  arena_deinit(&arena);
}

static struct letter_command wish(enum command_kind kind, uint32_t version, const char *fact,
                                  const char *value)
{
  static struct event_fact facts[1];
  struct letter_command command = {.kind = kind, .arena = &arena};
  command.event =
      (struct event){.tenant = SLICE("default"), .model = SLICE("m"), .version = version};
  if (!fact) return command;
  facts[0] = (struct event_fact){slice_str(fact), slice_str(value)};
  command.event.facts = facts;
  command.event.n_facts = 1;
  return command;
}

static enum code decide(struct letter_command command)
{
  command_decide(catalog, &command, &decision);
  EXPECT(decision.err.code == OK || decision.kind == DECISION_ANSWER);
  return decision.err.code;
}

/* Decides, and folds what came of it. */
static enum code done(struct letter_command command)
{
  if (decide(command)) return decision.err.code;
  for (uint32_t i = 0; decision.kind == DECISION_APPEND && i < decision.n_events; i++)
    EXPECT_INT(fold(decision.events[i]), OK);
  return OK;
}

static enum code remove_version(uint32_t number)
{
  return done(wish(COMMAND_VERSION_REMOVE, number, NULL, NULL));
}

TEST(a_card_is_patched_and_an_equal_one_changes_nothing)
{
  struct catalog_model *m = begin();
  EXPECT_INT(done(wish(COMMAND_MODEL_SET, 0, "patch", "{\"description\":\"d\"}")), OK);
  EXPECT(slice_eq(blob_lend(m->card), SLICE("{\"description\":\"d\"}")));
  EXPECT_INT(done(wish(COMMAND_MODEL_SET, 0, "patch", "{\"tags\":{\"a\":\"1\"}}")), OK);
  EXPECT(slice_eq(blob_lend(m->card), SLICE("{\"description\":\"d\",\"tags\":{\"a\":\"1\"}}")));
  uint64_t seq = catalog->seq;
  EXPECT_INT(done(wish(COMMAND_MODEL_SET, 0, "patch", "{\"description\":\"d\"}")), OK);
  EXPECT(decision.kind == DECISION_ANSWER && catalog->seq == seq);
  EXPECT_INT(done(wish(COMMAND_VERSION_SET, 2, "patch", "{\"run\":\"r\",\"parent\":1}")), OK);
  EXPECT(slice_eq(blob_lend(m->versions[1].card), SLICE("{\"parent\":1,\"run\":\"r\"}")));
  EXPECT_INT(decide(wish(COMMAND_VERSION_SET, 2, "patch", "{\"parent\":2}")), E_VERSION_NOT_FOUND);
  EXPECT_INT(decide(wish(COMMAND_VERSION_SET, 2, "patch", "{\"parent\":9}")), E_VERSION_NOT_FOUND);
  EXPECT_INT(decide(wish(COMMAND_VERSION_SET, 9, "patch", "{}")), E_VERSION_NOT_FOUND);
  end();
}

TEST(an_alias_points_moves_and_goes)
{
  struct catalog_model *m = begin();
  EXPECT_INT(done(wish(COMMAND_ALIAS_SET, 2, "alias", "champion")), OK);
  EXPECT_INT(done(wish(COMMAND_ALIAS_SET, 4, "alias", "best")), OK);
  EXPECT_INT(m->n_aliases, 2);
  EXPECT_INT(catalog_alias(m, SLICE("champion"))->version, 2);
  EXPECT_INT(done(wish(COMMAND_ALIAS_SET, 3, "alias", "champion")), OK);
  EXPECT_INT(catalog_alias(m, SLICE("champion"))->version, 3);
  EXPECT_INT(done(wish(COMMAND_ALIAS_SET, 3, "alias", "champion")), OK);
  EXPECT_INT(decision.kind, DECISION_ANSWER);
  EXPECT_INT(decide(wish(COMMAND_ALIAS_SET, 9, "alias", "x")), E_VERSION_NOT_FOUND);
  static const char *const bad[] = {"", "1", "3rd", "Champion", "latest", "v2", "a/b", "a@b", "é"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    EXPECT_INT(decide(wish(COMMAND_ALIAS_SET, 1, "alias", bad[i])), E_BAD_NAME);
  EXPECT_INT(done(wish(COMMAND_ALIAS_REMOVE, 0, "alias", "champion")), OK);
  EXPECT_INT(decide(wish(COMMAND_ALIAS_REMOVE, 0, "alias", "champion")), E_NOT_FOUND);
  for (int i = 1; i < ALIASES_MAX; i++) {
    char name[16];
    snprintf(name, sizeof name, "a%d", i);
    EXPECT_INT(done(wish(COMMAND_ALIAS_SET, 1, "alias", name)), OK);
  }
  EXPECT_INT(decide(wish(COMMAND_ALIAS_SET, 1, "alias", "zz")), E_LIMIT_EXCEEDED);
  end();
}

/* RG-105 */
TEST(what_is_needed_is_not_removed_and_the_answer_says_by_whom)
{
  struct catalog_model *m = begin();
  EXPECT_INT(remove_version(3), E_CONFLICT);
  EXPECT_STR(decision.err.field, "serving/3");
  EXPECT_INT(remove_version(2), E_CONFLICT);
  EXPECT_STR(decision.err.field, "rollback/2");
  EXPECT_INT(done(wish(COMMAND_ALIAS_SET, 4, "alias", "best")), OK);
  EXPECT_INT(remove_version(4), E_CONFLICT);
  EXPECT_STR(decision.err.field, "alias/best");
  EXPECT_INT(done(wish(COMMAND_ALIAS_REMOVE, 0, "alias", "best")), OK);
  EXPECT_INT(done(wish(COMMAND_VERSION_SET, 4, "patch", "{\"hold\":\"case 17\"}")), OK);
  EXPECT_INT(remove_version(4), E_CONFLICT);
  EXPECT_STR(decision.err.field, "hold");
  EXPECT_INT(done(wish(COMMAND_MODEL_REMOVE, 0, NULL, NULL)), E_CONFLICT);
  EXPECT_INT(done(wish(COMMAND_VERSION_SET, 4, "patch", "{\"hold\":null}")), OK);
  EXPECT_INT(m->n_held, 0);
  EXPECT_INT(done(wish(COMMAND_MODEL_SET, 0, "patch", "{\"hold\":\"all of it\"}")), OK);
  EXPECT_INT(remove_version(4), E_CONFLICT);
  EXPECT_INT(done(wish(COMMAND_MODEL_SET, 0, "patch", "{\"hold\":null}")), OK);
  EXPECT_INT(fold((struct event){.kind = EVENT_DEPLOY_ASKED, .model = SLICE("m"), .version = 4}),
             OK);
  EXPECT_INT(remove_version(4), E_CONFLICT);
  EXPECT_STR(decision.err.field, "deploy/4");
  EXPECT_INT(fold((struct event){.kind = EVENT_VERSION_REFUSED, .model = SLICE("m"), .version = 4}),
             OK);
  EXPECT_INT(remove_version(4), OK);
  EXPECT_INT(remove_version(4), E_VERSION_NOT_FOUND);
  EXPECT_INT(remove_version(1), OK); /* further down the way back: it is left out of it */
  EXPECT_INT(catalog_previous(m), 2);
  EXPECT_INT(m->n_backs, 1);
  EXPECT_INT(m->n_live, 2);
  EXPECT_INT(catalog->tenants[0]->bytes_live, 20);
  EXPECT_INT(catalog_newest(m), 3);
  EXPECT_INT(decide(wish(COMMAND_DEPLOY, 4, NULL, NULL)), E_VERSION_NOT_FOUND);
  end();
}

TEST(a_removed_number_is_never_given_again)
{
  struct catalog_model *m = begin();
  EXPECT_INT(remove_version(4), OK);
  struct letter_command push = wish(COMMAND_PUSH, 0, NULL, NULL);
  push.event.files = &file;
  push.event.n_files = 1;
  EXPECT_INT(done(push), OK);
  EXPECT_INT(decision.version, 5);
  EXPECT_INT(done(wish(COMMAND_MODEL_REMOVE, 0, NULL, NULL)), E_CONFLICT);
  EXPECT_INT(fold((struct event){.kind = EVENT_VERSION_RETIRED, .model = SLICE("m"), .version = 3}),
             OK);
  EXPECT_INT(done(wish(COMMAND_MODEL_REMOVE, 0, NULL, NULL)), OK);
  EXPECT(!catalog_model(catalog->tenants[0], SLICE("m")));
  EXPECT_INT(catalog->tenants[0]->n_models_live, 0);
  EXPECT_INT(catalog->tenants[0]->n_versions_live, 0);
  EXPECT_INT(catalog->tenants[0]->bytes_live, 0);
  EXPECT_INT(decide(wish(COMMAND_MODEL_SET, 0, "patch", "{}")), E_MODEL_NOT_FOUND);
  EXPECT_INT(done(push), OK); /* the same name again: history stays one line */
  EXPECT_INT(decision.version, 6);
  EXPECT_INT(decision.n_events, 2);
  EXPECT(catalog_model(catalog->tenants[0], SLICE("m")) == m);
  EXPECT_INT(m->n_live, 1);
  end();
}

/* RG-103 */
TEST(a_model_is_added_once)
{
  begin();
  EXPECT_INT(done(wish(COMMAND_MODEL_ADD, 0, NULL, NULL)), E_CONFLICT);
  struct letter_command add = wish(COMMAND_MODEL_ADD, 0, "patch", "{\"description\":\"d\"}");
  add.event.model = SLICE("n");
  add.event.idempotency = SLICE("k");
  EXPECT_INT(done(add), OK);
  EXPECT_INT(decision.n_events, 2);
  EXPECT_INT(decide(add), OK); /* the same again */
  EXPECT_INT(decision.kind, DECISION_ANSWER);
  add = wish(COMMAND_MODEL_ADD, 0, "patch", "{\"description\":\"e\"}");
  add.event.model = SLICE("n");
  add.event.idempotency = SLICE("k");
  EXPECT_INT(decide(add), E_IDEMPOTENCY_MISMATCH);
  add.event.idempotency = SLICE_NONE;
  EXPECT_INT(decide(add), E_CONFLICT);
  add.event.model = SLICE("N");
  EXPECT_INT(decide(add), E_CONFLICT);
  add.event.model = SLICE("a:b");
  EXPECT_INT(decide(add), E_BAD_NAME);
  end();
}

/* MF-109, MF-116 */
TEST(a_quarantined_version_is_not_deployed_until_it_is_cleared)
{
  struct catalog_model *m = begin();
  struct digest before = catalog_digest(catalog);
  struct letter_command quarantine = wish(COMMAND_VERSION_QUARANTINE, 2, NULL, NULL);
  quarantine.event.reason = SLICE("it does not end");
  EXPECT_INT(done(quarantine), OK);
  EXPECT_INT(decision.events[0].kind, EVENT_VERSION_QUARANTINED);
  EXPECT(slice_eq(m->versions[1].quarantine, SLICE("it does not end")));
  struct digest now = catalog_digest(catalog);
  EXPECT(!digest_same(&before, &now));
  EXPECT_INT(decide(quarantine), OK); /* it is already */
  EXPECT_INT(decision.n_events, 0);
  EXPECT_INT(decide(wish(COMMAND_DEPLOY, 2, NULL, NULL)), E_QUARANTINED);
  EXPECT_INT(decide(wish(COMMAND_ROLLBACK, 2, NULL, NULL)), E_QUARANTINED);
  EXPECT_INT(done(wish(COMMAND_VERSION_CLEAR, 2, NULL, NULL)), OK);
  EXPECT_INT(decision.events[0].kind, EVENT_VERSION_CLEARED);
  EXPECT_INT(decide(wish(COMMAND_DEPLOY, 2, NULL, NULL)), OK);
  EXPECT_INT(decide(wish(COMMAND_VERSION_CLEAR, 2, NULL, NULL)), OK);
  EXPECT_INT(decision.n_events, 0);
  end();
}

/* RG-106 */
TEST(a_change_of_what_has_changed_since_is_refused)
{
  struct catalog_model *m = begin();
  enum command_kind kinds[] = {COMMAND_MODEL_SET, COMMAND_ALIAS_SET, COMMAND_VERSION_REMOVE,
                               COMMAND_MODEL_REMOVE, COMMAND_DEPLOY, COMMAND_ROLLBACK};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    struct letter_command command = wish(kinds[i], 2, "alias", "a");
    command.seqs_wanted[0] = m->changed_seq - 1;
    command.n_seqs_wanted = 1;
    EXPECT_INT(decide(command), E_PRECONDITION_FAILED);
  }
  struct letter_command command = wish(COMMAND_ALIAS_SET, 2, "alias", "a");
  command.seqs_wanted[0] = 1;
  command.seqs_wanted[1] = m->changed_seq;
  command.n_seqs_wanted = 2;
  EXPECT_INT(done(command), OK);
  EXPECT_INT(decide(command), E_PRECONDITION_FAILED); /* that was a change */
  end();
}

/* Not even with force: a hold is somebody else's word. */
TEST(a_tenant_with_something_on_hold_is_not_removed)
{
  begin();
  EXPECT_INT(fold((struct event){.kind = EVENT_VERSION_RETIRED, .model = SLICE("m"), .version = 3}),
             OK);
  EXPECT_INT(done(wish(COMMAND_VERSION_SET, 4, "patch", "{\"hold\":\"case 17\"}")), OK);
  struct event other = {.kind = EVENT_TENANT_CREATED, .tenant = SLICE("acme")};
  struct event model = {.kind = EVENT_MODEL_CREATED, .tenant = SLICE("acme"), .model = SLICE("x")};
  struct event_fact held[] = {{SLICE("card"), SLICE("{\"hold\":\"w\"}")}, {SLICE("hold"), SLICE("w")}};
  struct event hold = {.kind = EVENT_MODEL_SET,
                       .tenant = SLICE("acme"),
                       .model = SLICE("x"),
                       .facts = held,
                       .n_facts = 2};
  struct event *events[] = {&other, &model, &hold};
  for (size_t i = 0; i < 3; i++) {
    events[i]->seq = catalog->seq + 1;
    EXPECT_INT(catalog_apply(catalog, events[i], &err), OK);
  }
  struct letter_command command = wish(COMMAND_TENANT_REMOVE, 0, "force", "true");
  command.event.tenant = SLICE("acme");
  command.event.model = SLICE_NONE;
  EXPECT_INT(decide(command), E_CONFLICT);
  EXPECT(strstr(decision.err.text, "on hold"));
  end();
}

#define GOLDEN_DIGEST "dd771021c8b9efc0d6cf5e78b00502fff7fe33f4cbdc33cb3e9bab50a02d044e"

TEST(the_golden_ledger_of_the_registry_folds_for_ever)
{
  catalog = golden_fold("ledger-registry.jsonl", GOLDEN_DIGEST, NULL);
  if (!catalog) return;
  EXPECT_INT(catalog->seq, 25);
  const struct catalog_model *fraud = catalog_model(catalog->tenants[0], SLICE("fraud"));
  EXPECT_INT(fraud->n_live, 3);
  EXPECT_INT(fraud->n_held, 1);
  EXPECT_INT(catalog_alias(fraud, SLICE("champion"))->version, 3);
  EXPECT_INT(catalog_previous(fraud), 2);
  EXPECT(fraud->card == NULL && fraud->versions[1].corrupt);
  EXPECT_INT(catalog_newest(catalog_model(catalog->tenants[0], SLICE("trial"))), 2);
  catalog_free(catalog);
}

TEST(events_that_do_not_fit_change_nothing)
{
  begin();
  struct digest before = catalog_digest(catalog);
  struct event_fact alias[] = {{SLICE("alias"), SLICE("a")}};
  struct event events[] = {
      {.kind = EVENT_MODEL_REMOVED, .model = SLICE("m")},
      {.kind = EVENT_VERSION_REMOVED, .model = SLICE("m"), .version = 3},
      {.kind = EVENT_VERSION_REMOVED, .model = SLICE("m"), .version = 9},
      {.kind = EVENT_ALIAS_REMOVED, .model = SLICE("m"), .facts = alias, .n_facts = 1},
      {.kind = EVENT_ALIAS_SET, .model = SLICE("m"), .version = 9, .facts = alias, .n_facts = 1},
      {.kind = EVENT_ALIAS_SET, .model = SLICE("m"), .version = 1},
      {.kind = EVENT_VERSION_SET, .model = SLICE("m")},
      {.kind = EVENT_MODEL_SET, .model = SLICE("none")},
      {.kind = EVENT_MODEL_CREATED, .model = SLICE("m")},
  };
  for (size_t i = 0; i < sizeof events / sizeof *events; i++)
    EXPECT_INT(fold(events[i]), E_INTERNAL);
  struct digest after = catalog_digest(catalog);
  EXPECT(digest_same(&before, &after));
  end();
}
