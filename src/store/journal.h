/* journal.h - looks of releases, beside the ledger: what the judge saw, second by second.
 * Thread: the connection's owner: the scribe writes, desks read; main before they start.
 *
 * Not chained by hash, and not events: some 3,600 an hour and release. A row is what control sent
 * (judge/evidence.h); the same release and look again replaces it. Rows are written in the group
 * that their letter is in, so they are durable when it comes home.
 * SPDX-License-Identifier: MIT */
#ifndef STORE_JOURNAL_H
#define STORE_JOURNAL_H

#include "store/ledger.h"
#include "world/letters.h"

typedef enum code (*journal_fn)(void *arg, const struct journal_row *row, struct err *err);

/* Inside a group (ledger_group_begin), all or none by itself. E_STORAGE_FULL,
 * E_INVALID_ARGUMENT for a row none can hold. */
CHECKED enum code journal_add(struct ledger *ledger, const struct journal_row *rows, uint32_t n,
                              struct err *err);
/* The looks of the release that `of` names, from of->look on, in order; slices live until fn
 * returns, and fn returning anything but OK stops the walk with that code. */
CHECKED enum code journal_read(struct ledger *ledger, const struct journal_row *of, journal_fn fn,
                               void *arg, struct err *err);

#endif
