/* forecast.c - powers of gates, step by step.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "judge/forecast.h"

#include <stdarg.h>
#include <stdio.h>

#include "judge/judge.h"
#include "stat/power.h"

/* ln x + x's chance against y's: the evidence that one trial brings on average. */
static double divergence(double x, double y)
{
  if (x <= 0) return -m_log1p(-y);
  if (x >= 1) return -m_ln(y);
  return x * m_ln(x / y) + (1 - x) * m_ln((1 - x) / (1 - y));
}

/* Pooled events until an equal candidate is proven no worse than 1 + m. */
static double events_to_pass(double m, double share)
{
  double fair = (1 + m) * share / ((1 + m) * share + 1 - share);
  return (m_ln(COUNT_GRID) - m_ln(TRIAL_PASS_ALPHA)) / divergence(share, fair);
}

/* Candidate answers until their error rate is proven below the floor. */
static double answers_to_floor(double rate, double floor)
{
  if (!(rate < floor)) return M_INF;
  return (m_ln(AGREE_GRID) - m_ln(TRIAL_PASS_ALPHA)) / divergence(rate, floor);
}

static void row_make(struct forecast_row *row, const struct plan *plan, const struct power_case *of,
                     double requests)
{
  double phi = of->phi > 1 ? of->phi : 1;
  bool passes = row->gate == GATE_ERRORS || row->row < SLOW_PASS_ROWS;
  row->ratio_min = power_ratio_min(of);
  row->delay_2x_s = power_delay_median_s(of, 2);
  row->delay_10x_s = power_delay_median_s(of, 10);
  row->events = power_events_expected(of, 1);
  row->events_needed = events_to_pass(of->m, of->share) * phi;
  row->hopeless = passes && row->events < row->events_needed;
  if (row->gate != GATE_ERRORS || !row->hopeless) return;
  double floor = (double)plan->gates[GATE_ERRORS].floor_e8 / PLAN_WHOLE;
  if (floor > 0 && answers_to_floor(of->rate, floor) * phi <= requests) row->hopeless = false;
}

/* The candidate with the least traffic: what it cannot decide the test cannot. */
static uint32_t arm_least(const struct plan *plan)
{
  uint32_t least = ARM_CANDIDATE;
  for (uint32_t arm = ARM_MORE; arm < plan_arms(plan); arm++)
    if (plan->ab.weights[arm] < plan->ab.weights[least]) least = arm;
  return least;
}

static double share_of(const struct plan *plan, uint32_t step)
{
  double own = plan_weight(plan, step, arm_least(plan));
  double stable = plan_weight(plan, step, ARM_STABLE);
  return own + stable > 0 ? own / (own + stable) : 0;
}

static void rows_make(struct forecast_step *at, const struct plan *plan, uint32_t i,
                      const struct traffic *traffic)
{
  const struct plan_step *step = &plan->steps[i];
  double share = share_of(plan, i), both = 1;
  if (step->kind == STEP_AB)
    both = ((double)plan->ab.weights[arm_least(plan)] + plan->ab.weights[ARM_STABLE]) / PLAN_WHOLE;
  uint32_t late = 0;
  for (uint32_t row = 0; row < SLOW_ROWS; row++)
    late += traffic->rps * 1800 * (1 - SLOW_Q[row]) >= 10 &&
            (plan->gates[GATE_LATENCY].quantiles >> row & 1);
  for (uint32_t row = 0; row < BASELINE_ROWS; row++) {
    enum gate_id gate = row == BASELINE_ERRORS ? GATE_ERRORS : GATE_LATENCY;
    const struct gate_spec *spec = &plan->gates[gate];
    if (spec->off || !(share > 0 && share < 1)) continue;
    if (gate == GATE_LATENCY && !(spec->quantiles >> row & 1)) continue;
    if (gate == GATE_LATENCY && traffic->rps * 1800 * (1 - SLOW_Q[row]) < 10) continue;
    struct power_case of = {
        .alpha = (double)spec->alpha_e9 / PLAN_BILLION / 2 / (plan_arms(plan) - 1),
        .m = (double)(spec->margin_e6 - PLAN_MILLION) / PLAN_MILLION,
        .share = share,
        .rate = row == BASELINE_ERRORS ? traffic->error_rate : 1 - SLOW_Q[row],
        .rps = traffic->rps * both,
        .seconds = (double)step->deadline_ms / 1000,
        .phi = traffic->phi[row],
        .cap = TRIAL_CAP,
        .rows = gate == GATE_LATENCY ? late : 1,
    };
    struct forecast_row *to = &at->rows[at->n_rows++];
    to->gate = gate;
    to->row = row;
    row_make(to, plan, &of, at->requests);
    at->hopeless = at->hopeless || to->hopeless;
  }
  if (!plan->gates[GATE_LATENCY].off && !late) at->hopeless = true; /* no threshold at all */
}

