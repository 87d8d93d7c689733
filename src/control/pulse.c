/* pulse.c - tallies out and home.
 * Thread: control.
 * SPDX-License-Identifier: MIT */
#include "control/pulse.h"

#include "base/list.h"
#include "base/mem.h"

enum { SLOTS_FIRST = 16, ARMS_MORE = 16, PREDICTIONS_FIRST = 4096, PREDICTIONS_MOST = 65536 };

/* A tally on its way; round 0: it only makes room. */
struct outing {
  struct letter_tally letter;
  uint64_t round;
  int64_t began_us;
};

void pulse_init(struct pulse *pulse, const struct post *post, struct round *judged)
{
  *pulse = (struct pulse){.post = post,
                          .judged = judged,
                          .cap = SLOTS_FIRST,
                          .total = tally_new(SLOTS_FIRST, 0, 0),
                          .loops = grab_zero(post->n_loops + 1, sizeof(struct pulse_loop))};
}

void pulse_deinit(struct pulse *pulse)
{
  tally_free(pulse->total);
  while (pulse->n_spare) tally_free(pulse->spare[--pulse->n_spare]);
  ungrab(pulse->loops);
}

/* Room for arms: what the last rounds used and half as much again, two for each release, and some
 * for versions that begin to answer. */
static uint32_t arms_room(const struct pulse *pulse)
{
  uint32_t used = pulse->judged ? pulse->judged->arms_most : 0;
  if (!pulse->judged) return 0;
  if (used < 2 * pulse->releases) used = 2 * pulse->releases;
  return used + used / 2 + ARMS_MORE;
}

/* A thousand changes a second are a thousand rounds: each wants empty tallies, in which next to
 * nothing will be counted. */
static struct tally *tally_get(struct pulse *pulse)
{
  uint32_t arms = arms_room(pulse);
  while (pulse->n_spare) {
    struct tally *tally = pulse->spare[--pulse->n_spare];
    if (tally->n_slots == pulse->cap && tally->n_releases == pulse->releases &&
        tally->pool_cap >= arms && tally->pool_cap <= 2 * arms)
      return tally;
    tally_free(tally);
  }
  return tally_new(pulse->cap, arms, pulse->releases);
}

static void tally_put(struct pulse *pulse, struct tally *tally)
{
  if (!tally || pulse->n_spare == PULSE_SPARES) {
    tally_free(tally);
    return;
  }
  tally_reset(tally);
  pulse->spare[pulse->n_spare++] = tally;
}

static void outing_send(struct pulse *pulse, uint32_t loop, uint64_t round)
{
  struct outing *outing = grab(sizeof *outing);
  outing->round = round;
  outing->began_us = pulse->began_us;
  outing->letter =
      (struct letter_tally){.mail.kind = LETTER_TALLY,
                            .tally = tally_get(pulse),
                            .loop = loop};
  pulse->out++;
  tally_predictions(outing->letter.tally, pulse->predictions);
  mail_send(pulse->post->loops[loop], &outing->letter.mail);
}

static void done_count(struct pulse *pulse)
{
  const struct pulse_loop *least = &pulse->loops[0];
  for (uint32_t i = 1; i < pulse->post->n_loops; i++)
    if (pulse->loops[i].home < least->home) least = &pulse->loops[i];
  pulse->done = pulse->post->n_loops ? least->home : pulse->begun;
  pulse->done_us = pulse->post->n_loops ? least->home_us : pulse->began_us;
}

/* A loop that still has an earlier round's tally gets none: it reports when it comes back. */
static void round_begin(struct pulse *pulse, int64_t now_us)
{
  pulse->begun++;
  pulse->began_us = now_us;
  pulse->round_out = 0;
  for (uint32_t i = 0; i < pulse->post->n_loops; i++) {
    struct pulse_loop *loop = &pulse->loops[i];
    if (loop->sent != loop->home) continue;
    loop->sent = pulse->begun;
    pulse->round_out++;
    outing_send(pulse, i, pulse->begun);
  }
  if (pulse->post->n_loops) return;
  pulse->closed = pulse->begun;
  done_count(pulse);
}

static void round_close(struct pulse *pulse, int64_t now_us)
{
  pulse->closed = pulse->begun;
  if (pulse->asked > pulse->begun) round_begin(pulse, now_us);
}

void pulse_close(struct pulse *pulse, int64_t now_us)
{
  if (pulse->closed < pulse->begun) round_close(pulse, now_us);
}

uint32_t pulse_silent(const struct pulse *pulse)
{
  uint32_t n = 0;
  for (uint32_t i = 0; i < pulse->post->n_loops; i++) n += pulse->loops[i].home < pulse->closed;
  return n;
}

void pulse_remember(struct pulse *pulse, bool remember)
{
  if (remember == (pulse->predictions > 0)) return;
  pulse->predictions = remember ? PREDICTIONS_FIRST : 0;
  for (uint32_t i = 0; remember && i < pulse->post->n_loops; i++) outing_send(pulse, i, 0);
}

/* Twice what a loop had to remember, so that twice the traffic finds room a pulse later. */
static void predictions_size(struct pulse *pulse, const struct tally *from)
{
  uint64_t wanted = 2 * (from->n_predictions + from->predictions_missed);
  if (!pulse->predictions || wanted <= pulse->predictions) return;
  pulse->predictions = wanted < PREDICTIONS_MOST ? (uint32_t)wanted : PREDICTIONS_MOST;
}

void pulse_grow(struct pulse *pulse, uint32_t n_slots, uint32_t n_releases)
{
  if (n_slots <= pulse->cap && n_releases <= pulse->releases) return;
  while (pulse->cap < n_slots) pulse->cap *= 2;
  while (pulse->releases < n_releases) pulse->releases = pulse->releases ? pulse->releases * 2 : 4;
  struct tally *total = tally_new(pulse->cap, 0, 0);
  tally_merge(total, pulse->total);
  tally_free(pulse->total);
  pulse->total = total;
  for (uint32_t i = 0; i < pulse->post->n_loops; i++) outing_send(pulse, i, 0);
}

uint64_t pulse_ask(struct pulse *pulse, int64_t now_us)
{
  if (pulse->begun == pulse->closed) {
    round_begin(pulse, now_us);
    pulse->asked = pulse->begun;
  } else {
    pulse->asked = pulse->begun + 1;
  }
  return pulse->asked;
}

void pulse_tally_home(struct pulse *pulse, struct letter_tally *letter, int64_t now_us)
{
  struct outing *outing = LIST_OF(letter, struct outing, letter);
  if (letter->tally) tally_merge(pulse->total, letter->tally);
  if (letter->tally) predictions_size(pulse, letter->tally);
  if (!pulse->judged || !round_take(pulse->judged, letter->tally)) tally_put(pulse, letter->tally);
  pulse->out--;
  if (outing->round) {
    pulse->loops[outing->letter.loop].home = outing->round;
    pulse->loops[outing->letter.loop].home_us = outing->began_us;
    done_count(pulse);
    bool counts = outing->round == pulse->begun && pulse->closed < pulse->begun;
    if (counts && --pulse->round_out == 0) round_close(pulse, now_us);
  }
  ungrab(outing);
}

struct tally *pulse_copy(const struct pulse *pulse, uint32_t n_slots)
{
  struct tally *copy = tally_new(n_slots > pulse->cap ? n_slots : pulse->cap, 0, 0);
  tally_merge(copy, pulse->total);
  return copy;
}
