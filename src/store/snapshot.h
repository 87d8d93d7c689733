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

#endif
