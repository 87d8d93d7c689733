/* outbox.h - messages that webhooks are owed, beside the ledger: written with the events that they
 * tell of, gone once somebody took them or they were given up.
 * Thread: scribe; main before it starts.
 *
 * So what was durable is told at least once, also after a kill; a receiver that knows an id has
 * seen it. Not chained, and no events. At most OUTBOX_ROWS_MAX: the oldest give way, with a line in
 * the log.
 * SPDX-License-Identifier: MIT */
#ifndef STORE_OUTBOX_H
#define STORE_OUTBOX_H

#include "store/ledger.h"
#include "world/letters.h"

enum { OUTBOX_ROWS_MAX = 1024 };

/* Inside a group, all or none. E_STORAGE_FULL may have undone the whole group, as with events. */
CHECKED enum code outbox_add(struct ledger *ledger, const struct outbox_row *rows, uint32_t n,
                             struct err *err);
/* In a group of its own; an id that is not there is fine. */
CHECKED enum code outbox_drop(struct ledger *ledger, const struct slice *ids, uint32_t n,
                              struct err *err);

typedef void (*outbox_fn)(void *arg, const struct outbox_row *row);
/* The oldest first; slices live until fn returns. */
CHECKED enum code outbox_read(struct ledger *ledger, outbox_fn fn, void *arg, struct err *err);

#endif
