/* pulse.h - an empty tally to every loop, the full one back, all of it summed: once a second, and
 * at once when somebody wants fresh numbers.
 * Thread: control.
 *
 * A round is one tally per loop. It is closed when all that were sent are home, or by pulse_close
 * when a loop is silent for too long: then the rounds after it go to the others, each loop having
 * one tally out at most, until it reports. What it counted belongs to the round it comes home in.
 * One round is open at a time; who asks during it waits for the next.
 *
 * Letters of one sender arrive in order, so a round that is done, which is home from every loop,
 * also proves that every loop has seen all mail sent to it before the round began: control answers
 * "it serves" only then. One that is closed proves it of the loops that are not silent.
 * SPDX-License-Identifier: MIT */
#ifndef CONTROL_PULSE_H
#define CONTROL_PULSE_H

#include "control/release/round.h"
#include "world/letters.h"

struct pulse_loop {
  uint64_t sent, home; /* rounds: of the newest tally sent, of the newest that came back */
  int64_t home_us;     /* when the latter began */
};

enum { PULSE_SPARES = 8 };

struct pulse {
  const struct post *post;
  struct tally *total;  /* since start */
  struct round *judged; /* takes each tally when it is counted; NULL: nobody wants it */
  uint32_t cap;         /* slots of the tallies sent out: at least as many as any world's */
  uint32_t predictions; /* room for as many in each; 0: nobody wants them */
  uint32_t releases;    /* the same for release slots */
  struct pulse_loop *loops;
  uint64_t begun, closed; /* rounds; at most one apart */
  uint64_t done;          /* the newest that is home from every loop; behind while one is silent */
  uint64_t asked; /* the round somebody waits for; > begun: to be begun when this one closes */
  uint32_t round_out, out;   /* letters not home: of the open round, in all */
  int64_t began_us, done_us; /* when rounds `begun` and `done` began */
  struct tally *spare[PULSE_SPARES]; /* home again and emptied */
  uint32_t n_spare;
};

void pulse_init(struct pulse *pulse, const struct post *post, struct round *judged);
void pulse_deinit(struct pulse *pulse);
/* Before a world with more slots goes out: every loop gets a larger tally first. */
void pulse_grow(struct pulse *pulse, uint32_t n_slots, uint32_t n_releases);
/* Whether answers are to be remembered. Loops have room for them before they see what is sent to
 * them after this. */
void pulse_remember(struct pulse *pulse, bool remember);
/* Begins a round, or asks for one after the one that is open. Returns its number, for pulse->closed
 * and pulse->done to reach. */
uint64_t pulse_ask(struct pulse *pulse, int64_t now_us);
void pulse_tally_home(struct pulse *pulse, struct letter_tally *letter, int64_t now_us);
/* The open round has waited long enough. */
void pulse_close(struct pulse *pulse, int64_t now_us);
/* Loops whose tally of the closed round is missing. */
uint32_t pulse_silent(const struct pulse *pulse);
/* A copy of the sums with n_slots slots; the caller's to free. */
struct tally *pulse_copy(const struct pulse *pulse, uint32_t n_slots);

#endif
