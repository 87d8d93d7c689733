/* witness.h - signed checkpoints: what the newest row of each chain was, written to a second place.
 * Thread: scribe (main before it starts: open).
 *
 * A chain of hashes cannot tell that its end is gone, or that all of it was written anew from some
 * row on. A checkpoint can: one line says which row was the newest and what its hash was, signed
 * with Ed25519 (the line's form: wire/audit/chain.h). Every 60 s or 1,000 rows there is one for the
 * chain over all tenants and one for each tenant that changed since the last, so who may see one
 * tenant's needs no other's. The file is only ever added to; keep it on another disk, or where
 * nobody can take lines back. At start and at the end, too; a start finds out whether the file
 * knows of rows that the ledger has not, and says so.
 *
 *   DATA/audit.key   the private key, 64 hex digits, 0600, made at the first start
 * Source: robustness rules, section 9.
 * SPDX-License-Identifier: MIT */
#ifndef STORE_WITNESS_H
#define STORE_WITNESS_H

#include "base/hash.h"
#include "store/ledger.h"

enum { WITNESS_ROWS = 1000 };
#define WITNESS_US INT64_C(60000000)

struct witness;

/* Makes the key where there is none. path NULL or empty: only that, and *witness is NULL. The
 * ledger is lent until witness_close. Errors: fail_errno's, E_BAD_CONFIG (a key that is none). */
CHECKED enum code witness_open(struct witness **witness, const struct datadir *dir,
                               struct ledger *ledger, const char *path, int64_t now_ms,
                               struct err *err);
/* Writes what is still to be witnessed. NULL is fine. */
void witness_close(struct witness *witness, int64_t now_ms);
/* After each group: writes checkpoints when it is time. NULL is fine. */
void witness_turn(struct witness *witness, int64_t now_us, int64_t now_ms);
/* When witness_turn wants to be called next: INT64_MAX, nothing is new. */
int64_t witness_due_us(const struct witness *witness);
/* The public key, for those who check. */
CHECKED enum code witness_key(const struct datadir *dir, struct digest *public_key,
                              struct err *err);

#endif
