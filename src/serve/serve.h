/* serve.h - what the path keeps for all calls of one loop: the newest world, the calls lent out,
 * their alarm, the counters. Nobody outside this room sees inside.
 * Thread: its loop; serve_new and serve_free: main.
 * SPDX-License-Identifier: MIT */
#ifndef SERVE_SERVE_H
#define SERVE_SERVE_H

#include "serve/budget.h"
#include "world/letters.h"

struct serve;
struct call;
struct far;

struct serve_opts {
  const struct post *post; /* read from the first letter on */
  struct mailbox *home;    /* the loop's */
  uint32_t loop, calls_max;
  uint64_t call_bytes_max, scratch_kept_max;
  int64_t deadline_us, deadline_max_us; /* as in net/loop.h */
  struct arena_source *blocks;          /* the loop's block cache */
  struct arena_source *heap;            /* for memory that lane owners take; NULL: uncounted */
  struct budget *bodies;                /* the loop's, of all body bytes */
  struct cache *cache;                  /* all loops'; NULL: nothing is kept */
  uint32_t n_loops;                     /* that share it */
  struct far *far; /* the loop's line to its second level; outlives this; NULL: there is none */
};

struct serve *serve_new(const struct serve_opts *opts);
/* Memory that serve_new takes, at most. */
uint64_t serve_boot_bytes(uint32_t calls_max);
/* No call is left, serve_leave was called, nothing of the budget is held. */
void serve_free(struct serve *serve);

/* The time for what follows, read by the loop: clock_us, and Unix time minus it. */
void serve_turn(struct serve *serve, int64_t now_us, int64_t wall_us);

/* Whether tasks for workers wait for serve_send, for it is certain to be called. Not at first. */
void serve_bundle(struct serve *serve, bool on);
/* Sends what waits for it: before the loop sleeps, and whenever it has done something. */
void serve_send(struct serve *serve);

/* A new world: leased by every call from now on. The one before goes home when its last call
 * ends. */
void serve_world(struct serve *serve, struct letter_world *letter);
/* Gives the newest world back: at stop. */
void serve_leave(struct serve *serve);
/* Swaps tallies: the letter takes the full one, its empty one stays. */
void serve_tally(struct serve *serve, struct letter_tally *letter);

/* Now and then: this loop's share of what the cache has to give back. */
void serve_sweep(struct serve *serve);

/* Calls from now on are measured by these. */
void serve_deadlines(struct serve *serve, int64_t deadline_us, int64_t deadline_max_us);

/* The newest world, until the next one comes; NULL: none has. */
const struct world *serve_newest(const struct serve *serve);

/* READY: every model that should serve does. STARTING: no world has come. WAITING: a model that
 * should serve does not yet. DRAINING: serve_drain was called, or the world says so. */
enum serve_state { SERVE_READY, SERVE_STARTING, SERVE_WAITING, SERVE_DRAINING };
enum serve_state serve_state(const struct serve *serve);
void serve_drain(struct serve *serve);           /* never READY again */
uint32_t serve_calls(const struct serve *serve); /* begun and not ended; shadows, too */

/* The next call that waits for its version and should go on now: a world came in which it is back
 * or cannot come, or its deadline has passed. NULL: none. path_resume is next. */
struct call *serve_woken(struct serve *serve, int64_t now_us);
/* WAKE_HOME. */
void serve_wake_home(struct serve *serve, struct letter_wake *letter);

/* When serve_late, or serve_woken, should be called next: the earliest deadline of a call whose
 * task is out, or that waits for its version; INT64_MAX: there is none. */
int64_t serve_alarm(struct serve *serve);
/* Answers every such call whose deadline has passed: path_late, then late(call, its client), which
 * may begin new calls. */
void serve_late(struct serve *serve, int64_t now_us, void (*late)(struct call *call, void *client));
/* The name of the longest stage that was timed since the last time this was asked; NULL: none. */
const char *serve_slow_stage(struct serve *serve);

/* Before a request goes to a desk: whether the tenant may, now; uses: as quota/take.h. With OK
 * take_asked(tenant's meter) is owed once it is over. */
CHECKED enum code serve_ask(struct serve *serve, const struct tenant *tenant, bool uses,
                            struct err *err);

/* Writes an id into to[REQUEST_ID_MAX]: the client's, when it is sane, else a new one. */
uint8_t serve_request_id(struct serve *serve, struct slice asked, char *to);

/* This loop's counters of the wire. */
void serve_count_connection(struct serve *serve);
void serve_count_request(struct serve *serve);
void serve_count_in(struct serve *serve, uint64_t bytes);
/* An answer; code OK: it tells no error. */
void serve_count_answer(struct serve *serve, int status, enum code code, uint64_t bytes);
void serve_count_left(struct serve *serve); /* a client went without its answer */
void serve_count_turn(struct serve *serve, int64_t took_us);
/* Whether the newest world says that this is done just now. */
bool serve_presses(const struct serve *serve, enum pressure_action action);
void serve_count_slow_turn(struct serve *serve);

#endif
