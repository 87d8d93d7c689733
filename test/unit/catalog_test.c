/* catalog_test.c - what each event does to the catalog, what does not fit, and that the golden
 * ledger folds to the same catalog for ever.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "base/mem.h"
#include "base/rand.h"
#include "control/catalog.h"
#include "store/codec.h"
#include "golden_fold.h"

static const unsigned char hash_key[16] = {1, 2, 3};
static struct err err;
static uint64_t seq;

static struct catalog *begin(void)
{
  seq = 0;
  return catalog_new(hash_key);
}

static struct event event_of(enum event_kind kind, const char *model, uint32_t version)
{
  static struct event_file file = {.name = SLICE("model.onnx"), .bytes = 10};
  struct event event = {.kind = kind,
                        .seq = seq + 1,
                        .wall_ms = 1000 + (int64_t)seq,
                        .tenant = SLICE("default"),
                        .model = slice_str(model),
                        .version = version,
                        .actor = SLICE("ann")};
  if (kind != EVENT_VERSION_PUSHED) return event;
  event.files = &file;
  event.n_files = 1;
  return event;
}

static enum code add(struct catalog *catalog, enum event_kind kind, const char *model,
                     uint32_t version)
{
  struct event event = event_of(kind, model, version);
  enum code code = catalog_apply(catalog, &event, &err);
  seq += code == OK;
  return code;
}

/* Tenant default, model m with n versions. */
static struct catalog_model *model_made(struct catalog *catalog, uint32_t n)
{
  EXPECT_INT(add(catalog, EVENT_TENANT_CREATED, "", 0), OK);
  EXPECT_INT(add(catalog, EVENT_MODEL_CREATED, "m", 0), OK);
  for (uint32_t i = 1; i <= n; i++) EXPECT_INT(add(catalog, EVENT_VERSION_PUSHED, "m", i), OK);
  return catalog_model(catalog_tenant(catalog, SLICE("default")), SLICE("m"));
}

TEST(a_model_is_made_pushed_deployed_and_rolled_back)
{
  struct catalog *catalog = begin();
  struct catalog_model *m = model_made(catalog, 3);
  EXPECT(m && m->n_versions == 3 && !m->serving && !catalog_previous(m));
  EXPECT_INT(catalog_version(m, 2)->bytes, 10);
  EXPECT(!catalog_version(m, 0) && !catalog_version(m, 4));
  for (uint32_t i = 1; i <= 3; i++) EXPECT_INT(add(catalog, EVENT_VERSION_DEPLOYED, "m", i), OK);
  EXPECT_INT(m->serving, 3);
  EXPECT_INT(catalog_previous(m), 2);
  EXPECT_INT(add(catalog, EVENT_ROLLED_BACK, "m", 2), OK);
  EXPECT_INT(m->serving, 2);
  EXPECT_INT(catalog_previous(m), 1); /* not 3: nobody goes back to what they fled from */
  EXPECT_INT(add(catalog, EVENT_ROLLED_BACK, "m", 1), OK);
  EXPECT_INT(catalog_previous(m), 0);
  EXPECT_INT(add(catalog, EVENT_VERSION_DEPLOYED, "m", 3), OK);
  EXPECT_INT(catalog_previous(m), 1);
  EXPECT_INT(add(catalog, EVENT_VERSION_DEPLOYED, "m", 3), OK); /* the same again: nothing to add */
  EXPECT_INT(catalog_previous(m), 1);
  EXPECT_INT(add(catalog, EVENT_VERSION_RETIRED, "m", 3), OK);
  EXPECT_INT(m->serving, 0);
  EXPECT_INT(catalog_previous(m), 3);
  catalog_free(catalog);
}

TEST(a_rollback_further_down_forgets_what_lay_above)
{
  struct catalog *catalog = begin();
  struct catalog_model *m = model_made(catalog, 4);
  for (uint32_t i = 1; i <= 4; i++) EXPECT_INT(add(catalog, EVENT_VERSION_DEPLOYED, "m", i), OK);
  EXPECT_INT(add(catalog, EVENT_ROLLED_BACK, "m", 2), OK);
  EXPECT_INT(m->serving, 2);
  EXPECT_INT(catalog_previous(m), 1);
  EXPECT_INT(add(catalog, EVENT_ROLLED_BACK, "m", 4), OK); /* not on the stack: it stays as it is */
  EXPECT_INT(catalog_previous(m), 1);
  catalog_free(catalog);
}

