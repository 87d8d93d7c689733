/* once_test.c - keys are forgotten by the ledger alone: by age, by number, and the same in every
 * fold; the table finds what is left.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include <inttypes.h>

#include "base/rand.h"
#include "control/catalog.h"

static struct err err;
static uint64_t seq;
static int64_t wall_ms;

static struct catalog *begin(unsigned char salt)
{
  const unsigned char hash_key[16] = {salt};
  seq = 0;
  wall_ms = 1000;
  return catalog_new(hash_key);
}

static enum code add(struct catalog *catalog, enum event_kind kind, const char *tenant,
                     const char *key, const char *request)
{
  static const struct event_fact fact = {SLICE("flags"), SLICE("{}")};
  struct event event = {.kind = kind,
                        .seq = seq + 1,
                        .wall_ms = wall_ms,
                        .tenant = slice_str(tenant),
                        .actor = SLICE("ann"),
                        .idempotency = slice_str(key),
                        .request = slice_str(request)};
  if (kind == EVENT_FLAGS_SET) event.facts = &fact, event.n_facts = 1;
  enum code code = catalog_apply(catalog, &event, &err);
  seq += code == OK;
  return code;
}

static bool knows(struct catalog *catalog, const char *tenant, const char *key)
{
  return once_find(catalog, catalog_tenant(catalog, slice_str(tenant)), slice_str(key)) != NULL;
}

TEST(a_day_is_enough)
{
  struct catalog *catalog = begin(1);
  EXPECT_INT(add(catalog, EVENT_TENANT_CREATED, "a", "", ""), OK);
  EXPECT_INT(add(catalog, EVENT_TENANT_CREATED, "b", "", ""), OK);
  EXPECT_INT(add(catalog, EVENT_FLAGS_SET, "a", "one", ""), OK);
  EXPECT_INT(add(catalog, EVENT_FLAGS_SET, "b", "one", ""), OK);
  wall_ms += ONCE_MS;
  EXPECT_INT(add(catalog, EVENT_FLAGS_SET, "a", "two", ""), OK);
  EXPECT(knows(catalog, "a", "one")); /* a day old, not older */
  wall_ms++;
  EXPECT_INT(add(catalog, EVENT_FLAGS_SET, "a", "", ""), OK); /* without a key: nothing is swept */
  EXPECT(knows(catalog, "a", "one"));
  EXPECT_INT(add(catalog, EVENT_FLAGS_SET, "a", "one", ""), E_INTERNAL); /* it is still known */
  EXPECT_INT(add(catalog, EVENT_FLAGS_SET, "a", "three", ""), OK);
  EXPECT(!knows(catalog, "a", "one") && knows(catalog, "a", "two") && knows(catalog, "b", "one"));
  EXPECT_INT(add(catalog, EVENT_FLAGS_SET, "a", "one", ""), OK); /* and may be used again */
  wall_ms -= 10 * ONCE_MS; /* a clock that goes back forgets nothing, and keeps nothing longer */
  EXPECT_INT(add(catalog, EVENT_FLAGS_SET, "a", "back", ""), OK);
  EXPECT(knows(catalog, "a", "one") && knows(catalog, "a", "back"));
  wall_ms += 10 * ONCE_MS;
  EXPECT_INT(add(catalog, EVENT_FLAGS_SET, "a", "four", ""), OK);
  EXPECT(knows(catalog, "a", "two") && knows(catalog, "a", "four"));
  catalog_free(catalog);
}

TEST(a_tenant_has_a_hundred_thousand_at_most)
{
  struct catalog *catalog = begin(1);
  char key[16];
  EXPECT_INT(add(catalog, EVENT_TENANT_CREATED, "a", "", ""), OK);
  for (int i = 0; i < ONCE_MAX + 500; i++) {
    snprintf(key, sizeof key, "%d", i);
    if (add(catalog, EVENT_FLAGS_SET, "a", key, "") != OK) EXPECT(!"folds");
  }
  EXPECT_INT(catalog->n_once, ONCE_MAX);
  EXPECT(!knows(catalog, "a", "499") && knows(catalog, "a", "500"));
  for (int i = 500; i < ONCE_MAX + 500; i += 997) {
    snprintf(key, sizeof key, "%d", i);
    EXPECT(knows(catalog, "a", key));
  }
  catalog_free(catalog);
}

/* Random lives under two table keys: the folds agree, and each key that is younger is found. */
TEST(every_fold_forgets_the_same)
{
  for (uint64_t seed = 1; seed <= 30; seed++) {
    struct digest digests[2];
    for (unsigned char salt = 0; salt < 2; salt++) {
      struct catalog *catalog = begin(salt);
      struct rand rand;
      char key[16], tenant[4];
      rand_seed(&rand, seed);
      for (int i = 0; i < 3; i++) {
        snprintf(tenant, sizeof tenant, "t%d", i);
        EXPECT_INT(add(catalog, EVENT_TENANT_CREATED, tenant, "", ""), OK);
      }
      for (int i = 0; i < 400; i++) {
        snprintf(tenant, sizeof tenant, "t%d", (int)(rand_u64(&rand) % 3));
        snprintf(key, sizeof key, "k%d", (int)(rand_u64(&rand) % 200));
        wall_ms += (int64_t)(rand_u64(&rand) % (ONCE_MS / 40));
        bool known = knows(catalog, tenant, key);
        EXPECT_INT(add(catalog, EVENT_FLAGS_SET, tenant, key, ""), known ? E_INTERNAL : OK);
        EXPECT(knows(catalog, tenant, key));
      }
      uint32_t n = 0;
      for (uint32_t i = 0; i < catalog->n_tenants; i++) {
        const struct catalog_tenant *of = catalog->tenants[i];
        n += of->once.n;
        for (const struct once_key *at = of->once.first; at; at = at->next)
          EXPECT(once_find(catalog, of, at->key) == at);
      }
      EXPECT_INT(n, catalog->n_once);
      EXPECT(n < 200);
      digests[salt] = catalog_digest(catalog);
      catalog_free(catalog);
    }
    EXPECT(digest_same(&digests[0], &digests[1]));
  }
}

TEST(a_request_is_told_from_another)
{
  struct catalog *catalog = begin(1);
  bool same = false;
  EXPECT_INT(add(catalog, EVENT_TENANT_CREATED, "a", "", ""), OK);
  EXPECT_INT(add(catalog, EVENT_FLAGS_SET, "a", "old", ""), OK);
  EXPECT_INT(add(catalog, EVENT_FLAGS_SET, "a", "new", "0123456789abcdef0123456789abcdef"), OK);
  const struct catalog_tenant *tenant = catalog_tenant(catalog, SLICE("a"));
  struct event wish = {.request = SLICE("0123456789abcdef0123456789abcdef")};
  EXPECT(!once_compare(once_find(catalog, tenant, SLICE("old")), &wish, &same));
  EXPECT(once_compare(once_find(catalog, tenant, SLICE("new")), &wish, &same) && same);
  wish.request = SLICE("0123456789abcdef0123456789abcdee");
  EXPECT(once_compare(once_find(catalog, tenant, SLICE("new")), &wish, &same) && !same);
  wish.request = SLICE("0123");
  EXPECT(!once_compare(once_find(catalog, tenant, SLICE("new")), &wish, &same));
  catalog_free(catalog);
}
