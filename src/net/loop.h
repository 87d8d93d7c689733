/* loop.h - a loop: one thread that accepts on its own socket, reads requests, serves them and
 * answers. Inference runs through serve/path on this same thread; the control plane's routes go
 * to a desk by letter and come back.
 *
 * Life, in daemon.c's order:
 *   loop_new        boot memory: pools of connections and calls, mailbox
 *   loop_listen     binds; the one step that can fail, so it comes before any thread
 *   loop_main       the thread; returns after LETTER_STOP
 *   loop_free       after its thread and every lane owner that may hold a task of it are joined
 *
 * Letters it takes (world/letters.h): WORLD, TALLY, ANSWER, LANDED, ASK_HOME, CHUNK_HOME,
 * WAKE_HOME, DRAIN,
 * SETTINGS, STOP.
 * - WORLD: new calls lease the newest one; an older one goes home (WORLD_HOME) with its last call,
 *   the newest one with STOP. Until the first one arrives nothing is ready.
 * - DRAIN: not ready at once; after drain_delay_us the door closes, idle connections are closed,
 *   each further answer is its connection's last. DRAIN_HOME when no connection and no call is
 *   left, or at the letter's deadline_us (then everything left is cut).
 * - SETTINGS: holds for what begins from now on, time limits of connections at once.
 * - STOP: cuts what is left and returns.
 *
 * A resident (a lane owner that lives on this loop) is given as a function:
 * `resident_turn(resident)` handles all letters and tasks that are there, never waits, and says
 * whether it did anything. The loop calls it after each poll, then its own mail, until both are
 * quiet: a request to a resident lane is read, decoded, run, encoded and written without a system
 * call in between. Letters to a resident's mailbox must wake its loop: give the mailbox
 * `loop_wake` and the loop as wake function and argument.
 *
 * Thread: loop_main's own. loop_new, loop_listen, loop_free: main. loop_wake, loop_mailbox: any.
 * SPDX-License-Identifier: MIT */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include "base/limit.h"
#include "serve/who.h"
#include "world/letters.h"

struct route_table; /* wire/route.h */

/* Per loop, unless it says otherwise. Zero means the default in the comment. */
struct loop_limits {
  uint32_t calls_max;       /* 1024: requests in work; one more is 503 OVERLOADED */
  uint32_t connections_max; /* 8192, capped by half the process's descriptors over n_loops */
  uint32_t streams_max;     /* 1024: connections that wait for events; one more is 503 */
  uint32_t address_max;     /* connections of one address: 256 / n_loops, none for loopback peers;
                               one more is 429 */
  uint64_t body_max;        /* 64 MiB: inference bodies, raw and decoded; a route may say less */
  uint64_t bodies_max;      /* 512 MiB: body bytes of all calls together; more is 503 OVERLOADED */
  uint64_t call_bytes_max;  /* 6 * body_max: everything one call may hold */
  uint64_t memory_max;      /* all memory of requests: heads, bodies, tensors, what lanes take for
                               them, blocks kept. 6 * bodies_max and what heads may take; more is
                               503 OUT_OF_MEMORY */
  uint64_t blocks_kept_max; /* 64 MiB: empty blocks kept for the next call */
  int64_t head_us;          /* 10 s: a request head, from its first byte */
  int64_t idle_us;          /* 60 s: between requests */
  int64_t rate_us;          /* 10 s: the window over which a body must bring 1 KiB/s */
  int64_t write_us;         /* 60 s: an answer without progress */
  int64_t comment_us;       /* 30 s: a stream without an event gets a comment */
  int64_t linger_us;        /* 3 s: how long a closing connection drains what still comes */
  int64_t deadline_us;      /* 30 s: a request where neither it nor its version says */
  int64_t deadline_max_us;  /* 5 min: the most a request may ask for, unless its version has more */
};

struct far_opts;

struct loop_opts {
  /* "127.0.0.1", "0.0.0.0", "::1", "::"; an address, not a name */
  const char *host;
  uint16_t port;                         /* 0: any; loop_port says which */
  const struct route_table *routes;      /* outlives the loop */
  bool (*resident_turn)(void *resident); /* NULL: nobody lives here */
  void *resident;
  struct who_rules who;   /* all zero: callers without a key may do everything */
  int64_t drain_delay_us; /* 0: the door closes as soon as DRAIN comes */
  struct cache *cache;    /* of predictions, all loops'; outlives them; NULL: none */
  const struct far_opts *far; /* its second level; outlives them; NULL: none */
  struct loop_limits limits;
};

struct loop;

/* opts is copied; post is kept, and read only from loop_main on. number: its index in
 * post->loops. */
struct loop *loop_new(const struct loop_opts *opts, const struct post *post, uint32_t number,
                      uint32_t n_loops);
void loop_free(struct loop *loop);

/* Who lives here, where it needs the loop to be made first; before loop_main. */
void loop_resident(struct loop *loop, bool (*turn)(void *resident), void *resident);

/* E_CONFLICT: the port is taken; E_UNAVAILABLE: no such address; E_INVALID_ARGUMENT: not an
 * address. */
CHECKED enum code loop_listen(struct loop *loop, struct err *err);
uint16_t loop_port(const struct loop *loop);

struct mailbox *loop_mailbox(struct loop *loop);
/* For mailboxes whose owner lives on the loop; does nothing on the loop's own thread. */
void loop_wake(void *loop);
void loop_main(void *loop);

struct loop_limits loop_limits_filled(struct loop_limits limits, uint32_t n_loops);
/* For `slipway doctor`: what all loops may cost. limits: of one loop, filled. */
void loop_limits_list(struct limits *to, const struct loop_limits *limits, uint32_t n_loops);
/* Control-plane requests that n_loops carry to desks at once, at most. */
uint32_t loop_asks_max(uint32_t n_loops);

#endif
