/* model.h - the traffic that releases are tried on: one scenario, as probabilities.
 * Thread: any, pure once made; runs of all threads share it.
 *
 * Latency is log-normal (median 20 ms, p99 100 ms), errors are independent. What is wrong with the
 * candidate, and what troubles both arms, is a scenario, written as parts joined by '+':
 *
 *   null          both arms alike          onset:T   the candidate changes at second T
 *   uniform:F     all latencies times F    drift     rate times 1 + 0.8 sin(t / 300)
 *   tail:F        those above p98 times F  b1 .. b5  bursts in each arm on its own
 *   errors:F      error probability F p0   shared    one burst process for both arms
 *   outcomes:F    its outcomes F times as often as stable's, which has one in ten
 *
 * so "tail:2+onset:1800+b1". Since arrivals are Poisson and requests independent given the burst,
 * counts of buckets are independent Poisson numbers: crowd.h draws those, not requests, and the
 * sum of what it draws has exactly the distribution that requests one by one would have.
 * Source: release-statistics 14.
 * SPDX-License-Identifier: MIT */
#ifndef SIM_MODEL_H
#define SIM_MODEL_H

#include "base/err.h"
#include "stat/sketch.h"

enum { SCENARIO_NAME_MAX = 64, BURSTS = 6 };
#define MODEL_MEDIAN_US 20000.0
#define MODEL_P99_US    100000.0
#define MODEL_P0        0.001
#define MODEL_OUTCOME   0.1

struct burst {
  double start; /* probability that an idle second begins one */
  uint32_t seconds;
  double g; /* exceedance and error probabilities times this, at most 0.9 */
};
extern const struct burst BURST[BURSTS]; /* [0]: none */

struct scenario {
  char name[SCENARIO_NAME_MAX];
  double uniform, tail, errors, outcomes; /* factors; 1: nothing */
  uint32_t onset_s, burst;      /* burst: index into BURST */
  bool drift, shared;
};

/* E_INVALID_ARGUMENT names the part that is not understood. */
CHECKED enum code scenario_read(struct scenario *scenario, struct slice text, struct err *err);
bool scenario_is_null(const struct scenario *scenario); /* nothing is worse about the candidate */

enum model_who { WHO_STABLE, WHO_CHANGED, WHOS }; /* before its onset a candidate is WHO_STABLE */
enum model_mood { MOOD_CALM, MOOD_BURST, MOODS };

struct model {
  struct scenario scenario;
  double p0;
  double error[WHOS][MOODS];
  double outcome[WHOS]; /* chance of a unit */
  /* P(latency >= the first value of bucket i); [SKETCH_BUCKETS] is 0. */
  double above[WHOS][MOODS][SKETCH_BUCKETS + 1];
};

/* p0 in (0, 1): error probability of stable. */
void model_make(struct model *model, const struct scenario *scenario, double p0);
/* Survival function of the latency of stable: P(X >= us). */
double model_survival(double us);

#endif
