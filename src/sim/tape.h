/* tape.h - recorded traffic, played again second by second.
 * Thread: any once read; runs of all threads share it.
 *
 * Form: CSV, one request a line, in any order; a first line that does not begin with a digit is
 * taken as heads; lines that begin with '#' are skipped:
 *
 *   t,arm,latency_us,error        t: seconds, with or without a fraction, from any origin
 *   12.031,stable,20480,0         arm: stable or candidate; error: 0, or 1 for a server's failure
 *
 * Without candidate rows the recording is tried against itself: the first half (at most 30 minutes)
 * is history, the rest the release. Of each second's requests the candidate takes its share at
 * random; what these met (latency, failure) is drawn from another second, a lag away that differs
 * from run to run. So stalls hit the arms at different times, as those of different processes do,
 * and a rollback is a false one, unless the scenario says what is wrong with the candidate.
 * With candidate rows the release is played as it was, once: stable's rows before the candidate's
 * first are history.
 * SPDX-License-Identifier: MIT */
#ifndef SIM_TAPE_H
#define SIM_TAPE_H

#include "base/err.h"
#include "sim/crowd.h"

enum { TAPE_ROWS_MAX = 50000000, TAPE_SECONDS_MAX = 90 * 86400, TAPE_SECONDS_MIN = 120 };

struct tape_second {
  uint64_t first[CROWD_ARMS]; /* of its successes in us */
  uint32_t timed[CROWD_ARMS], errors[CROWD_ARMS];
};

struct tape {
  uint32_t seconds, history; /* all of it; of these before the release */
  bool has_candidate;
  double share, error_rate; /* candidate's part while it was there; stable's failures */
  uint64_t rows, p98_us;    /* of stable */
  struct tape_second *second;
  uint32_t *us; /* latencies, by second and arm; longer ones than 2^32 - 1 are that */
};

/* E_INVALID_ARGUMENT names the line; E_LIMIT_EXCEEDED. Free it in both cases. */
CHECKED enum code tape_read(struct tape *tape, struct slice text, struct err *err);
void tape_free(struct tape *tape);
static inline uint32_t tape_release_s(const struct tape *tape)
{
  return tape->seconds - tape->history;
}

/* For crowd.c. */
void tape_history(struct crowd *crowd, struct past *past);
void tape_play(struct crowd *crowd, const double part[CROWD_ARMS],
               struct crowd_seen seen[CROWD_ARMS]);

#endif
