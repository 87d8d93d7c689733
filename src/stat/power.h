/* power.h - can this step decide at all? Estimates for the report before a launch, not for
 * verdicts.
 * Thread: any, pure.
 *
 * With ratio r an event is the candidate's with probability th(r), and the best grid point gains on
 * average KL(th(r) || th(r_0)) nats per pooled event:
 *
 *   events = (ln 1/a + ln 7) / KL(th(r) || th(1 + m))
 *
 * The report goes further: events come at the rates of last week, evidence is tempered by phi and
 * capped per look, the detector gives the cumulative process half of its weight and a gate averages
 * over J rows (so ln 2 + ln J more are needed); the spread of a sum of events (normal) gives the
 * time by which 80 % of runs have fired. Estimates: simulate says it exactly.
 * SPDX-License-Identifier: MIT */
#ifndef STAT_POWER_H
#define STAT_POWER_H

#include "stat/count.h"

#define POWER_RATIO_MAX 100.0

/* M_INF when r <= 1 + m. s in (0, 1). */
double power_events(double alpha, double m, double s, double r);

struct power_case {
  double alpha, m, share;
  double rate;    /* probability of the event in stable: 1 - q, or the error rate */
  double rps;     /* of both arms together */
  double seconds; /* of the step */
  double phi;     /* 0: 1 */
  double cap;     /* nats per look; 0: none */
  uint32_t rows;  /* J; 0: 1 */
};

/* Seconds until a candidate with ratio r is caught: in half of all runs, and in 80 %. M_INF: never.
 * Candidate event probability is min(1, r rate). */
double power_delay_median_s(const struct power_case *of, double r);
double power_delay_80_s(const struct power_case *of, double r);
/* The smallest ratio that the step catches with 80 % power; M_INF when POWER_RATIO_MAX is not. */
double power_ratio_min(const struct power_case *of);
/* Pooled events that the step brings when the candidate's ratio is r. */
double power_events_expected(const struct power_case *of, double r);

#endif
