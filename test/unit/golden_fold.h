/* golden_fold.h - a golden ledger folded. Every ledger ever written must fold, and to the same
 * catalog. When the catalog gets a new member its digest changes, and so may the tests' digests;
 * the files never change.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#ifndef UNIT_GOLDEN_FOLD_H
#define UNIT_GOLDEN_FOLD_H

#include "control/catalog.h"
#include "golden.h"

/* The caller frees it; NULL (and a failure) when the file is not there. digest, or NULL: what it
 * comes to, in hex. kinds, or NULL: gets a bit for each kind of event in it. */
static inline struct catalog *golden_fold(const char *name, const char *digest, uint32_t *kinds)
{
  static const unsigned char hash_key[16] = {9};
  char hex[SHA256_HEX_LEN + 1];
  struct arena arena;
  struct event event;
  struct err err;
  FILE *ledger = golden_open(name);
  if (!ledger) return NULL;
  struct catalog *catalog = catalog_new(hash_key);
  arena_init(&arena, 16 << 20, NULL);
  while (golden_next(ledger, &arena, &event)) {
    EXPECT_INT(catalog_apply(catalog, &event, &err), OK);
    if (kinds) *kinds |= 1u << event.kind;
    arena_reset(&arena);
  }
  fclose(ledger);
  arena_deinit(&arena);
  struct digest is = catalog_digest(catalog);
  digest_hex(&is, hex);
  if (digest) EXPECT_STR(hex, digest);
  return catalog;
}

#endif
