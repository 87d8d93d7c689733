/* bars.h - what a release of slipway promises, measured: B1 to B12, each with its bar.
 * Thread: own.
 * SPDX-License-Identifier: MIT */
#ifndef SIM_BARS_H
#define SIM_BARS_H

#include "sim/run.h"

enum bar_says { BAR_HOLDS, BAR_FAILS, BAR_SHOWN, BAR_ELSEWHERE };
enum { BAR_TEXT_MAX = 160 };

struct bar {
  char id[8];              /* "B3" */
  char what[BAR_TEXT_MAX]; /* "tail:2, 5 % of 1000 rps: caught, p99" */
  char want[BAR_TEXT_MAX]; /* "at most 30 s"; of ELSEWHERE "held by" */
  char got[BAR_TEXT_MAX];  /* "22 s (p50 9, p90 15)"; of ELSEWHERE the test's name */
  enum bar_says says;
};

struct bars {
  bool quick; /* fewer runs, for every day; the bars are the same */
  uint64_t seed;
  struct crew crew;
  void (*began)(void *arg, const char *what); /* may be NULL: what is measured now */
  void (*told)(void *arg, const struct bar *bar);
  void *arg;
  uint32_t failed; /* out */
};

/* Measures all of them, in order; half a minute of one processor when quick, a quarter of an hour
 * else. */
void bars_run(struct bars *bars);
const char *bar_says_name(enum bar_says says); /* "holds" */

#endif
