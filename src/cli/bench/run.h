/* run.h - a load from its beginning to its report.
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#ifndef CLI_BENCH_RUN_H
#define CLI_BENCH_RUN_H

#include "cli/bench/report.h"
#include "cli/bench/source.h"

struct run_opts {
  int64_t for_us;
  uint64_t seed;
  bool each_second;
  bool quiet; /* no progress on a terminal */
};

/* Runs all sources at once. Ctrl-C ends the load, not the telling. *report is the caller's to free,
 * NULL where it failed. */
CHECKED enum code bench_run(const struct sources *sources, const struct run_opts *opts,
                            struct report **report, struct err *err);
/* Whether Ctrl-C came. */
bool bench_interrupted(void);

#endif
