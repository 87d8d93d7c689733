/* explain.c - sentences for people.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "judge/explain.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "judge/explain_int.h"
#include "judge/judge_int.h"

/* --- text that cannot overrun ----------------------------------------------------------------- */

struct text {
  char *at;
  size_t len;
};

static void add(struct text *text, const char *fmt, ...) PRINTF(2, 3);
static void add(struct text *text, const char *fmt, ...)
{
  va_list args;
  va_start(args, fmt);
  int n = vsnprintf(text->at + text->len, EXPLAIN_TEXT_MAX - text->len, fmt, args);
  va_end(args);
  if (n > 0) text->len += (size_t)n;
  if (text->len >= EXPLAIN_TEXT_MAX) text->len = EXPLAIN_TEXT_MAX - 1;
}

static void add_us(struct text *text, uint64_t us)
{
  if (us == UINT64_MAX)
    add(text, "134 s");
  else if (us < 1000)
    add(text, "%" PRIu64 " us", us);
  else if (us < 1000000)
    add(text, "%.3g ms", (double)us / 1000);
  else
    add(text, "%.3g s", (double)us / 1000000);
}

static void add_span(struct text *text, double s)
{
  if (s < 120)
    add(text, "%.0f s", s);
  else if (s < 7200)
    add(text, "%.0f min", s / 60);
  else if (s < 172800)
    add(text, "%.0f h", s / 3600);
  else
    add(text, "%.0f days", s / 86400);
}

const char *row_name(uint32_t row)
{
  static const char *const names[] = {"p50", "p90", "p99", "p99.9", "errors"};
  return row < sizeof names / sizeof *names ? names[row] : "";
}

double first_bad_s(const struct gate_result *result)
{
  return result->first_bad_ms == UINT64_MAX ? M_NAN : (double)result->first_bad_ms / 1000;
}

/* --- one gate --------------------------------------------------------------------------------- */

/* Two digits, but no exponent where people expect a plain number. */
static void add_times(struct text *text, double x)
{
  if (x == M_INF)
    add(text, "...");
  else if (x >= 99.5 && x < 1e6)
    add(text, "%.0f", x);
  else
    add(text, "%.2g", x);
}

/* "4.1x stable's [2.2, 7.5]" */
static void add_ratio(struct text *text, const struct trial *trial,
                      const struct gate_result *result)
{
  double lower, upper;
  if (!result->x_c && !result->x_b && result->gate != GATE_COST) {
    add(text, "none in %" PRIu64 " and %" PRIu64 " answers", result->n_c, result->n_b);
    return;
  }
  if (result->effect == M_INF || (result->x_c && !result->x_b)) {
    add(text, "%" PRIu64 " of %" PRIu64 " where stable has none of %" PRIu64, result->x_c,
        result->n_c, result->n_b);
  } else if (m_is_nan(result->effect)) {
    add(text, "as yet unknown beside stable's");
  } else {
    add_times(text, result->effect);
    add(text, "x stable's");
  }
  if (!result_interval(trial, result, &lower, &upper)) return;
  add(text, " [");
  add_times(text, lower);
  add(text, ", ");
  add_times(text, upper);
  add(text, "]");
}

static void add_share(struct text *text, const struct trial *trial,
                      const struct gate_result *result)
{
  double lower, upper;
  add(text, "%.3g%%", result->effect * 100);
  if (result_interval(trial, result, &lower, &upper))
    add(text, " [%.3g%%, %.3g%%]", lower * 100, upper * 100);
}

static void add_sample_ratio(struct text *text, const struct trial *trial,
                             const struct gate_result *result)
{
  double own = trial->last_weights[result->arm], all = 0;
  for (uint32_t arm = 0; arm < trial->n_arms; arm++) all += trial->last_weights[arm];
  if (m_is_nan(result->effect)) {
    add(text, "sample ratio not known yet");
    return;
  }
  add(text, "sample ratio: %s has ", arm_name(result->arm));
  add_share(text, trial, result);
  add(text, " of %" PRIu64 " units, not %.3g%%", result->n_c, all > 0 ? own / all * 100 : 0);
  if (result->state == GATE_HARM)
    add(text,
        "; suspects: timeouts that lose the record, retries that hit the other arm, caches "
        "that pass the draw by");
}

static void add_diff(struct text *text, const struct trial *trial, const struct gate_result *result)
{
  double lower, upper;
  add(text, "%s %+.3g", trial->plan.metric.name, result->effect);
  if (result_interval(trial, result, &lower, &upper)) add(text, " [%+.3g, %+.3g]", lower, upper);
  add(text, " beside stable");
  if (metric_relief(trial, result->arm, &lower, &upper))
    add(text, ", %.0f%% less variance by %s", lower * 100, trial->plan.metric.covariate.name);
}

