/* snapshot.h - DATA/snapshot: what control keeps of the ledger so far, so that a start is short.
 * Thread: scribe writes; main reads before it starts.
 * A cache: whatever is wrong with it, the ledger is folded whole instead (main says so in the log).
 * Its form: control/snapshot/snapshot.h. Written to DATA/snapshot.new, synced, renamed.
 * SPDX-License-Identifier: MIT */
#ifndef STORE_SNAPSHOT_H
#define STORE_SNAPSHOT_H

#include "base/blob.h"
#include "store/ledger.h"

/* Of the row `seq`, which the ledger has. A failure leaves the one before. */
CHECKED enum code snapshot_keep(const struct datadir *dir, struct ledger *ledger, uint64_t form,
                                uint64_t seq, struct slice bytes, struct err *err);
/* The one of that form that fits this ledger: *bytes are the caller's to drop. E_NOT_FOUND: there
 * is none; E_UNAVAILABLE: it is damaged, of another form, or of another ledger. */
CHECKED enum code snapshot_find(const struct datadir *dir, struct ledger *ledger, uint64_t form,
                                uint64_t *seq, struct blob **bytes, struct err *err);

/* The chain of the rows that a start from a snapshot does not fold again: each row's bytes against
 * its hash, without being read as an event, so that a rotten sector in an old row is still found
 * (robustness rules, ST-105). More than PROVE_ROWS would make the start long: the newest are
 * hashed, the rest is `slipway audit verify`'s. Rows up to `until`; *from: where it began.
 * E_UNAVAILABLE names the first that does not hold. */
enum { PROVE_ROWS = 100000 };
CHECKED enum code ledger_prove(struct ledger *ledger, uint64_t until, uint64_t *from,
                               struct err *err);

#endif
