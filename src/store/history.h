/* history.h - reading the ledger while the scribe writes it.
 * Thread: one per reader (each desk has its own). A reader has its own read-only connection: it
 * never writes, never checkpoints (wal_autocheckpoint=0, NO_CKPT_ON_CLOSE), never waits for the
 * writer, and gives up at a deadline.
 * SPDX-License-Identifier: MIT */
#ifndef STORE_HISTORY_H
#define STORE_HISTORY_H

#include "store/journal.h"

struct history;

/* After ledger_open: the file must be there. */
CHECKED enum code history_open(struct history **history, const struct datadir *dir,
                               struct err *err);
void history_close(struct history *history);

typedef enum code (*history_fn)(void *arg, const struct event *event, const struct digest *hash,
                                struct err *err);
enum { HISTORY_LIMIT_MAX = 1000 };
struct history_range {
  struct slice tenant, model; /* model empty: all of the tenant's */
  uint64_t before;            /* events with a smaller seq; 0: from the newest */
  uint32_t limit;             /* 1..HISTORY_LIMIT_MAX */
  int64_t deadline_us;        /* clock_us; E_DEADLINE_EXCEEDED past it */
};
/* Events of one tenant, newest first. Slices live until fn returns; fn returning anything but OK
 * stops the walk with that code. */
CHECKED enum code history_read(struct history *history, const struct history_range *range,
                               history_fn fn, void *arg, struct err *err);
/* The same, of a tenant's feature flags only; its model is not looked at. */
CHECKED enum code history_flags(struct history *history, const struct history_range *range,
                                history_fn fn, void *arg, struct err *err);
/* The same, of a tenant's releases and freezes only. */
CHECKED enum code history_releases(struct history *history, const struct history_range *range,
                                   history_fn fn, void *arg, struct err *err);

/* Looks of the release that `of` names, from of->look on, in order, at most `limit`
 * (1..HISTORY_LIMIT_MAX). */
CHECKED enum code history_looks(struct history *history, const struct journal_row *of,
                                uint32_t limit, int64_t deadline_us, journal_fn fn, void *arg,
                                struct err *err);
/* When the release's looks went, for they are not kept for ever (prune.h); 0: they are there. */
CHECKED enum code history_pruned(struct history *history, const struct journal_row *of,
                                 int64_t *wall_ms, struct err *err);

/* Rows as proof: in order, with the line that was hashed and the hashes around it; of one tenant
 * and its own chain, or (tenant at NULL) of all and the chain over all. The slices live until fn
 * returns; fn returning anything but OK ends the walk with that code. */
struct history_proof {
  uint64_t seq;
  struct slice line; /* canonical (store/codec.h) */
  struct digest prev, hash;
};
typedef enum code (*history_proof_fn)(void *arg, const struct history_proof *row, struct err *err);
CHECKED enum code history_proofs(struct history *history, struct slice tenant, uint64_t from_seq,
                                 uint32_t limit, int64_t deadline_us, history_proof_fn fn,
                                 void *arg, struct err *err);

#endif
