/* detector.h - evidence over time that does not forgive: restarted, tempered, capped.
 * Thread: any, pure; a detector belongs to one owner.
 *
 * A sum of evidence remembers good news: after an hour of health it takes minutes to notice that a
 * candidate turned bad. So a second process starts anew every 60 looks, all starts are summed, and
 * the two are averaged. Per grid point i of count.h and per look:
 *
 *   d_i = min(cap, l_i / phi)
 *   at looks 0, 60, 120, ...: S_i = ln(e^S_i + 1)      (S_i = -inf before look 0)
 *   P_i += d_i ; S_i += d_i
 *   log_e = ln((mean_i e^P_i + (1/N) mean_i e^S_i) / 2)
 *
 * N is the number of starts declared for the release. The sum over starts minus their number is a
 * supermartingale under the null, so e is an e-value for as long as no more than N starts are made.
 * The look that would make start N + 1 opens a new episode instead: state zeroed, `episodes` one
 * more; alpha is spent once more, and whoever records verdicts must say so.
 * phi >= 1 (stat/dispersion.h) and the cap only lower expectations: validity is kept. A change of s
 * or of thresholds changes increments, never the state. A look at zero weight is no look: do not
 * step. Rows of one gate have a detector each, all stepped in the same looks; count_gate averages.
 *
 * Where it began: the look from which on the sum is the largest, R_i = max(0, R_i) + d_i, of the
 * grid point whose sum that is. Starts are 60 looks apart, and people ask for the second.
 *
 * The pass side has no restarts: `struct detector_pass` sums since the start of the step.
 * Source: Shin, Ramdas, Rinaldo, "E-detectors" (2022), Shiryaev-Roberts form.
 * SPDX-License-Identifier: MIT */
#ifndef STAT_DETECTOR_H
#define STAT_DETECTOR_H

#include "stat/count.h"

enum { DETECTOR_LOOKS = 60 }; /* looks between two starts */

struct detector {
  double p[COUNT_GRID], s[COUNT_GRID];
  double run[COUNT_GRID];                            /* R_i */
  uint64_t run_look[COUNT_GRID], run_at[COUNT_GRID]; /* where it began: look, caller's time */
  uint64_t x[2], n[2]; /* candidate's events and requests since the last start; [1]: one before */
  uint64_t at;         /* the caller's time of the next look; whatever it means, 0 unless set */
  uint64_t asked;      /* as `at`: the candidate's requests */
  uint64_t looks;      /* over the release */
  uint32_t look;         /* in this episode */
  uint32_t restarts_max; /* N */
  uint32_t episodes;     /* begun, the first included */
};

/* Frozen with the step. phi below 1 counts as 1; cap 0 is none. */
struct detector_limits {
  double phi, cap;
};

/* N for a release of so many looks (steps and watch after full traffic): a start each 60 looks, at
 * least those of 60 minutes. */
uint32_t detector_restarts(uint64_t horizon_looks);
void detector_init(struct detector *detector, uint32_t restarts_max);
/* One look. `step` is the harm side's, with this look's s and the lane's margin. */
void detector_step(struct detector *detector, const struct detector_limits *limits,
                   const struct count_step *step, uint64_t n_c, uint64_t n_b);
double detector_log_e(const struct detector *detector);
double detector_log_plain(const struct detector *detector);     /* ln mean e^P_i */
double detector_log_restarted(const struct detector *detector); /* ln mean e^S_i - ln N */
/* The look (counted from 0 over the release) with which the evidence began, and its time (NULL: not
 * asked for). */
uint64_t detector_first_bad(const struct detector *detector, uint64_t *at);
/* What part of the candidate's requests were events since the last start but one, 60 to 120 looks;
 * NaN where there were none. */
double detector_share(const struct detector *detector);

/* Zeroed is new. */
struct detector_pass {
  double p[COUNT_GRID];
};

/* As above with the pass side's `step`. */
void detector_pass_step(struct detector_pass *pass, const struct detector_limits *limits,
                        const struct count_step *step, uint64_t n_c, uint64_t n_b);
double detector_pass_log_e(const struct detector_pass *pass);

#endif
