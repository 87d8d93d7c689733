/* control_quota_test.c - limits in the catalog: folded, decided, and what is in stock held by them.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "control/command.h"
#include "control/quota.h"
#include "store/codec.h"
#include "golden_fold.h"

static const unsigned char hash_key[16] = {4};
static struct catalog *catalog;
static struct event_file file = {.name = SLICE("model.onnx"), .bytes = 100};
static struct decision decision;
static struct arena arena;
static struct err err;

static enum code fold(struct event event)
{
  event.seq = catalog->seq + 1;
  event.tenant = SLICE("acme");
  return catalog_apply(catalog, &event, &err);
}

static enum code fold_quotas(const char *model, const char *text)
{
  struct event_fact fact = {SLICE("quotas"), slice_str(text)};
  return fold((struct event){.kind = model ? EVENT_MODEL_SET : EVENT_TENANT_SET,
                             .model = slice_str(model), .facts = &fact, .n_facts = 1});
}

static enum code fold_version(const char *model, uint32_t version)
{
  return fold((struct event){.kind = EVENT_VERSION_PUSHED, .model = slice_str(model),
                             .version = version, .files = &file, .n_files = 1});
}

static struct catalog_tenant *begin(void)
{
  arena_init(&arena, 1 << 20, NULL);
  catalog = catalog_new(hash_key);
  EXPECT_INT(fold((struct event){.kind = EVENT_TENANT_CREATED}), OK);
  EXPECT_INT(fold((struct event){.kind = EVENT_MODEL_CREATED, .model = SLICE("m")}), OK);
  EXPECT_INT(fold_version("m", 1), OK);
  EXPECT_INT(fold_version("m", 2), OK);
  return catalog->tenants[0];
}

static void end(void)
{
  catalog_free(catalog);
  arena_deinit(&arena);
}

static enum code decide(enum command_kind kind, const char *model, const char *quotas)
{
  static struct event_fact fact;
  fact = (struct event_fact){SLICE("quotas"), slice_str(quotas)};
  struct letter_command command = {.kind = kind, .arena = &arena};
  command.event = (struct event){.tenant = SLICE("acme"), .model = slice_str(model),
                                 .facts = &fact, .n_facts = quotas != NULL};
  if (kind == COMMAND_PUSH) {
    command.event.files = &file;
    command.event.n_files = 1;
  }
  command_decide(catalog, &command, &decision);
  return decision.err.code;
}

static void expect_limit(const char *name, const char *scope, const char *whose, uint64_t value,
                         uint64_t used)
{
  const struct err_limit *limit = &decision.err.limit;
  EXPECT(limit->name != NULL);
  if (!limit->name) return;
  EXPECT_STR(limit->name, name);
  EXPECT_STR(limit->scope, scope);
  EXPECT_STR(limit->whose, whose);
  EXPECT_INT(limit->value, value);
  EXPECT_INT(limit->used, used);
  EXPECT_INT(limit->resets_ms, -1);
  EXPECT_INT(err_retry_s(&decision.err), 60);
}

TEST(limits_are_set_by_name_and_what_is_not_named_stays)
{
  struct catalog_tenant *tenant = begin();
  EXPECT(tenant->quotas == NULL);
  struct digest before = catalog_digest(catalog);
  EXPECT_INT(fold_quotas(NULL, "requests_per_second=100 models=5"), OK);
  EXPECT_INT(fold_quotas(NULL, "models=unlimited"), OK);
  EXPECT_INT(quota_value(tenant->quotas, QUOTA_requests_per_second), 100);
  EXPECT(quota_value(tenant->quotas, QUOTA_models) == QUOTA_UNLIMITED);
  EXPECT_INT(fold_quotas(NULL, "requests_per_second=default"), OK);
  EXPECT_INT(tenant->quotas->said[QUOTA_requests_per_second], 0);
  struct digest after = catalog_digest(catalog);
  EXPECT(!digest_same(&before, &after));
  EXPECT_INT(fold_quotas(NULL, ""), OK); /* all back */
  EXPECT_INT(tenant->quotas->said[QUOTA_models], 0);
  EXPECT_INT(fold_quotas(NULL, "owls=1"), E_INTERNAL);
  EXPECT_INT(fold_quotas("m", "models=1"), E_INTERNAL);
  end();
}

