/* look.h - one pulse as the judge sees it: whole numbers, nothing else, and their journal form.
 * Thread: any, pure; a look belongs to whoever fills it. About 20 KiB in memory, some 100 bytes at
 * rest when little happened.
 *
 * Filled by control from merged tallies (and by the simulator): sums over loops and nodes, so any
 * split of the same requests gives the same look. Control looks by the clock, with what is home: a
 * look that lacks a loop's tally is stale, and what comes late belongs to the look that receives
 * it. A missed pulse makes one larger look with its elapsed_ms, up to three seconds: what is more
 * than that, the process has slept through.
 *
 * What counts: requests are answers of success and server-caused failures (5xx, timeout, worker
 * death, contract-breaking answer); client-caused outcomes are not in here at all. A timeout is an
 * error and, by look_latency, slow in every row; other failures have no latency. A request that
 * chose its arm itself, or had no sticky key, is not in here.
 * In a shadow step arms hold pairs only: requests that both versions answered or failed to.
 *
 * Journal form: a version byte, then varints; zero stretches cost two bytes. Reading takes bytes
 * from anywhere: E_INVALID_ARGUMENT for what look_write would not have written, now or in an older
 * version; nothing is allocated. Version 1 had no `costed`: every answer was. Version 2
 * had no calibration. Version 3 counted segments of all candidates together: of several they are
 * left out. Up to version 4 there was one field for inputs, always empty.
 * SPDX-License-Identifier: MIT */
#ifndef JUDGE_LOOK_H
#define JUDGE_LOOK_H

#include "judge/plan.h"
#include "stat/agree.h"
#include "stat/calibration.h"
#include "stat/drift.h"
#include "stat/slow.h"

enum { LOOK_VERSION = 5, LOOK_BINS_MAX = 32, LOOK_FEATURES_EVERY = 10 };
enum { LOOK_BYTES_MAX = 40 << 10 }; /* no look is longer at rest: 3,600 numbers of ten bytes */

struct look_arm {
  uint64_t requests; /* answers that count */
  uint64_t errors;   /* of these, failures; timeouts among them */
  uint64_t timeouts;
  uint64_t timed;           /* answers with a latency: successes and timeouts */
  uint64_t slow[SLOW_ROWS]; /* of these, at or above the step's threshold */
  uint64_t units;  /* units (users, or requests without sticky_by) seen first in this look */
  uint64_t costed; /* answers whose CPU time was measured: of all, or of some by lot */
  uint64_t cpu_us; /* of those */
  /* Of one instance: held between runs, and the most inside of one; 0: not measured. */
  uint64_t steady_bytes, peak_bytes;
  uint64_t bins[LOOK_BINS_MAX]; /* answers by frozen bin or label */
  /* Requests by the step's bins of each feature: as many of each arm that has weight, drawn in
   * every second that all of them had some; those of ten looks stand in the last of them. */
  uint64_t features[DRIFT_FEATURES][DRIFT_BINS];
  struct mean_arm metric; /* outcomes that matured in this look */
};

/* Errors and slow-at-p99 of one segment (a value of a declared field), by arm. A segment keeps its
 * place for the whole release; the values' names are the caller's. */
struct look_segment {
  uint64_t requests[ARMS_MAX], errors[ARMS_MAX], slow[ARMS_MAX];
};

struct look {
  uint64_t number;     /* over the release, from 0, no gaps */
  uint64_t elapsed_ms; /* lived through since the look before or the start of the step */
  uint64_t loaded_ms;  /* since the youngest instance of a non-stable arm was loaded */
  uint32_t n_arms;
  uint32_t weights[ARMS_MAX]; /* in force during the look, of PLAN_WHOLE */
  uint32_t copied;            /* shadow: share of requests copied, of PLAN_WHOLE */
  bool uneven; /* weights may have changed inside, or requests were diverted: shares as realised */
  bool stale;  /* not all that was answered is in it: a loop is silent, or a tally was full */
  uint32_t killed;     /* bit per arm of the kill rule of a node, or an open breaker */
  uint32_t n_segments; /* known so far */
  struct look_arm arms[ARMS_MAX];
  struct calibration calibration[ARMS_MAX]; /* scores of units whose outcome matured in this look */
  struct look_segment segments[PLAN_SEGMENTS_MAX];
  struct agree agree;     /* shadow: pairs by disagreement */
  uint64_t copies_failed; /* shadow: copies the candidate failed on */
  uint64_t copies_shed;   /* shadow: copies not made under load; shown, never judged */
};

void look_init(struct look *look, uint64_t number, uint32_t n_arms); /* all zero but these */
/* Fills timed and slow from the sketch of successes of this look, adding the timeouts that
 * `arm->timeouts` already says. */
void look_latency(struct look_arm *arm, const struct slow *slow, const struct sketch *seen);
/* Adds what is a sum of answers; memory, which is a maximum, and outcomes stay as they are. */
void look_arm_add(struct look_arm *into, const struct look_arm *from);
/* Adds the counts of `from`; both are of the same look (nodes), or `from` is the next one (then
 * elapsed_ms adds up, which a merge of nodes must set itself). Numbers, weights stay into's. */
void look_merge(struct look *into, const struct look *from);
/* E_VALUE_OUT_OF_RANGE for a count above 2^53, slow > timed, errors > requests, timeouts > errors,
 * more arms than ARMS_MAX, weights over PLAN_WHOLE; the field is named. */
CHECKED enum code look_check(const struct look *look, struct err *err);

/* Writes to out (cap LOOK_BYTES_MAX is always enough); equal looks give equal bytes. */
void look_write(const struct look *look, struct varint_out *out);
/* Eats one look from the front of *bytes, checked; *bytes stays as it was on failure. */
CHECKED enum code look_read(struct look *look, struct slice *bytes, struct err *err);

#endif
