/* forecast.h - can this plan decide at all with this model's traffic? The report before a launch.
 * Thread: any, pure. Estimates; the simulator says it exactly.
 * Source: release-statistics 12, through stat/power.h.
 * SPDX-License-Identifier: MIT */
#ifndef JUDGE_FORECAST_H
#define JUDGE_FORECAST_H

#include "judge/plan.h"
#include "stat/sketch.h"
#include "wire/json.h"

/* Stable's recent traffic: of last week, or of the history. */
struct traffic {
  double rps;                   /* answers that count, all arms */
  double error_rate;            /* failures of these */
  const struct sketch *latency; /* successes */
  double phi[5];                /* dispersion by row as past.h orders rows; below 1: 1 */
};

enum { FORECAST_ROWS = 5 };

struct forecast_row {
  enum gate_id gate;
  uint32_t row;     /* latency: row of stat/slow.h */
  double ratio_min; /* smallest ratio caught with 80 % power in the step; infinite: none */
  double delay_2x_s, delay_10x_s; /* median until a candidate twice, ten times as bad is caught */
  double events, events_needed;   /* pooled: expected in the step; to call an equal one fit */
  bool hopeless;                  /* an equal candidate will not pass in this step */
};

struct forecast_step {
  double requests;       /* candidate answers expected in `for` */
  double seconds_needed; /* until requests_min; infinite without traffic */
  bool hopeless;         /* a gate that must pass will not, or requests_min will not come */
  uint32_t n_rows;
  struct forecast_row rows[FORECAST_ROWS];
};

struct forecast {
  uint32_t n_steps;
  struct forecast_step steps[PLAN_STEPS_MAX];
};

void forecast_make(struct forecast *forecast, const struct plan *plan,
                   const struct traffic *traffic);
void forecast_json(const struct forecast *forecast, const struct plan *plan, struct json_out *out);
/* Warnings in words, one a line; at is NULL past the arena's cap, "" when there are none. */
struct slice forecast_warnings(const struct forecast *forecast, const struct plan *plan,
                               struct arena *arena);

#endif
