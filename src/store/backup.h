/* backup.h - all that lasts of a data directory in one file, and back.
 * Thread: what the scribe would do, done by main in a process of its own; the daemon may run
 * meanwhile.
 *
 * The file is a tar: the ledger and the outcomes (each copied by SQLite while others write), the
 * pepper, the keys kept beside it, every object, and MANIFEST, which is what `sha256sum -c` reads.
 * The ledger is copied first: whatever it names was there before, so it is in the file. Not in it:
 * logs, uploads that no version names, the snapshot (a cache). It holds secrets: 0600, and keep it
 * like a key.
 * A restore takes nothing on trust: only names that a backup has, each member against MANIFEST,
 * then the ledger's own checks, all its chains, and every object against the digest it is called
 * by.
 * Source: robustness rules, section 7.
 * SPDX-License-Identifier: MIT */
#ifndef STORE_BACKUP_H
#define STORE_BACKUP_H

#include "base/hash.h"
#include "store/datadir.h"

struct backup {
  uint64_t members, bytes, objects;
  uint64_t last_seq;  /* of the ledger in it */
  struct digest head; /* of that row */
};

/* Writes FILE (over one that is there, once the new one is whole). E_NOT_FOUND: no data there. */
CHECKED enum code backup_write(const char *data, const char *file, struct backup *sum,
                               struct err *err);
/* Into a folder without a ledger; made where it is missing. Until all is checked DATA/restoring
 * lies there: no daemon starts on half of it, and another restore begins anew. E_CONFLICT,
 * E_CHAIN_BROKEN (the file is not what was written). */
CHECKED enum code backup_restore(const char *file, const char *data, struct backup *sum,
                                 struct err *err);
bool backup_is_half_way(const struct datadir *dir);

#endif