TEST(a_models_limits_do_not_touch_its_card)
{
  struct catalog_tenant *tenant = begin();
  struct event_fact facts[] = {{SLICE("card"), SLICE("{\"description\":\"d\"}")},
                               {SLICE("patch"), SLICE("{}")}};
  EXPECT_INT(fold((struct event){.kind = EVENT_MODEL_SET, .model = SLICE("m"), .facts = facts,
                                 .n_facts = 2}),
             OK);
  EXPECT_INT(fold_quotas("m", "requests_in_flight=3"), OK);
  struct catalog_model *model = tenant->models[0];
  EXPECT(model->card != NULL && model->meter != NULL && model->meter != tenant->meter);
  EXPECT_INT((uintptr_t)model->meter % METER_LINE, 0);
  EXPECT_INT(quota_value(model->quotas, QUOTA_requests_in_flight), 3);
  EXPECT_INT(fold((struct event){.kind = EVENT_MODEL_REMOVED, .model = SLICE("m")}), OK);
  EXPECT_INT(fold((struct event){.kind = EVENT_MODEL_CREATED, .model = SLICE("m")}), OK);
  EXPECT(model->quotas == NULL); /* another of that name begins without */
  end();
}

TEST(what_is_no_limit_is_refused_with_its_field)
{
  static const char *const bad[] = {"-1", "0", "NaN", "1e3", "10x", "9007199254740993", ""};
  char text[64];
  begin();
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    snprintf(text, sizeof text, "models=%s", bad[i]);
    EXPECT_INT(decide(COMMAND_TENANT_SET, "", text), E_VALUE_OUT_OF_RANGE);
    EXPECT_STR(decision.err.field, "models");
    snprintf(text, sizeof text, "stored_bytes=%s", bad[i]);
    EXPECT_INT(decide(COMMAND_MODEL_SET, "m", text), E_VALUE_OUT_OF_RANGE);
    EXPECT_STR(decision.err.field, "stored_bytes");
  }
  EXPECT_INT(decide(COMMAND_MODEL_SET, "m", "connections=5"), E_INVALID_ARGUMENT);
  EXPECT_INT(decide(COMMAND_TENANT_SET, "", "models=5"), OK);
  EXPECT_INT(decision.kind, DECISION_APPEND);
  EXPECT_INT(decide(COMMAND_MODEL_SET, "m", "versions=5"), OK);
  EXPECT_INT(decision.events[0].kind, EVENT_MODEL_SET);
  end();
}

TEST(models_versions_and_bytes_are_held)
{
  begin();
  EXPECT_INT(fold_quotas(NULL, "models=1"), OK);
  EXPECT_INT(decide(COMMAND_PUSH, "n", NULL), E_QUOTA_EXCEEDED);
  expect_limit("models", "tenant", "acme", 1, 1);
  EXPECT_INT(decide(COMMAND_MODEL_ADD, "n", NULL), E_QUOTA_EXCEEDED);
  expect_limit("models", "tenant", "acme", 1, 1);
  EXPECT_INT(decide(COMMAND_PUSH, "m", NULL), OK);
  EXPECT_INT(fold_quotas(NULL, "models=default versions=2"), OK);
  EXPECT_INT(decide(COMMAND_PUSH, "m", NULL), E_QUOTA_EXCEEDED);
  expect_limit("versions", "tenant", "acme", 2, 2);
  EXPECT_INT(fold_quotas(NULL, "versions=default stored_bytes=299"), OK);
  EXPECT_INT(decide(COMMAND_PUSH, "m", NULL), E_QUOTA_EXCEEDED);
  expect_limit("stored_bytes", "tenant", "acme", 299, 200);
  EXPECT_INT(fold_quotas(NULL, "stored_bytes=300"), OK);
  EXPECT_INT(decide(COMMAND_PUSH, "m", NULL), OK);
  EXPECT_INT(fold_quotas("m", "versions=2"), OK);
  EXPECT_INT(decide(COMMAND_PUSH, "m", NULL), E_QUOTA_EXCEEDED);
  expect_limit("versions", "model", "m", 2, 2);
  EXPECT_INT(decide(COMMAND_PUSH, "n", NULL), OK);
  EXPECT_INT(fold_quotas("m", "versions=default stored_bytes=250"), OK);
  EXPECT_INT(decide(COMMAND_PUSH, "m", NULL), E_QUOTA_EXCEEDED);
  expect_limit("stored_bytes", "model", "m", 250, 200);
  end();
}

