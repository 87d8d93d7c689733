/* trial.h - the load test of `slipway check`: what a model can do here, and what memory that takes.
 * Thread: main (own).
 *
 * A closed loop says the capacity; then rates are tried for the highest whose p99 meets the
 * objective (knee.h), each as a Poisson stream in which not one of a thousand may fail.
 * SPDX-License-Identifier: MIT */
#ifndef CLI_BENCH_TRIAL_H
#define CLI_BENCH_TRIAL_H

#include "cli/bench/source.h"

enum { TRIAL_TRIES_MAX = 32, TRIAL_OBJECTIVE_MS = 50, TRIAL_TRY_S = 2 };

struct trial_opts {
  int64_t objective_us; /* of p99 */
  int64_t try_us;       /* how long each rate is tried */
};

/* One load and how it went. */
struct trial_try {
  double rate, answered; /* asked and answered 200, a second; rate 0: the closed loop */
  uint64_t p50_us, p99_us, failed, due;
  bool met;
};

struct trial_found {
  struct trial_opts opts;
  struct trial_try tries[TRIAL_TRIES_MAX]; /* [0]: the closed loop */
  uint32_t n_tries;
  double knee;                                   /* 0: no rate meets it */
  uint64_t idle_bytes, loaded_bytes, most_bytes; /* of the server's process; 0: not known */
};

/* Of a model that answers: word is "digits" or "digits@3". found->idle_bytes is the caller's. */
CHECKED enum code trial_load(const struct cli *cli, const char *word, struct client *client,
                             const struct trial_opts *opts, struct trial_found *found,
                             struct err *err);
/* What the server's process holds now; 0: it does not say. */
uint64_t trial_resident(struct client *client);
json_t *trial_json(const struct trial_found *found);
/* The knee as a curve of p99 over rate, and the memory. */
void trial_print(const struct trial_found *found, struct buf *to);

#endif