static void add_prediction(struct text *text, const struct trial *trial,
                           const struct gate_result *result)
{
  double max = (double)trial->plan.gates[GATE_PREDICTION].max_e8 / PLAN_WHOLE;
  if (result->lane == LANE_INPUTS)
    add(text, "inputs differ between the arms, %s by psi %.2g: the draw is broken",
        trial->baseline.features[result->row].name, result->effect);
  else
    add(text, "answers shifted by psi %.2g, limit %.2g", result->effect, max);
}

static void add_drift(struct text *text, const struct trial *trial,
                      const struct gate_result *result)
{
  bool drifted = result->state == GATE_HARM;
  add(text, "%s: %s is psi %.2g from before the step, limit %.2g",
      drifted ? "input drift, in all arms alike" : "inputs",
      trial->baseline.features[result->row].name, result->effect,
      (double)trial->plan.gates[GATE_INPUT_DRIFT].max_e8 / PLAN_WHOLE);
}

/* "scores from 0.7 to 0.8: 50% of 100 came true, gap -0.25 [-0.36, -0.12], limit 0.05" */
static void add_calibration(struct text *text, const struct trial *trial,
                            const struct gate_result *result)
{
  const struct mean_arm *b = &trial->calibration[ARM_STABLE].at[result->row];
  double lower, upper, n = (double)result->n_c, gap_b = calibration_gap(b);
  add(text, "scores from %.1f to %.1f: %.3g%% of %" PRIu64 " came true, gap %+.2g",
      calibration_low(result->row), calibration_low(result->row + 1), (double)result->x_c / n * 100,
      result->n_c, result->effect);
  if (result_interval(trial, result, &lower, &upper)) add(text, " [%+.2g, %+.2g]", lower, upper);
  add(text, ", limit %.2g", (double)trial->plan.gates[GATE_CALIBRATION].max_e8 / PLAN_WHOLE);
  if (!m_is_nan(gap_b)) add(text, "; stable's %+.2g", gap_b);
}

static void gate_add(struct text *text, const struct trial *trial, const struct gate_result *result)
{
  const struct slow *slow = &trial->baseline.slow;
  uint32_t slack = trial->plan.gates[GATE_LATENCY].slack_us;
  switch (result->gate) {
    case GATE_ERRORS:
      add(text, "errors%s ",
          result->lane == LANE_KILLED ? ": a node's kill rule or the circuit breaker acted," : "");
      add_ratio(text, trial, result);
      break;
    case GATE_LATENCY:
      add(text, "answers over ");
      if (result->row < SLOW_ROWS) add_us(text, slow->us[result->row]);
      add(text, " (stable's %s", row_name(result->row));
      if (slack) add(text, " and %u us", slack);
      add(text, ") ");
      add_ratio(text, trial, result);
      break;
    case GATE_DISAGREEMENT:
      add(text, "disagreement ");
      add_share(text, trial, result);
      add(text, ", limit %.3g%%",
          (double)trial->plan.gates[GATE_DISAGREEMENT].max_e8 / PLAN_MILLION);
      break;
    case GATE_PREDICTION: add_prediction(text, trial, result); break;
    case GATE_SAMPLE_RATIO: add_sample_ratio(text, trial, result); break;
    case GATE_MEMORY:
      if (m_is_nan(result->effect))
        add(text, "memory not known yet");
      else
        add(text, "memory %.3gx stable's%s", result->effect,
            result->lane == LANE_SLOPE  ? " and growing"
            : result->lane == LANE_PEAK ? " inside of runs, in every minute"
                                        : "");
      break;
    case GATE_COST:
      add(text, "CPU per answer ");
      add_ratio(text, trial, result);
      break;
    case GATE_METRIC: add_diff(text, trial, result); break;
    case GATE_SEGMENTS:
      add(text, "segment %u: bad answers ", result->row);
      add_ratio(text, trial, result);
      break;
    case GATE_INPUT_DRIFT: add_drift(text, trial, result); break;
    case GATE_CALIBRATION: add_calibration(text, trial, result); break;
    case GATE_BUDGET:
      add(text, "harmed %.0f of %" PRIu64 " answers", result->effect, trial->plan.harm_budget);
      break;
    default:
      add(text, "%" PRIu64 " %s must approve", result->n_c, result->n_c == 1 ? "person" : "people");
      break;
  }
}