void forecast_make(struct forecast *forecast, const struct plan *plan,
                   const struct traffic *traffic)
{
  memset(forecast, 0, sizeof *forecast);
  forecast->n_steps = plan->n_steps;
  for (uint32_t i = 0; i < plan->n_steps; i++) {
    const struct plan_step *step = &plan->steps[i];
    struct forecast_step *at = &forecast->steps[i];
    double weight = step->kind == STEP_AB ? plan->ab.weights[arm_least(plan)] : step->weight;
    double rps = traffic->rps * weight / PLAN_WHOLE;
    at->requests = rps * (double)step->for_ms / 1000;
    at->seconds_needed = step->requests_min == 0 ? 0
                         : rps > 0               ? (double)step->requests_min / rps
                                                 : M_INF;
    at->hopeless = !(at->seconds_needed < M_INF);
    if (step->kind != STEP_SHADOW) rows_make(at, plan, i, traffic);
  }
}

/* --- words ------------------------------------------------------------------------------------ */

static const char *row_words(const struct forecast_row *row)
{
  static const char *const names[] = {"p50", "p90", "p99", "p99.9", "errors"};
  return names[row->row];
}

static void put_number(struct json_out *out, const char *key, double value)
{
  json_out_key(out, key);
  if (value < M_INF)
    json_out_f64(out, value);
  else
    json_out_null(out);
}

static void row_json(const struct forecast_row *row, struct json_out *out)
{
  json_out_open(out, '{');
  json_out_key(out, "gate");
  json_out_str(out, slice_str(gate_name(row->gate)));
  json_out_key(out, "row");
  json_out_str(out, slice_str(row_words(row)));
  put_number(out, "smallest_ratio", row->ratio_min);
  put_number(out, "delay_2x_s", row->delay_2x_s);
  put_number(out, "delay_10x_s", row->delay_10x_s);
  put_number(out, "events_expected", row->events);
  put_number(out, "events_needed", row->events_needed);
  json_out_key(out, "hopeless");
  json_out_bool(out, row->hopeless);
  json_out_close(out, '}');
}

void forecast_json(const struct forecast *forecast, const struct plan *plan, struct json_out *out)
{
  json_out_open(out, '[');
  for (uint32_t i = 0; i < forecast->n_steps; i++) {
    const struct forecast_step *step = &forecast->steps[i];
    json_out_open(out, '{');
    json_out_key_u64(out, "step", i);
    json_out_key(out, "kind");
    json_out_str(out, slice_str(step_kind_name(plan->steps[i].kind)));
    put_number(out, "requests_expected", step->requests);
    put_number(out, "seconds_to_requests_min", step->seconds_needed);
    json_out_key(out, "hopeless");
    json_out_bool(out, step->hopeless);
    json_out_key(out, "gates");
    json_out_open(out, '[');
    for (uint32_t j = 0; j < step->n_rows; j++) row_json(&step->rows[j], out);
    json_out_close(out, ']');
    json_out_close(out, '}');
  }
  json_out_close(out, ']');
}

