/* gate.c - what gates have in common: alphas, margins, rows of detectors and blocks as one gate.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "judge/gate.h"

#include "judge/judge_int.h"

double gate_alpha(const struct trial *trial, enum gate_id gate, uint32_t lanes, bool anew)
{
  double alpha = (double)trial->plan.gates[gate].alpha_e9 / PLAN_BILLION;
  double parts = (double)lanes * trial_treated(trial);
  if (anew && trial->live_steps > 1 && !trial_in_shadow(trial)) parts *= trial->live_steps;
  return alpha / parts;
}

double gate_bar(double alpha) { return -m_ln(alpha); }

double gate_margin(const struct trial *trial, enum gate_id gate)
{
  return (double)(trial->plan.gates[gate].margin_e6 - PLAN_MILLION) / PLAN_MILLION;
}

double gate_max(const struct trial *trial, enum gate_id gate)
{
  return (double)trial->plan.gates[gate].max_e8 / PLAN_WHOLE;
}

bool gate_has_lanes(const struct trial *trial, enum gate_id gate)
{
  return trial->plan.gates[gate].lanes == LANES_ALL;
}

/* How far the evidence is, as a part of its bar: what orders lanes, rows and arms. */
static double nearness(double log_e, double bar)
{
  double part = log_e / bar;
  return m_is_nan(part) ? -M_INF : part;
}

static bool is_worse(const struct gate_result *a, const struct gate_result *b)
{
  bool a_harm = a->state == GATE_HARM, b_harm = b->state == GATE_HARM;
  if (a_harm != b_harm) return a_harm;
  bool a_none = a->state == GATE_NO_DATA, b_none = b->state == GATE_NO_DATA;
  if (a_none != b_none) return a_none;
  bool a_pass = a->state == GATE_NON_INFERIOR, b_pass = b->state == GATE_NON_INFERIOR;
  if (a_pass != b_pass) return b_pass;
  return nearness(a->log_e, a->bar) > nearness(b->log_e, b->bar);
}

void gate_arms(const struct trial *trial, struct gate_result *result,
               struct gate_result (*judge)(const struct trial *trial, uint32_t arm,
                                           struct gate_result result))
{
  uint32_t arm = gate_arm(trial, 0);
  struct gate_result worst = judge(trial, arm, *result);
  while ((arm = gate_arm(trial, arm + 1)) < trial->n_arms) {
    struct gate_result other = judge(trial, arm, *result);
    if (is_worse(&other, &worst)) worst = other;
  }
  *result = worst;
}

bool counts_since(const struct trial *trial, uint32_t row, uint64_t look,
                  struct gate_result *result)
{
  uint64_t end = trial->looks_counted, x[2] = {0}, n[2] = {0};
  if (look >= end || end - look > TRIAL_LOOKS) return false;
  for (uint64_t i = look; i < end; i++) {
    const struct trial_counts *at = &trial->last[i % TRIAL_LOOKS];
    for (int arm = 0; arm < 2; arm++) {
      x[arm] += row == BASELINE_ERRORS ? at->errors[arm] : at->slow[row][arm];
      n[arm] += row == BASELINE_ERRORS ? at->requests[arm] : at->timed[arm];
    }
  }
  result->x_c = x[0], result->n_c = n[0];
  result->x_b = x[1], result->n_b = n[1];
  result->effect = count_ratio(x[0], n[0], x[1], n[1]);
  return true;
}

struct lane_says {
  double log_e, bar;
  uint32_t worst; /* row */
  uint32_t episodes;
  uint64_t first_bad, first_bad_ms;
};

bool within_slack(const struct trial *trial, uint32_t row, double share)
{
  return row < SLOW_ROWS && trial->plan.gates[GATE_LATENCY].slack_us && share < 1 - SLOW_Q[row];
}

/* The detectors of one lane, averaged over the rows used. A row within the slack says no more than
 * nothing: an e-value of 1 at most. */
static struct lane_says detectors_judge(const struct trial *trial,
                                        const struct detector *detectors, uint32_t rows,
                                        double alpha)
{
  struct lane_says says = {.bar = gate_bar(alpha),
                           .worst = UINT32_MAX,
                           .first_bad = UINT64_MAX,
                           .first_bad_ms = UINT64_MAX};
  double log_e[TRIAL_ROWS], worst = 0;
  uint32_t n = 0;
  for (uint32_t row = 0; row < TRIAL_ROWS; row++) {
    if (!(rows & 1u << row) || !trial->row_used[row]) continue;
    double row_e = detector_log_e(&detectors[row]);
    if (row_e > 0 && within_slack(trial, row, detector_share(&detectors[row]))) row_e = 0;
    log_e[n++] = row_e;
    if (detectors[row].episodes > says.episodes) says.episodes = detectors[row].episodes;
    if (says.worst != UINT32_MAX && !(row_e > worst)) continue;
    worst = row_e;
    says.worst = row;
    says.first_bad = detector_first_bad(&detectors[row], &says.first_bad_ms);
  }
  says.log_e = count_gate(log_e, n);
  return says;
}

