/* pulse.h - an empty tally to every loop, the full one back, all of it summed: once a second, and
 * at once when somebody wants fresh numbers.
 * Thread: control.
 *
 * A round is one tally per loop. Letters of one sender arrive in order, so a finished round also
 * proves that every loop has seen all mail sent to it before the round began: control answers "it
 * serves" only then. One round is out at a time; who asks during it waits for the next.
 * SPDX-License-Identifier: MIT */
#ifndef CONTROL_PULSE_H
#define CONTROL_PULSE_H

#include "control/release/round.h"
#include "world/letters.h"

struct pulse {
  const struct post *post;
  struct tally *total;  /* since start */
  struct round *judged; /* takes each tally when it is counted; NULL: nobody wants it */
  uint32_t cap;         /* slots of the tallies sent out: at least as many as any world's */
  uint32_t predictions; /* room for as many in each; 0: nobody wants them */
  uint32_t releases;    /* the same for release slots */
  uint64_t begun, done; /* rounds; at most one apart */
  uint64_t asked;       /* the round somebody waits for; > begun: to be begun when this one ends */
  uint32_t round_out, out; /* letters not home: of the round, in all */
  int64_t began_us;        /* of the newest round */
};

void pulse_init(struct pulse *pulse, const struct post *post, struct round *judged);
void pulse_deinit(struct pulse *pulse);
/* Before a world with more slots goes out: every loop gets a larger tally first. */
void pulse_grow(struct pulse *pulse, uint32_t n_slots, uint32_t n_releases);
/* Whether answers are to be remembered. Loops have room for them before they see what is sent to
 * them after this. */
void pulse_remember(struct pulse *pulse, bool remember);
/* Begins a round, or asks for one after the one that is out. Returns its number: it is over once
 * pulse->done has reached it. */
uint64_t pulse_ask(struct pulse *pulse, int64_t now_us);
void pulse_tally_home(struct pulse *pulse, struct letter_tally *letter, int64_t now_us);
/* A copy of the sums with n_slots slots; the caller's to free. */
struct tally *pulse_copy(const struct pulse *pulse, uint32_t n_slots);

#endif