size_t gate_sentence(const struct trial *trial, const struct gate_result *result,
                     char to[EXPLAIN_TEXT_MAX])
{
  struct text text = {to, 0};
  to[0] = '\0';
  if (result->state == GATE_IDLE)
    add(&text, "%s: not judged here", gate_name(result->gate));
  else if (result->state == GATE_NO_DATA && m_is_nan(result->effect))
    add(&text, "%s: no data (%s)", gate_name(result->gate), no_data_reason_name(result->reason));
  else {
    if (trial->n_arms > ARM_MORE && !result->whole) add(&text, "%s: ", arm_name(result->arm));
    gate_add(&text, trial, result);
  }
  return text.len;
}

/* --- what is missing -------------------------------------------------------------------------- */

double gate_decides_in_s(const struct trial *trial, const struct gate_result *result)
{
  double s = (double)trial->step_ms / 1000;
  if (result->state != GATE_INCONCLUSIVE || m_is_nan(result->pass_log_e)) return M_NAN;
  if (!(result->pass_log_e > 0) || !(s > 0)) return M_NAN;
  return (result->pass_bar - result->pass_log_e) / (result->pass_log_e / s);
}

static void add_open(struct text *text, const struct trial *trial, const struct gate_result *result)
{
  double in_s = gate_decides_in_s(trial, result);
  if (result->gate == GATE_MEMORY) {
    add(text, "%d minutes with %d requests each, has %" PRIu64, SLOPE_MIN, SLOPE_REQUESTS_MIN,
        result->n_c);
  } else if (result->gate == GATE_PERSON) {
    add(text, "%" PRIu64 " %s to approve", result->n_c, result->n_c == 1 ? "person" : "people");
  } else if (!gate_must_pass(result->gate)) {
    add(text, "nothing: quiet is enough");
  } else {
    add(text, "proof of being no worse: evidence %.2f of %.2f", result->pass_log_e,
        result->pass_bar);
    if (m_is_nan(in_s))
      add(text, ", cannot say when");
    else
      add(text, ", about "), add_span(text, in_s), add(text, " at this rate");
  }
}

size_t gate_missing(const struct trial *trial, const struct gate_result *result,
                    char to[EXPLAIN_TEXT_MAX])
{
  struct text text = {to, 0};
  to[0] = '\0';
  switch (result->state) {
    case GATE_NO_DATA: add(&text, "%s", no_data_reason_text(result->reason)); break;
    case GATE_INCONCLUSIVE: add_open(&text, trial, result); break;
    case GATE_HARM: add(&text, "nothing: harm stays"); break;
    default: break;
  }
  return text.len;
}

/* --- the release ------------------------------------------------------------------------------ */

const char *verdict_rule(const struct verdict *verdict)
{
  switch (verdict->kind) {
    case VERDICT_HARM: return "a gate that rolls back says harm";
    case VERDICT_PAUSE: return "a gate that pauses says harm";
    case VERDICT_NO_DATA: return "missing data never advances a release";
    case VERDICT_PASSED: return "all gates passed, and time, requests and users are reached";
    case VERDICT_OVERDUE: return "the deadline is over and a gate is open";
    default: return "the step goes on";
  }
}

static void add_evidence(struct text *text, const struct gate_result *result)
{
  if (result->lane == LANE_BLOCKS)
    add(text, " (blocks: lower bound %.3g above 0, ", result->block_lower);
  else if (!m_is_nan(result->log_e))
    add(text, " (evidence %.2f of %.2f, test %s; ", result->log_e, result->bar,
        lane_name(result->lane));
  else
    add(text, " (");
  add(text, "%" PRIu64 " of %" PRIu64, result->x_c, result->n_c);
  if (result->n_b) add(text, " against %" PRIu64 " of %" PRIu64, result->x_b, result->n_b);
  add(text, ")");
  double first = first_bad_s(result);
  if (!m_is_nan(first)) add(text, ", since second %.0f", first);
  if (result->fired_look != UINT64_MAX)
    add(text, ", found %.0f s after the start", (double)result->fired_ms / 1000);
}

static void add_wait(struct text *text, const struct trial *trial, const struct verdict *verdict)
{
  const struct plan_step *step = &trial->plan.steps[trial->step];
  char missing[EXPLAIN_TEXT_MAX];
  if (!verdict->time_met) {
    add(text, ", ");
    add_span(text, (double)(step->for_ms - verdict->step_ms) / 1000);
    add(text, " to go");
  }
  if (!verdict->requests_met)
    add(text, ", %" PRIu64 " of %" PRIu64 " requests", verdict->step_requests, step->requests_min);
  if (!verdict->users_met)
    add(text, ", %" PRIu64 " of %" PRIu64 " users", verdict->step_users, step->users_min);
  if (!verdict->decided_by_gate) return;
  gate_missing(trial, &verdict->gates[verdict->by], missing);
  add(text, "; gate %s lacks %s", gate_name(verdict->by), missing);
}

