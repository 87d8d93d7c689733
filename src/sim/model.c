/* model.c - scenarios read from text, and their probabilities.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "sim/model.h"

#include <math.h>
#include <stdio.h>

#include "base/text.h"

const struct burst BURST[BURSTS] = {
    {0, 0, 1},          {1.0 / 60, 2, 10}, {1.0 / 120, 5, 5},
    {1.0 / 300, 10, 3}, {1.0 / 40, 3, 4},  {1.0 / 200, 4, 20},
};

/* ---- reading ---- */

enum { ONSET_MAX_S = 30 * 86400 };

static bool number_of(struct slice part, const char *word, double *value)
{
  struct slice name = slice_str(word);
  bool over;
  if (!slice_starts(part, name) || part.len <= name.len || part.at[name.len] != ':') return false;
  struct slice text = slice_from(part, name.len + 1);
  if (text.len && text.at[0] == 'x') text = slice_from(text, 1);
  return text.len && text_read_f64(text.at, text.len, value, &over) && !over && *value >= 0;
}

static bool part_read(struct scenario *scenario, struct slice part)
{
  double value;
  if (slice_eq(part, SLICE("null"))) return true;
  if (slice_eq(part, SLICE("drift"))) return scenario->drift = true;
  if (slice_eq(part, SLICE("shared"))) return scenario->shared = true;
  if (part.len == 2 && part.at[0] == 'b' && part.at[1] >= '1' && part.at[1] <= '5') {
    scenario->burst = (uint32_t)(part.at[1] - '0');
    return true;
  }
  if (number_of(part, "onset", &value) && value <= ONSET_MAX_S && value == floor(value)) {
    scenario->onset_s = (uint32_t)value;
    return true;
  }
  double *factor = NULL;
  if (number_of(part, "uniform", &value)) factor = &scenario->uniform;
  if (number_of(part, "tail", &value)) factor = &scenario->tail;
  if (number_of(part, "errors", &value)) factor = &scenario->errors;
  if (number_of(part, "outcomes", &value)) factor = &scenario->outcomes;
  if (!factor || value < 0.01 || value > 1000) return false;
  *factor = value;
  return true;
}

enum code scenario_read(struct scenario *scenario, struct slice text, struct err *err)
{
  *scenario = (struct scenario){.uniform = 1, .tail = 1, .errors = 1, .outcomes = 1};
  if (!slice_to_str(text, scenario->name, sizeof scenario->name) || text.len == 0)
    return fail(err, E_INVALID_ARGUMENT, "'%.*s' is no scenario; try 'null' or 'tail:2+b1'",
                SLICE_ARG(text));
  for (struct slice rest = text;;) {
    const char *plus = rest.len ? memchr(rest.at, '+', rest.len) : NULL;
    struct slice part = {rest.at, plus ? (size_t)(plus - rest.at) : rest.len};
    if (!part_read(scenario, part))
      return fail(err, E_INVALID_ARGUMENT,
                  "'%.*s' is no part of a scenario; parts are null, uniform:F, tail:F, errors:F, "
                  "outcomes:F, onset:SECONDS, drift, b1 to b5, shared, joined by '+'",
                  SLICE_ARG(part));
    if (!plus) break;
    rest = slice_from(rest, part.len + 1);
  }
  if (scenario->tail != 1 && (scenario->tail < 1 || scenario->uniform != 1))
    return fail(err, E_INVALID_ARGUMENT, "'tail' takes a factor from 1 on, without 'uniform'");
  if (scenario->shared && !scenario->burst)
    return fail(err, E_INVALID_ARGUMENT, "'shared' needs bursts to share: add b1 to b5");
  return OK;
}

bool scenario_is_null(const struct scenario *scenario)
{
  return scenario->uniform == 1 && scenario->tail == 1 && scenario->errors == 1 &&
         scenario->outcomes >= 1;
}

/* ---- probabilities ---- */

static double sigma(void) { return log(MODEL_P99_US / MODEL_MEDIAN_US) / 2.326347874; }

double model_survival(double us)
{
  if (us <= 0) return 1;
  return 0.5 * erfc((log(us) - log(MODEL_MEDIAN_US)) / (sigma() * sqrt(2)));
}

/* P(X >= us) of the changed candidate: its latency is a rising function of stable's. */
static double changed_survival(const struct scenario *scenario, double us)
{
  if (scenario->uniform != 1) return model_survival(us / scenario->uniform);
  if (scenario->tail == 1) return model_survival(us);
  double p98 = MODEL_MEDIAN_US * exp(sigma() * 2.053748911);
  if (us <= p98) return model_survival(us);
  return us < scenario->tail * p98 ? model_survival(p98) : model_survival(us / scenario->tail);
}

/* In a burst: with u uniform, the latency of survival u/g when u < 0.9, else one below the
 * median. */
static double burst_survival(double calm, double g)
{
  if (g * calm < 0.9) return g * calm;
  return calm <= 0.5 ? 0.9 : 0.9 + 0.1 * (calm - 0.5) / 0.5;
}

void model_make(struct model *model, const struct scenario *scenario, double p0)
{
  must(p0 > 0 && p0 < 1);
  double g = BURST[scenario->burst].g;
  *model = (struct model){.scenario = *scenario, .p0 = p0};
  for (int who = 0; who < WHOS; who++) {
    double calm = who == WHO_CHANGED ? fmin(0.9, p0 * scenario->errors) : p0;
    if (scenario->errors == 1) calm = p0;
    model->error[who][MOOD_CALM] = calm;
    model->error[who][MOOD_BURST] = fmax(calm, fmin(0.9, g * calm));
  }
  model->outcome[WHO_STABLE] = MODEL_OUTCOME;
  model->outcome[WHO_CHANGED] = fmin(0.9, MODEL_OUTCOME * scenario->outcomes);
  for (uint32_t i = 0; i < SKETCH_BUCKETS; i++) {
    double us = i ? (double)sketch_edge(i - 1) : 0;
    for (int who = 0; who < WHOS; who++) {
      double calm = who == WHO_CHANGED ? changed_survival(scenario, us) : model_survival(us);
      model->above[who][MOOD_CALM][i] = calm;
      model->above[who][MOOD_BURST][i] = scenario->burst ? burst_survival(calm, g) : calm;
    }
  }
}