static void lane_take(struct row_says *says, enum judge_lane lane, const struct lane_says *of)
{
  bool fires = of->log_e >= of->bar;
  if (says->harm) return;
  if (says->lane != LANE_NONE && !fires &&
      !(nearness(of->log_e, of->bar) > nearness(says->log_e, says->bar)))
    return;
  says->harm = fires;
  says->lane = lane;
  says->row = of->worst;
  says->log_e = of->log_e;
  says->bar = of->bar;
  says->first_bad = of->first_bad;
  says->first_bad_ms = of->first_bad_ms;
}

static void blocks_take(struct row_says *says, const struct trial *trial,
                        const struct trial_arm *at, uint32_t row)
{
  const struct block_bounds *bounds = &at->bounds[row];
  if (at->blocks[row].episodes > says->episodes) says->episodes = at->blocks[row].episodes;
  if (says->harm || bounds->says != BLOCK_HARM) return;
  if (within_slack(trial, row, detector_share(&at->ordinary[row]))) return;
  says->harm = true;
  says->lane = LANE_BLOCKS;
  says->row = row;
  says->first_bad = says->first_bad_ms = UINT64_MAX;
}

static void pass_take(struct row_says *says, const struct trial *trial, enum gate_id gate,
                      const struct trial_arm *at, uint32_t row)
{
  double log_e = detector_pass_log_e(&at->pass[row]);
  bool lanes = gate_has_lanes(trial, gate);
  bool passes =
      (lanes && log_e >= gate_bar(TRIAL_PASS_ALPHA)) || at->bounds[row].says == BLOCK_NON_INFERIOR;
  if (m_is_nan(says->pass_log_e) || log_e < says->pass_log_e) says->pass_log_e = log_e;
  says->pass = says->pass && passes;
}

struct row_says rows_judge(const struct trial *trial, enum gate_id gate, uint32_t arm,
                           uint32_t rows, uint32_t pass_rows)
{
  struct row_says says = {.pass = true,
                          .row = UINT32_MAX,
                          .log_e = M_NAN,
                          .bar = M_NAN,
                          .pass_log_e = M_NAN,
                          .lower = M_NAN,
                          .upper = M_NAN,
                          .first_bad = UINT64_MAX,
                          .first_bad_ms = UINT64_MAX,
                          .episodes = 1};
  const struct trial_arm *at = &trial->arms[arm];
  uint32_t can_pass = 0;
  for (uint32_t row = 0; row < TRIAL_ROWS; row++)
    if (rows & 1u << row && trial->row_used[row]) says.used++;
  if (!says.used) return says;
  if (gate_has_lanes(trial, gate)) {
    double alpha = gate_alpha(trial, gate, 2, false);
    struct lane_says fast =
        detectors_judge(trial, at->fast, rows, TRIAL_FAST_ALPHA / trial_treated(trial));
    struct lane_says slow = detectors_judge(trial, at->ordinary, rows, alpha);
    if (slow.episodes > says.episodes) says.episodes = slow.episodes;
    lane_take(&says, LANE_RESTARTED, &slow);
    lane_take(&says, LANE_FAST, &fast);
  }
  for (uint32_t row = 0; row < TRIAL_ROWS; row++) {
    if (!(rows & 1u << row) || !trial->row_used[row]) continue;
    blocks_take(&says, trial, at, row);
    if (!(pass_rows & 1u << row)) continue;
    if (row != BASELINE_ERRORS && !trial->baseline.slow.used[row]) continue;
    pass_take(&says, trial, gate, at, row);
    can_pass++;
  }
  if (!can_pass) says.pass = false;
  if (says.lane == LANE_NONE) says.lane = LANE_BLOCKS;
  if (says.row == UINT32_MAX)
    for (uint32_t row = 0; row < TRIAL_ROWS && says.row == UINT32_MAX; row++)
      if (rows & 1u << row && trial->row_used[row]) says.row = row;
  says.lower = at->bounds[says.row].lower;
  says.upper = at->bounds[says.row].upper;
  return says;
}
