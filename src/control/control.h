/* control.h - the thread that decides: it folds events into the catalog, keeps versions loaded, and
 * publishes worlds. It never waits for disk, network or a model: everything slow is a letter.
 * Thread: control. Before control_main starts: main.
 *
 * Life, as the daemon runs it:
 *   control_new; ledger_replay(..., control_apply); the looks of what runs (control_look); start
 *   all threads; control_main ...
 *   1 LETTER_DRAIN to control and the loops: worlds say draining, changes are answered E_DRAINING
 *   2 the loops' DRAIN_HOMEs, or the deadline
 *   3 LETTER_STOP to control, join: it publishes an empty world, closes every lane (residents, too,
 *     so loops and workers must still run), unloads every model, returns
 *   4 LETTER_STOP to desks, loops, workers, jobs, scribe; join. Loops and desks mail their last
 *     lease home before they return
 *   5 control_free takes these leases: worlds built == worlds freed. Before loop_free and
 *     desk_free: letters of theirs may lie in control's mailbox
 *
 * A world is ready when every version that should serve is ready or has failed with a reason: a
 * broken model must not keep the good ones' machine out of the load balancer; /readyz of a model is
 * its own.
 * A mutating command comes home only when its effect is durable and every loop and desk reads a
 * world that shows it (a DEPLOY or ROLLBACK with wait=false: when the wish is durable). So does a
 * switch that was refused after a load.
 * SPDX-License-Identifier: MIT */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include "world/letters.h"

struct control;
struct catalog;

struct control_opts {
  int objects_fd;      /* datadir's: handed to load jobs */
  uint32_t instances;  /* lanes of a version whose slipway.yaml says nothing; 0: 1 */
  int64_t resident_ns; /* a version faster than this lives on the loops; 0: 50 us; -1: never */
  uint64_t memory_max; /* bytes of all models in memory; 0: no limit */
  int64_t pulse_us;    /* 0: one second */
  uint32_t worlds_max; /* worlds alive at once before publishing waits; 0: 1024 */
  uint32_t slots_idle; /* versions out of memory that keep their counters; 0: 64 */
  int64_t worlds_apart_us; /* at least so long between two: what changes meanwhile is in one */
  unsigned char hash_key[16]; /* rand_secret: for tables that strangers fill */
  struct arena *meters; /* where tenants' meters lie: outlives loops; NULL: freed with control */
  int64_t started_us;         /* clock_us at start, for the uptime in stats */
  const struct slice *webhooks; /* URLs that are told what happens (control/notify.h); lent */
  uint32_t n_webhooks;
  uint64_t snapshot_events; /* a snapshot goes to the scribe after so many, and at the end; 0:
                             * never */
};

/* post is read from control_main on, so its mailboxes may be filled in later; lent for life. */
struct control *control_new(const struct control_opts *opts, const struct post *post);
void control_free(struct control *control);
struct mailbox *control_mailbox(struct control *control);
/* Folds one event of the ledger; only before control_main. E_INTERNAL: it does not fit what came
 * before, the text says how. The signature is ledger_fn's. */
CHECKED enum code control_apply(void *control, const struct event *event, struct err *err);
/* What a snapshot is good for, and one read back, in place of the events up to its own; only before
 * control_main, and before the first control_apply. E_UNAVAILABLE: it is none; then control is as
 * new. */
uint64_t control_form(void);
CHECKED enum code control_restore(struct control *control, struct slice snapshot, struct err *err);
/* How many API keys there ever were; only before control_main. */
uint32_t control_keys(const struct control *control);
/* Adds this key (KEY_ADDED of TENANT_DEFAULT) in the first turn; lent until then. */
void control_first_key(struct control *control, const struct event *key);
/* After the ledger: a version that is about to be quarantined is not even loaded until that is
 * written. There may be none of these names. */
void control_suspect(struct control *control, struct slice tenant, struct slice model,
                     uint32_t version);
/* After the ledger: the tenants that are or were, one after the other, from *at (0) on; false: no
 * more. names (of: the struct): whether one of its versions has a file of that digest. done: no
 * more of that is asked. */
struct control_stock {
  struct slice name;
  struct meter *meter;
  struct catalog_tenant *tenant;
};
bool control_stock_at(struct control *control, uint32_t *at, struct control_stock *of);
bool control_stock_names(void *of, const struct digest *digest);
void control_stock_done(struct control_stock *of);
/* After the ledger: the next release from *at on that runs (names and number in *of), and each look
 * that the journal has of it, in order. What cannot be read ends that release's replay, not the
 * start. */
bool control_release_at(const struct control *control, uint32_t *at, struct journal_row *of);
CHECKED enum code control_look(void *control, const struct journal_row *row, struct err *err);
/* A message that somebody is owed from before; only before control_main. */
void control_owed(void *control, const struct outbox_row *row);
void control_main(void *control); /* the thread's main: until LETTER_STOP is done */

/* For tests: one turn at the given times. Handles the letters that are there; returns when it wants
 * the next turn if no letter comes before (INT64_MAX: only with one). */
int64_t control_turn(struct control *control, int64_t now_us, int64_t wall_ms);
bool control_stopped(const struct control *control);
/* After control_main: it gave up waiting, with a model that still runs or loads. */
bool control_late(const struct control *control);
const struct catalog *control_catalog(const struct control *control);
/* Every change fits its state, and no two are in each other's way: a bug, and the end, where
 * not. */
void control_check(struct control *control);

#endif