TEST(what_was_removed_makes_room)
{
  begin();
  EXPECT_INT(fold_quotas(NULL, "versions=2 stored_bytes=200"), OK);
  EXPECT_INT(decide(COMMAND_PUSH, "m", NULL), E_QUOTA_EXCEEDED);
  EXPECT_INT(
      fold((struct event){.kind = EVENT_VERSION_REMOVED, .model = SLICE("m"), .version = 1}), OK);
  EXPECT_INT(decide(COMMAND_PUSH, "m", NULL), OK);
  EXPECT_INT(fold_quotas("m", "stored_bytes=150"), OK);
  EXPECT_INT(decide(COMMAND_PUSH, "m", NULL), E_QUOTA_EXCEEDED);
  expect_limit("stored_bytes", "model", "m", 150, 100);
  end();
}

TEST(a_limit_below_what_there_is_takes_nothing_away)
{
  struct catalog_tenant *tenant = begin();
  EXPECT_INT(fold_quotas(NULL, "versions=1 stored_bytes=1"), OK);
  EXPECT_INT(tenant->n_versions_live, 2);
  EXPECT_INT(decide(COMMAND_PUSH, "m", NULL), E_QUOTA_EXCEEDED);
  EXPECT_INT(
      decide(COMMAND_VERSION_REMOVE, "m", NULL), E_VERSION_NOT_FOUND); /* none was named */
  end();
}

/* Two pushes at once would both see the room for one. */
TEST(who_has_a_limit_adds_one_thing_after_the_other)
{
  struct letter_command push = {.kind = COMMAND_PUSH, .event = {.tenant = SLICE("acme")}};
  struct letter_command other = {.kind = COMMAND_PUSH, .event = {.tenant = SLICE("b")}};
  struct event pushed = {.kind = EVENT_VERSION_PUSHED, .tenant = SLICE("acme")};
  struct event created = {.kind = EVENT_MODEL_CREATED, .tenant = SLICE("acme")};
  struct event deployed = {.kind = EVENT_VERSION_DEPLOYED, .tenant = SLICE("acme")};
  begin();
  EXPECT(!quota_in_line(catalog, &push, &pushed));
  EXPECT_INT(fold_quotas(NULL, "requests_per_second=1"), OK);
  EXPECT(!quota_in_line(catalog, &push, &pushed));
  EXPECT_INT(fold_quotas(NULL, "stored_bytes=1000"), OK);
  EXPECT(quota_in_line(catalog, &push, &pushed));
  EXPECT(quota_in_line(catalog, &push, &created));
  EXPECT(!quota_in_line(catalog, &push, &deployed));
  EXPECT(!quota_in_line(catalog, &other, &pushed));
  push.kind = COMMAND_DEPLOY;
  EXPECT(!quota_in_line(catalog, &push, &pushed));
  end();
}

/* --- the golden ledger ------------------------------------------------------------------------ */

/* The file never changes: what it says holds for ever, whatever the catalog has learnt since. */
TEST(the_golden_ledger_of_quotas_folds_for_ever)
{
  char said[QUOTAS_TEXT_MAX];
  catalog = golden_fold("ledger-quotas.jsonl", NULL, NULL);
  if (!catalog) return;
  EXPECT_INT(catalog->seq, 6);
  const struct catalog_tenant *tenant = catalog_tenant(catalog, SLICE("acme"));
  quotas_write(tenant->quotas, said);
  EXPECT_STR(said, "requests_in_flight=unlimited control_requests_per_second=200 models=5 "
                   "stored_bytes=10737418240");
  quotas_write(tenant->models[0]->quotas, said);
  EXPECT_STR(said, "requests_per_second=50 versions=9007199254740992");
  EXPECT(slice_eq(tenant->about, SLICE("fraud team")));
  catalog_free(catalog);
}
