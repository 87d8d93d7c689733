/* golden_test.c - the third golden ledger, as a daemon wrote it: releases, keys, flags, freezes,
 * cards, aliases, tenants, what was removed, Idempotency-Keys with their requests. It folds for
 * ever, whole and from a snapshot at every row, and each row would be written the same today.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "base/buf.h"
#include "control/catalog.h"
#include "control/snapshot/snapshot.h"
#include "store/codec.h"
#include "golden.h"

/* When the catalog gets a new member its digest changes, and so may this line; the file never. */
#define GOLDEN_DIGEST "b979334a73ea418e5274da1359674fd85fa20bf9cff14237c501cd4006fb33d6"

enum { ROWS_MAX = 100 };

static struct err err;
static struct arena arena;
static struct event events[ROWS_MAX];
static uint32_t n_events;
static uint64_t kinds;

static void rows_read(void)
{
  FILE *rows = golden_open("ledger-3.jsonl");
  arena_init(&arena, 16 << 20, NULL);
  n_events = 0;
  while (n_events < ROWS_MAX && golden_next(rows, &arena, &events[n_events]))
    kinds |= UINT64_C(1) << events[n_events++].kind;
  if (rows) fclose(rows);
}

static struct digest folded(struct catalog *catalog, uint32_t from, uint32_t to)
{
  for (uint32_t i = from; i < to; i++) EXPECT_INT(catalog_apply(catalog, &events[i], &err), OK);
  return catalog_digest(catalog);
}

TEST(the_third_golden_ledger_folds_for_ever)
{
  static const unsigned char hash_key[16] = {3};
  static const enum event_kind has[] = {
      EVENT_RELEASE_STARTED, EVENT_RELEASE_MOVED, EVENT_KEY_ADDED,      EVENT_KEY_REVOKED,
      EVENT_FLAGS_SET,       EVENT_FLAG_REMOVED,  EVENT_FREEZE_SET,     EVENT_FREEZE_LIFTED,
      EVENT_ALIAS_SET,       EVENT_MODEL_REMOVED, EVENT_TENANT_REMOVED, EVENT_VERSION_REMOVED};
  char hex[SHA256_HEX_LEN + 1];
  rows_read();
  for (size_t i = 0; i < sizeof has / sizeof *has; i++) EXPECT(kinds >> has[i] & 1);
  struct catalog *whole = catalog_new(hash_key);
  struct digest want = folded(whole, 0, n_events);
  digest_hex(&want, hex);
  EXPECT_STR(hex, GOLDEN_DIGEST);
  EXPECT(whole->n_once > 20);
  for (uint32_t cut = 0; cut <= n_events; cut++) {
    struct catalog *before = catalog_new(hash_key), *after = catalog_new(hash_key);
    folded(before, 0, cut);
    struct blob *bytes = snapshot_write(before);
    EXPECT_INT(snapshot_read(after, blob_lend(bytes), &err), OK);
    struct digest got = folded(after, cut, n_events);
    EXPECT(digest_same(&got, &want));
    blob_drop(bytes);
    catalog_free(before), catalog_free(after);
  }
  catalog_free(whole);
  arena_deinit(&arena);
}