TEST(the_way_back_is_bounded)
{
  struct catalog *catalog = begin();
  struct catalog_model *m = model_made(catalog, 3);
  for (uint32_t i = 0; i < 3 * BACKS_MAX; i++)
    EXPECT_INT(add(catalog, EVENT_VERSION_DEPLOYED, "m", 1 + i % 3), OK);
  EXPECT_INT(m->n_backs, BACKS_MAX);
  EXPECT_INT(m->serving, 3);
  EXPECT_INT(catalog_previous(m), 2);
  catalog_free(catalog);
}

TEST(a_refusal_changes_nothing_but_the_reason)
{
  struct catalog *catalog = begin();
  struct catalog_model *m = model_made(catalog, 2);
  EXPECT_INT(add(catalog, EVENT_VERSION_DEPLOYED, "m", 1), OK);
  EXPECT_INT(add(catalog, EVENT_DEPLOY_ASKED, "m", 2), OK);
  EXPECT_INT(m->asked, 2);
  struct event event = event_of(EVENT_VERSION_REFUSED, "m", 2);
  event.reason = SLICE("no such operator");
  event.code = E_MODEL_REJECTED;
  EXPECT_INT(catalog_apply(catalog, &event, &err), OK);
  seq++;
  EXPECT_INT(m->serving, 1);
  EXPECT_INT(m->asked, 0);
  EXPECT_INT(catalog_version(m, 2)->refused, E_MODEL_REJECTED);
  EXPECT(slice_eq(catalog_version(m, 2)->reason, SLICE("no such operator")));
  EXPECT_INT(add(catalog, EVENT_VERSION_DEPLOYED, "m", 2), OK);
  EXPECT_INT(catalog_version(m, 2)->refused, OK);
  catalog_free(catalog);
}

TEST(names_differ_by_more_than_case)
{
  struct catalog *catalog = begin();
  model_made(catalog, 1);
  struct catalog_tenant *tenant = catalog_tenant(catalog, SLICE("default"));
  EXPECT_INT(add(catalog, EVENT_MODEL_CREATED, "M", 0), E_INTERNAL);
  EXPECT(catalog_model_like(tenant, SLICE("M")) == catalog_model(tenant, SLICE("m")));
  EXPECT(!catalog_model(tenant, SLICE("M")));
  const char *names[] = {"zeta", "Alpha", "beta", "ALPHB", "m1"};
  for (int i = 0; i < 5; i++) EXPECT_INT(add(catalog, EVENT_MODEL_CREATED, names[i], 0), OK);
  for (int i = 0; i < 5; i++) EXPECT(catalog_model(tenant, slice_str(names[i])) != NULL);
  EXPECT(slice_eq(tenant->models[0]->name, SLICE("Alpha")));
  EXPECT(slice_eq(tenant->models[1]->name, SLICE("ALPHB")));
  EXPECT_INT(catalog->models[5]->slot, 5);
  catalog_free(catalog);
}

TEST(events_that_do_not_fit_change_nothing)
{
  struct catalog *catalog = begin();
  EXPECT_INT(add(catalog, EVENT_MODEL_CREATED, "m", 0), E_INTERNAL); /* no tenant */
  model_made(catalog, 1);
  struct digest before = catalog_digest(catalog);
  EXPECT_INT(add(catalog, EVENT_TENANT_CREATED, "", 0), E_INTERNAL);
  EXPECT_INT(add(catalog, EVENT_MODEL_CREATED, "m", 0), E_INTERNAL);
  EXPECT_INT(add(catalog, EVENT_MODEL_CREATED, "", 0), E_INTERNAL);
  EXPECT_INT(add(catalog, EVENT_VERSION_PUSHED, "nobody", 1), E_INTERNAL);
  EXPECT_INT(add(catalog, EVENT_VERSION_PUSHED, "m", 1), E_INTERNAL);
  EXPECT_INT(add(catalog, EVENT_VERSION_PUSHED, "m", 3), E_INTERNAL);
  EXPECT_INT(add(catalog, EVENT_VERSION_DEPLOYED, "m", 2), E_INTERNAL);
  EXPECT_INT(add(catalog, EVENT_VERSION_DEPLOYED, "m", 0), E_INTERNAL);
  EXPECT_INT(add(catalog, EVENT_VERSION_RETIRED, "m", 1), E_INTERNAL);
  EXPECT_INT(add(catalog, EVENT_ROLLED_BACK, "m", 9), E_INTERNAL);
  seq += 1; /* a gap */
  EXPECT_INT(add(catalog, EVENT_VERSION_DEPLOYED, "m", 1), E_INTERNAL);
  EXPECT(strstr(err.text, "event 5 (version_deployed) does not fit") != NULL);
  struct digest after = catalog_digest(catalog);
  EXPECT(memcmp(&before, &after, sizeof before) == 0);
  catalog_free(catalog);
}

