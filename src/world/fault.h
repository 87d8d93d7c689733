/* fault.h - what a rehearsal does to a copy of the stable version, so that people see how fast a
 * bad release would be found.
 * Thread: any; pure.
 *
 *   slow xF | slow DURATION    each run takes F times as long, or so much longer
 *   errors P%                  so many of the runs fail
 *   wrong P%                   so many of the answers are another answer of the same shape
 *   crash                      every run fails, as after the death of the model's process
 *   leak BYTES                 each run keeps so much memory (LEAK_BYTES_MAX in all)
 *
 * each followed by `@DURATION`, if it is to begin that long after the first run: "slow x2 @30s".
 * Source: release features, section 7 (rehearsal).
 * SPDX-License-Identifier: MIT */
#ifndef WORLD_FAULT_H
#define WORLD_FAULT_H

#include "base/err.h"
#include "base/slice.h"

enum fault_kind { FAULT_NONE, FAULT_SLOW, FAULT_ERRORS, FAULT_WRONG, FAULT_CRASH, FAULT_LEAK };

enum { LEAK_BYTES_MAX = 256 << 20, FAULT_TEXT_MAX = 64 };

struct fault {
  enum fault_kind kind;
  double factor;    /* SLOW: of the run's own time; at least 1 */
  int64_t add_ns;   /* SLOW: on top of that */
  double share;     /* ERRORS, WRONG: of the runs, 0 to 1 */
  uint64_t bytes;   /* LEAK: a run */
  int64_t after_us; /* from the first run on */
};

/* E_INVALID_ARGUMENT says what is known. */
CHECKED enum code fault_read(struct slice text, struct fault *fault, struct err *err);

#endif
