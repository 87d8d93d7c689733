/* gradient.h - how many requests of a version a loop should have in work: a limit finds itself.
 * Thread: its loop. Pure: times are given.
 *
 * Every twentieth of a second, from ten answers on, the time they took is held against what it
 * takes in the long run: g = 1.5 * long / short, between 0.5 and 1, and the limit becomes
 * 0.8 limit + 0.2 (g limit + 4). So it grows while nothing is lost by it and shrinks while requests
 * wait for each other: from twice of what was in work, since a limit above that limits nothing. By
 * that formula it does not grow while less than half of it is used, since then nothing was learned.
 * But a limit that refused nobody and saw no jam is forgotten, by a twentieth each time. A long run
 * above twice the short one is forgotten by 5 % each time; a jam is taken into it four times as
 * slowly, or what lasts some minutes would become what is usual.
 *
 * Times are kept by size of the batch (powers of two), so that larger batches, which take longer
 * and are what we want, do not look like a jam; two runs, the one before and its own, are none of
 * any size. Where a lane sheds, what it does answer is quick, since the newest go first: then g is
 * 0.5 whatever that took. And a time that is no harm is no jam: what is
 * shorter than `easy_us` counts as that, or a core that was busy elsewhere for a millisecond would
 * have a model of 50 us refuse its requests.
 * Source: Netflix concurrency-limits, Gradient2; overload rules, section 8.
 * SPDX-License-Identifier: MIT */
#ifndef SERVE_LIMIT_GRADIENT_H
#define SERVE_LIMIT_GRADIENT_H

#include <stdint.h>

enum { GRADIENT_SIZES = 8, GRADIENT_ANSWERS = 10, GRADIENT_LONG = 600 };
enum { GRADIENT_WINDOW_US = 50000 };

struct gradient {
  double limit;
  double long_us[GRADIENT_SIZES]; /* 0: none yet */
  double sum_us[GRADIENT_SIZES];  /* of this window */
  double run_us[GRADIENT_SIZES];  /* of that, running */
  uint32_t n[GRADIENT_SIZES];
  uint32_t sheds, refused; /* in this window: by the lane; by the limit */
  uint32_t answers, windows, peak; /* of this window; of all; most in work in this window */
  int64_t ends_us;
};

/* An answer of a batch of so many rows took so long: waiting and running; and so long running. */
void gradient_answer(struct gradient *gradient, uint32_t batch_rows, int64_t took_us,
                     int64_t run_us, uint32_t in_work);
/* One never ran: it had waited so long that its lane shed it. */
void gradient_shed(struct gradient *gradient, uint32_t in_work);
/* One was refused by the limit. */
void gradient_refused(struct gradient *gradient);
/* At the end of a window: the limit anew, between floor and ceiling. */
void gradient_turn(struct gradient *gradient, int64_t now_us, int64_t easy_us, uint32_t floor,
                   uint32_t ceiling);

#endif
