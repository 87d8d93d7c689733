/* ledger.h - what happened, in order, for ever: SQLite, one writer, every row chained by hash.
 * Thread: scribe (main before it starts: open, replay, first append). Readers: store/history.h.
 *
 *   h_n = SHA-256(h_{n-1} || canonical(row n))   over all rows, and again over each tenant's own
 *
 * so a row cannot be changed, dropped, added or moved without every later hash telling. DATA/head
 * tells when the newest ones are missing.
 * canonical(row) is the event as one line of JSON (store/codec.h) with its sequence number inside.
 *
 * Durability: WAL with synchronous=FULL. This handle is the only one that writes and the only one
 * that checkpoints (SQLite 3.40's WAL-reset race). What COMMIT has said yes to survives. A failed
 * fsync or an I/O error ends the process at once with exit code 70: after it nobody knows what is
 * on disk, and trying again can succeed without the bytes. A full disk is answered with
 * E_STORAGE_FULL and nothing is lost; DATA/reserve is given up so that events which take traffic
 * away from a version (rolled back, retired, refused) can still be written.
 * Source: robustness rules, sections 7 and 9.
 * SPDX-License-Identifier: MIT */
#ifndef STORE_LEDGER_H
#define STORE_LEDGER_H

#include "store/datadir.h"
#include "world/event.h"

struct ledger;

/* written by this binary; older ones are migrated, newer ones refused */
enum { LEDGER_SCHEMA = 2 };

struct ledger_opts {
  const char *vfs;        /* SQLite's name of a file system; NULL: the default. For fault tests */
  uint64_t reserve_bytes; /* 0: 1 MiB */
  bool accept_loss;       /* go on where the ledger ends before its head (store/head_int.h) */
};

/* Opens or makes DATA/ledger.db, checks it (quick_check, schema, DATA/head), takes the writer's
 * handle. Errors: E_UNAVAILABLE (damaged, not ours, newer schema, acknowledged changes missing:
 * then the files are as they were), E_STORAGE_FULL, E_DENIED. */
CHECKED enum code ledger_open(struct ledger **ledger, const struct datadir *dir,
                              const struct ledger_opts *opts, struct err *err);
/* Also empties the write-ahead log into the file. */
void ledger_close(struct ledger *ledger);

uint64_t ledger_last_seq(const struct ledger *ledger); /* 0: empty */
/* the newest row's hash; zeros when empty */
struct digest ledger_head(const struct ledger *ledger);

/* The hash of a row. E_NOT_FOUND: there is none of that number. */
CHECKED enum code ledger_hash(struct ledger *ledger, uint64_t seq, struct digest *hash,
                              struct err *err);

/* All or none, in one transaction; durable when it returns OK. Fills in seq. Errors:
 * E_STORAGE_FULL, E_INVALID_ARGUMENT (an event no row can hold). */
CHECKED enum code ledger_append(struct ledger *ledger, struct event *events, uint32_t n,
                                struct err *err);

/* Group commit: many appends, one fsync. Each `group_add` is all or none by itself; a failed one
 * leaves the others whole. Only `group_commit` makes them durable, and it says so for all at once;
 * when it fails none is written. */
CHECKED enum code ledger_group_begin(struct ledger *ledger, struct err *err);
CHECKED enum code ledger_group_add(struct ledger *ledger, struct event *events, uint32_t n,
                                   struct err *err);
CHECKED enum code ledger_group_commit(struct ledger *ledger, struct err *err);

/* What can wait until answers have gone out: the checkpoint, the reserve. After each group. */
void ledger_tidy(struct ledger *ledger);

/* Hands each event from from_seq on to fn, oldest first; slices live until fn returns. fn returning
 * anything but OK stops the walk with that code. The chain is checked on the way: E_UNAVAILABLE
 * names the first row that does not hold, and nothing from it on is handed out. */
typedef enum code (*ledger_fn)(void *arg, const struct event *event, struct err *err);
CHECKED enum code ledger_replay(struct ledger *ledger, uint64_t from_seq, ledger_fn fn, void *arg,
                                struct err *err);

/* Walks all rows and recomputes all chains, the tenants', too. OK, or E_UNAVAILABLE with *first_bad
 * the sequence number of the first row that is wrong or missing (0: not even that could be read). A
 * tail cut off cleanly cannot be seen here: compare ledger_head with a checkpoint kept
 * elsewhere. */
CHECKED enum code ledger_verify(struct ledger *ledger, uint64_t *first_bad, struct err *err);

#endif
