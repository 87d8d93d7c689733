/* desk.h - a desk: the thread that answers the control plane. It may block (files, the database),
 * so there are a few of them, and nothing that waits for another thread holds one: a handler that
 * needs control mails a letter, says DESK_LATER, and goes on when the letter is home.
 *
 *   loop --ASK, CHUNK--> desk --COMMAND, STATS--> control
 *   loop <--ASK_HOME, CHUNK_HOME-- desk <--..._HOME-- control
 *   control --WORLD--> desk --WORLD_HOME--> control
 *
 * A desk holds one lease, of the newest world it was sent; the one before goes home at once, since
 * no handler keeps anything of a world across letters.
 * Stopping: control goes first. Its last world is empty and draining; a desk that holds it sends
 * nothing to control any more (503 DRAINING), and since the older lease goes home after all letters
 * sent before, none is ever lost. After LETTER_STOP a desk answers what it has begun, refuses what
 * still comes, sends its lease home and returns.
 * Uploads: after an early refusal the ask is home and its desk_state NULL; chunks that still come
 * are sent straight home. The loop keeps the ask's memory until all chunks are home.
 * Thread: desk_new, desk_free: main. desk_main: its own. desk_mailbox: any.
 * SPDX-License-Identifier: MIT */
#ifndef API_DESK_H
#define API_DESK_H

#include "base/limit.h"
#include "store/datadir.h"
#include "world/letters.h"

struct desk_opts {               /* everything outlives the desk */
  const char *version;           /* of slipway: "0.1.0" */
  const char *log_path;          /* DATA/log/slipway.jsonl; NULL: no log to read */
  const struct datadir *datadir; /* objects and ledger */
  const struct hmac *pepper;     /* what API keys are hashed with */
  const struct limits *limits;   /* of all rooms, for `slipway doctor`, until SETTINGS */
  bool asks_redis; /* the prediction cache has a second level */
  bool audits;             /* there is a key that checkpoints are signed with: */
  struct digest audit_key; /* the public one */
  const char *const *hosts; /* host names besides loopback that a Host field may hold; no ports */
  uint32_t n_hosts;
};

struct desk;

struct desk *desk_new(const struct desk_opts *opts, const struct post *post, uint32_t number);
void desk_free(struct desk *desk); /* after desk_main returned */
struct mailbox *desk_mailbox(struct desk *desk);
void desk_main(void *desk);
/* What n_desks may cost, with n_asks open at once. */
void desk_limits_list(struct limits *to, uint32_t n_desks, uint32_t n_asks);

#endif