/* Of a test with several candidates who is out, and who has won. */
static void add_arms(struct text *text, const struct trial *trial, const struct verdict *verdict)
{
  char why[EXPLAIN_TEXT_MAX];
  double lower, upper, diff;
  for (uint32_t arm = 0; arm < trial->n_arms; arm++) {
    if (!(verdict->closed & ARM_BIT(arm)) || trial->closed_by[arm].state == GATE_IDLE) continue;
    closed_sentence(trial, arm, why);
    add(text, "; out: %s", why);
  }
  if (verdict->winner == ARM_NONE) return;
  add(text, "; %s has won", arm_name(verdict->winner));
  if (verdict->winner == ARM_STABLE) return;
  if (!metric_interval(trial, verdict->winner, &diff, &lower, &upper)) return;
  add(text, ": %s %+.3g [%+.3g, %+.3g] beside stable", trial->plan.metric.name, diff, lower, upper);
}

size_t unwon_sentence(const struct trial *trial, const struct unwon *unwon,
                      char to[EXPLAIN_TEXT_MAX])
{
  struct text text = {to, 0};
  to[0] = '\0';
  add(&text, "nobody has won yet: ");
  if (unwon->what == UNWON_WEEKS)
    add(&text, "%.2g of %.0f weeks", unwon->have, unwon->want);
  else if (unwon->what == UNWON_USERS)
    add(&text, "%s has outcomes of %.0f users, and needs %.0f", arm_name(unwon->arm), unwon->have,
        unwon->want);
  else if (unwon->beside == ARM_NONE)
    add(&text, "the arms do not differ");
  else
    add(&text, "%s leads %s by %s %+.3g, and its interval [%+.3g, %+.3g] still includes zero",
        arm_name(unwon->arm), arm_name(unwon->beside), trial->plan.metric.name, unwon->diff,
        unwon->lower, unwon->upper);
  if (m_is_nan(unwon->in_s))
    add(&text, "; nobody can say when");
  else if (unwon->what == UNWON_WEEKS)
    add(&text, ", "), add_span(&text, unwon->in_s), add(&text, " to go");
  else
    add(&text, "; about "), add_span(&text, unwon->in_s), add(&text, " more at this rate");
  return text.len;
}

size_t closed_sentence(const struct trial *trial, uint32_t arm, char to[EXPLAIN_TEXT_MAX])
{
  const struct gate_result *by = &trial->closed_by[arm];
  struct text text = {to, 0};
  if (by->state == GATE_HARM) return gate_sentence(trial, by, to);
  to[0] = '\0';
  add(&text, "%s: its version could not be loaded again", arm_name(arm));
  return text.len;
}

size_t verdict_sentence(const struct trial *trial, const struct verdict *verdict,
                        char to[EXPLAIN_TEXT_MAX])
{
  struct text text = {to, 0};
  char gate[EXPLAIN_TEXT_MAX];
  to[0] = '\0';
  const struct gate_result *by = &verdict->gates[verdict->by];
  if (verdict->decided_by_gate) gate_sentence(trial, by, gate);
  switch (verdict->kind) {
    case VERDICT_HARM:
    case VERDICT_PAUSE:
      add(&text, "%s: %s", verdict->kind == VERDICT_HARM ? "harm" : "pause", gate);
      add_evidence(&text, by);
      break;
    case VERDICT_NO_DATA:
      add(&text, "no data, so it holds");
      if (verdict->decided_by_gate) {
        gate_missing(trial, by, gate);
        add(&text, ": gate %s lacks %s (%s)", gate_name(verdict->by), gate,
            no_data_reason_name(by->reason));
      }
      break;
    case VERDICT_PASSED: add(&text, "all gates passed"); break;
    case VERDICT_OVERDUE:
      add(&text, "the step's time is over%s",
          trial->plan.on_inconclusive == INCONCLUSIVE_ADVANCE
              ? ", the plan goes on without proof (on_inconclusive: advance)"
              : "");
      add_wait(&text, trial, verdict);
      break;
    default:
      add(&text, "undecided");
      if (trial->step < trial->plan.n_steps) add_wait(&text, trial, verdict);
      break;
  }
  add_arms(&text, trial, verdict);
  return text.len;
}
