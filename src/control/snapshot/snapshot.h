/* snapshot.h - the catalog as bytes, so that a start folds only what came after them.
 * Thread: control (main before it starts). Pure.
 *
 * A snapshot is a cache of the fold and nothing else: the ledger stays the only truth, and whatever
 * is wrong with a snapshot is answered by folding all of it. So its form is free to change: it is
 * good for the program that wrote it, and for others whose `form` is the same number. Form covers
 * the layout of every noun and the names in every table whose numbers stand here.
 *
 *   "SLPWSNAP", form (8), seq (8), hash of that row (32), length (8), the nouns, digest of the
 *   catalog (32), SHA-256 (32)
 *
 * Numbers before the nouns are little-endian, those in them varints (stat/varint.h). control fills
 * all but hash and sum; store/snapshot.h does these, writes it and reads it back.
 * Each noun is described by one function (snapshot.c) that both writes and reads, so the two cannot
 * differ. A member that is added to a noun and not to its function does not compile (NOUN_SIZE); a
 * layout of equal size that reads another meaning out of the bytes finds another digest,
 * and snapshot_test.c holds restored catalogs to the digest of folded ones over random lives.
 * See docs/adr/0022-snapshots-are-caches.md.
 * SPDX-License-Identifier: MIT */
#ifndef CONTROL_SNAPSHOT_SNAPSHOT_H
#define CONTROL_SNAPSHOT_SNAPSHOT_H

#include "base/blob.h"
#include "control/catalog.h"

#define SNAPSHOT_BYTES_MAX ((size_t)1 << 32)

uint64_t snapshot_form(void);
/* The nouns, in canonical order: equal catalogs, equal bytes. NULL: more than a snapshot holds. */
struct blob *snapshot_write(const struct catalog *catalog);
/* Into an empty catalog. E_UNAVAILABLE: they are no catalog; it holds rubbish then and is to be
 * freed. */
CHECKED enum code snapshot_read(struct catalog *catalog, struct slice bytes, struct err *err);

#endif