struct lines {
  char *at;
  size_t len, cap;
};

static void line_add(struct lines *lines, const char *fmt, ...) PRINTF(2, 3);
static void text_add(struct lines *lines, const char *fmt, ...) PRINTF(2, 3);

static void words_add(struct lines *lines, const char *fmt, va_list args)
{
  int n = vsnprintf(lines->at + lines->len, lines->cap - lines->len, fmt, args);
  if (n > 0) lines->len += (size_t)n;
  if (lines->len >= lines->cap) lines->len = lines->cap - 1;
}

/* To the last line. */
static void text_add(struct lines *lines, const char *fmt, ...)
{
  va_list args;
  va_start(args, fmt);
  words_add(lines, fmt, args);
  va_end(args);
}

static void line_add(struct lines *lines, const char *fmt, ...)
{
  va_list args;
  if (lines->len + 2 >= lines->cap) return;
  if (lines->len) lines->at[lines->len++] = '\n';
  va_start(args, fmt);
  words_add(lines, fmt, args);
  va_end(args);
}

static void row_add(struct lines *lines, const struct forecast_row *row, const char *comma)
{
  text_add(lines, "%s%s", comma, gate_name(row->gate));
  if (row->gate == GATE_LATENCY) text_add(lines, " %s", row_words(row));
}

/* What cannot pass in the step's time, in one line: people read one, not one for each row. */
static void open_warn(struct lines *lines, const struct forecast_step *step, uint32_t n)
{
  const char *comma = ": ";
  for (uint32_t j = 0; j < step->n_rows; j++) {
    const struct forecast_row *row = &step->rows[j];
    if (!row->hopeless) continue;
    if (comma[0] == ':') line_add(lines, "step %u is too short to prove these no worse", n);
    row_add(lines, row, comma);
    text_add(lines, " (%.0f of %.0f events)", row->events, row->events_needed);
    comma = ", ";
  }
}

/* What it would not even find harm with. */
static void blind_warn(struct lines *lines, const struct forecast_step *step, uint32_t n)
{
  const char *comma = ": ";
  for (uint32_t j = 0; j < step->n_rows; j++) {
    const struct forecast_row *row = &step->rows[j];
    if (row->hopeless || row->ratio_min < M_INF) continue;
    if (comma[0] == ':')
      line_add(lines, "step %u has too little traffic to find %.0f times as many", n,
               POWER_RATIO_MAX);
    row_add(lines, row, comma);
    comma = ", ";
  }
}

static void step_warn(struct lines *lines, const struct forecast_step *step,
                      const struct plan *plan, uint32_t i)
{
  double seconds = (double)plan->steps[i].deadline_ms / 1000;
  bool late = false;
  uint32_t n = i + 1; /* people count from one */
  if (!(step->seconds_needed < M_INF))
    line_add(lines, "step %u: no traffic, so requests_min will never be reached", n);
  else if (step->seconds_needed > seconds)
    line_add(lines, "step %u: requests_min takes about %.0f s at this traffic, the step has %.0f s",
             n, step->seconds_needed, seconds);
  for (uint32_t j = 0; j < step->n_rows; j++) late = late || step->rows[j].gate == GATE_LATENCY;
  open_warn(lines, step, n);
  blind_warn(lines, step, n);
  if (plan->steps[i].kind != STEP_SHADOW && !plan->gates[GATE_LATENCY].off && !late)
    line_add(lines, "step %u: latency has too little traffic for any threshold", n);
}

struct slice forecast_warnings(const struct forecast *forecast, const struct plan *plan,
                               struct arena *arena)
{
  enum { BYTES = 16 << 10 };
  struct lines lines = {arena_get(arena, BYTES), 0, BYTES};
  if (!lines.at) return SLICE_NONE;
  lines.at[0] = '\0';
  for (uint32_t i = 0; i < forecast->n_steps; i++) step_warn(&lines, &forecast->steps[i], plan, i);
  return slice_of(lines.at, lines.len);
}
