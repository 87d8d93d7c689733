/* town.h - the town around control, played by one thread: a scribe, jobs, workers, loops and a desk
 * whose mailboxes are emptied one letter at a time in an order that only the seed decides. Each
 * checks what it is told: a lane is never closed under a call, a world never names a closed lane, a
 * tally always has room for the newest world.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#ifndef SIM_TOWN_H
#define SIM_TOWN_H

#include "base/blob.h"
#include "base/list.h"
#include "base/rand.h"
#include "control/catalog.h"
#include "control/control.h"

enum {
  TOWN_LOOPS = 2,
  TOWN_DESKS = 1,
  TOWN_WORKERS = 3,
  TOWN_JOBS = 2,
  TOWN_EVENTS_MAX = 16000,
  TOWN_LOOKS_MAX = 40000
};

/* Letters taken out of a mailbox and not yet handled, in order. */
struct town_queue {
  struct mailbox box;
  struct mail *first, **end;
};

struct town_call { /* a request a loop is working on: it holds its world and has a task in a lane */
  struct link link;
  struct letter_world *lease;
  struct lane *lane;
  uint32_t arm, slot, version, release_slot, shadow;
  bool released; /* release_slot is one */
  bool out;      /* it drew an arm that is closed */
};

struct town_lease {
  struct link link;
  struct letter_world *letter;
  uint32_t calls;
};

struct town_loop {
  struct link leases; /* newest first */
  struct link calls;
  struct tally *tally;
};

struct town {
  struct rand rand;
  uint64_t seed;
  struct control *control;
  struct post post;
  struct town_queue scribe, desk, jobs[TOWN_JOBS], workers[TOWN_WORKERS], loops[TOWN_LOOPS],
      residents[TOWN_LOOPS];
  struct mailbox *loop_boxes[TOWN_LOOPS], *resident_boxes[TOWN_LOOPS], *job_boxes[TOWN_JOBS],
      *worker_boxes[TOWN_WORKERS], *desk_boxes[TOWN_DESKS];
  struct town_loop loop[TOWN_LOOPS];
  struct letter_world *desk_lease;
  int64_t now_us;

  struct blob *snapshot; /* what lies beside the ledger, and of which event; NULL: none */
  uint64_t snapshot_seq;
  struct arena ledger_arena; /* what the scribe has written, kept over crashes */
  struct event *ledger;
  uint32_t n_events;
  struct journal_row *looks; /* and of these, sorted by nothing */
  uint32_t n_looks;
  /* Of 100 commands: words on releases; of 100 steps: a second passes. Versions whose number this
   * divides fail half of their requests; 0: none does. */
  int releases, seconds;
  int tenants; /* of 100 commands: tenants come and go; others are of several then */
  uint64_t tenants_removed;
  int states; /* of 100 commands: declared states; and how many changed something: */
  uint64_t declared;
  uint32_t bad_every;
  bool spells; /* each version fails at everything a third of the time, so that breakers open */
  bool way_back_fails; /* golden examples of the version to go back to */
  uint64_t checks;
  uint64_t begun, said, stopped, completed; /* releases */
  struct catalog *shadow; /* the fold of the ledger up to what control has folded */

  int disk_full, load_fails, open_fails;             /* out of 100 */
  struct link wishes, questions, models, lanes_open; /* everything a crash takes away */
  uint32_t loaded, lanes, commands_out, stats_out;
  uint64_t calls_made, answered, refused, deployed, conflicts, replayed, retired;
  bool draining;
};

/* Bit per state of a breaker that a call has seen, in any life. */
extern unsigned town_breakers;

void town_begin(struct town *town, uint64_t seed);
/* A control that replays the ledger. */
void town_start(struct town *town);
/* One random thing happens: a letter is handled, a command is sent, time passes. */
void town_step(struct town *town);
/* Sends one command; event's texts live as long as the town. */
void town_command(struct town *town, enum command_kind kind, const struct event *event);
/* Until nothing is under way; false when that does not come about. */
bool town_settle(struct town *town);
/* Drain and stop in the daemon's order. */
void town_stop(struct town *town);
/* Everything in memory is gone at once; the ledger stays. */
void town_crash(struct town *town);
void town_end(struct town *town);
/* Folding the ledger from scratch gives control's catalog. */
void town_check(struct town *town);

bool town_snapshot(struct town *town, struct mail *mail); /* the scribe gets one: true */

#endif
