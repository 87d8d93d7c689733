/* forecast.h - can this plan decide at all with this model's traffic? The report before a launch.
 * Thread: any, pure. Estimates; the simulator says it exactly.
 * A row is hopeless when the events that the proof of "no worse" takes (section 4's formula with
 * this gate's margin and the passing alpha, for an equal candidate) are more than the step brings.
 * For errors the plan's floor is the other way to pass.
 * Source: release-statistics 12, through stat/power.h.
 * SPDX-License-Identifier: MIT */
#ifndef JUDGE_FORECAST_H
#define JUDGE_FORECAST_H

#include "judge/past.h"
#include "wire/json.h"

enum { FORECAST_ROWS = BASELINE_ROWS };

/* Stable's recent traffic: of last week, or of its past. */
struct traffic {
  double rps;                /* answers that count, all arms */
  double error_rate;         /* failures of these */
  double phi[FORECAST_ROWS]; /* dispersion, rows as in past.h; below 1: 1 */
};

struct forecast_row {
  enum gate_id gate;
  uint32_t row;     /* latency: row of stat/slow.h; errors: BASELINE_ERRORS */
  double ratio_min; /* smallest ratio caught with 80 % power in the step; infinite: none */
  double delay_2x_s, delay_10x_s; /* median until a candidate so many times as bad is caught */
  double events, events_needed;   /* pooled: expected in the step; to call an equal one fit */
  bool hopeless;                  /* an equal candidate will not pass in this step */
};

struct forecast_step {
  double requests;       /* candidate answers expected in `for`; of several, who gets the fewest */
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