TEST(a_key_is_remembered_per_tenant)
{
  struct catalog *catalog = begin();
  model_made(catalog, 1);
  struct event event = event_of(EVENT_VERSION_DEPLOYED, "m", 1);
  event.idempotency = SLICE("k");
  EXPECT_INT(catalog_apply(catalog, &event, &err), OK);
  const struct catalog_tenant *tenant = catalog_tenant(catalog, SLICE("default"));
  const struct once_key *key = once_find(catalog, tenant, SLICE("k"));
  EXPECT(key && key->seq == 4 && key->version == 1 && key->kind == EVENT_VERSION_DEPLOYED);
  EXPECT(!once_find(catalog, tenant, SLICE("K")) && !once_find(catalog, tenant, SLICE_NONE));
  event.seq = 5;
  EXPECT_INT(catalog_apply(catalog, &event, &err), E_INTERNAL); /* twice */
  struct event other = {.seq = 5, .kind = EVENT_TENANT_CREATED, .tenant = SLICE("two")};
  EXPECT_INT(catalog_apply(catalog, &other, &err), OK);
  EXPECT(!once_find(catalog, catalog_tenant(catalog, SLICE("two")), SLICE("k")));
  catalog_free(catalog);
}

TEST(it_grows_to_many_and_finds_each)
{
  struct catalog *catalog = begin();
  enum { TENANTS = 50, MODELS = 40 };
  char name[32], key[32];
  for (int t = 0; t < TENANTS; t++) {
    snprintf(name, sizeof name, "tenant-%d", t);
    struct event event = {.seq = ++seq, .kind = EVENT_TENANT_CREATED, .tenant = slice_str(name)};
    EXPECT_INT(catalog_apply(catalog, &event, &err), OK);
    for (int m = 0; m < MODELS; m++) {
      char model[32];
      snprintf(model, sizeof model, "m%d", (m * 7) % MODELS);
      snprintf(key, sizeof key, "%d", m);
      event = (struct event){.seq = ++seq,
                             .kind = EVENT_MODEL_CREATED,
                             .tenant = slice_str(name),
                             .model = slice_str(model),
                             .idempotency = slice_str(key)};
      EXPECT_INT(catalog_apply(catalog, &event, &err), OK);
    }
  }
  int found = 0;
  for (int t = 0; t < TENANTS; t++) {
    snprintf(name, sizeof name, "tenant-%d", t);
    const struct catalog_tenant *tenant = catalog_tenant(catalog, slice_str(name));
    for (int m = 0; tenant && m < MODELS; m++) {
      snprintf(key, sizeof key, "%d", m);
      const struct once_key *k = once_find(catalog, tenant, slice_str(key));
      snprintf(key, sizeof key, "m%d", m);
      found += k && k->tenant == tenant && catalog_model(tenant, slice_str(key)) != NULL;
    }
  }
  EXPECT_INT(found, TENANTS * MODELS);
  catalog_free(catalog);
}

/* --- the golden ledger ------------------------------------------------------------------------ */

#define GOLDEN_DIGEST "4d479b686eb47dbf5787d2fbb55a05b8d2091183b0f0a034390783d0771e864d"

TEST(the_golden_ledger_folds_for_ever)
{
  uint32_t kinds = 0;
  struct catalog *catalog = golden_fold("ledger-1.jsonl", GOLDEN_DIGEST, &kinds);
  if (!catalog) return;
  for (int kind = EVENT_NONE + 1; kind <= EVENT_ROLLBACK_ASKED; kind++) EXPECT(kinds & 1u << kind);
  const struct catalog_tenant *tenant = catalog_tenant(catalog, SLICE("default"));
  const struct catalog_model *digits = catalog_model(tenant, SLICE("digits"));
  EXPECT(digits && digits->serving == 1 && digits->n_versions == 3);
  catalog_free(catalog);
}
