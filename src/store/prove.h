/* prove.h - the chain of rows that a start does not fold again: each row's bytes against its hash.
 * Thread: main, before the scribe starts.
 * A replay checks what it reads; a start from a snapshot reads only what came after it. So that a
 * rotten sector in an old row is still found at the start, those before are hashed, without being
 * read as events: some four times as fast. More than PROVE_ROWS would make the start long: the
 * newest ones are hashed, and the rest is `slipway audit verify`'s (with its first row's hash in
 * the chain of those).
 * Source: robustness rules, ST-105.
 * SPDX-License-Identifier: MIT */
#ifndef STORE_PROVE_H
#define STORE_PROVE_H

#include "store/ledger.h"

enum { PROVE_ROWS = 100000 };

/* Rows up to `until`. E_UNAVAILABLE names the first that does not hold. *from: where it began. */
CHECKED enum code ledger_prove(struct ledger *ledger, uint64_t until, uint64_t *from,
                               struct err *err);

#endif
