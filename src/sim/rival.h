/* rival.h - how rollouts are judged elsewhere, on the same traffic second by second.
 * Thread: own; one per set of rivals; pure.
 *
 *   threshold   p99 of a minute above 1.2 times stable's; the third such minute fails (strikes add)
 *   kayenta     each minute, over the series of minute p99s: Mann-Whitney, 98 % interval [L, U] of
 *               the shift d; failed when L > 0.25 |d| and the mean ratio is at least 1
 *   once        the same, asked once, at 50 minutes
 *   naive       one-sided z test at 1 % on everything so far, each 10 s: slow at p99, or errors
 *
 * The interval is as R's wilcox.test gives it for small samples: the differences of all pairs in
 * order, cut by the exact distribution of the rank sum. With fewer than five minutes there is no 98
 * % interval, so no verdict. In minutes without candidate requests there is nothing to compare.
 * Source: Kayenta's MannWhitneyClassifier (tolerance 0.25, confidence 0.98), from its description.
 * SPDX-License-Identifier: MIT */
#ifndef SIM_RIVAL_H
#define SIM_RIVAL_H

#include "sim/crowd.h"

enum rival { RIVAL_THRESHOLD, RIVAL_KAYENTA, RIVAL_ONCE, RIVAL_NAIVE, RIVALS };
enum { RIVAL_MINUTES = 120, RIVAL_ONCE_AT = 50, RIVAL_NEVER = UINT32_MAX };

struct rivals {
  bool on_errors; /* naive: errors instead of slow answers */
  uint32_t seconds, minutes, strikes;
  struct sketch minute[CROWD_ARMS];
  double p99[CROWD_ARMS][RIVAL_MINUTES];
  uint64_t n[CROWD_ARMS], x[CROWD_ARMS];
  uint32_t said[RIVALS]; /* the second at which it said no; RIVAL_NEVER */
};

void rivals_init(struct rivals *rivals, bool on_errors);
/* Latencies of the running minute, before the rivals_second that ends it. */
void rivals_add(struct rivals *rivals, uint32_t arm, const struct sketch *seen);
void rivals_second(struct rivals *rivals, const struct crowd_seen seen[CROWD_ARMS]);
bool rivals_are_done(const struct rivals *rivals);
const char *rival_name(enum rival rival);

/* Quantile in microseconds, straight within its bucket; 0 when empty. */
double sketch_point(const struct sketch *sketch, double q);

struct shift_interval {
  bool known; /* the samples are large enough for the level */
  double low, high, shift;
};
/* Hodges-Lehmann shift of a against b, n values each (n <= RIVAL_MINUTES), with its Mann-Whitney
 * interval at 98 %. */
struct shift_interval mann_whitney(const double *a, const double *b, uint32_t n);
/* The rank sum's lower cut at 1 % for n against n; 0: none. */
uint32_t mann_whitney_cut(uint32_t n);

#endif
