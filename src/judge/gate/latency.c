/* latency.c - gate `latency`: does the candidate answer late more often than stable does just now?
 * Thread: any, pure.
 * Late at four thresholds of stable's own past; their e-values are averaged. p50, p90 and p99 must
 * each pass, p99.9 judges harm only. Without any threshold there is no data.
 * Source: release-statistics 3, 5, 6.
 * SPDX-License-Identifier: MIT */
#include "judge/judge_int.h"

enum { ROWS = (1 << SLOW_ROWS) - 1, PASS_ROWS = (1 << SLOW_PASS_ROWS) - 1 };

static struct gate_result arm_judge(const struct trial *trial, uint32_t arm,
                                    struct gate_result result)
{
  const struct look_arm *c = &trial->totals[arm], *b = &trial->totals[ARM_STABLE];
  struct row_says says = rows_judge(trial, GATE_LATENCY, arm, ROWS, PASS_ROWS);
  result.arm = arm;
  if (!says.used) {
    result.state = GATE_NO_DATA;
    result.reason = WITHOUT_QUANTILE_WITHOUT_HISTORY;
    return result;
  }
  result.lane = says.lane;
  result.row = says.row;
  result.log_e = says.log_e;
  result.bar = says.bar;
  result.pass_log_e = says.pass_log_e;
  result.pass_bar = gate_bar(TRIAL_PASS_ALPHA);
  result.block_lower = says.lower;
  result.block_upper = says.upper;
  result.first_bad_look = says.first_bad;
  result.first_bad_ms = says.first_bad_ms;
  result.episodes = says.episodes;
  result.effect_kind = EFFECT_RATIO;
  result.effect = count_ratio(c->slow[says.row], c->timed, b->slow[says.row], b->timed);
  result.x_c = c->slow[says.row], result.n_c = c->timed;
  result.x_b = b->slow[says.row], result.n_b = b->timed;
  if (says.harm && arm == ARM_CANDIDATE && says.lane != LANE_BLOCKS)
    counts_since(trial, says.row, says.first_bad, &result);
  if (says.harm)
    result.state = GATE_HARM;
  else if (says.pass)
    result.state = GATE_NON_INFERIOR;
  if (result.state == GATE_INCONCLUSIVE && !trial->baseline.slow.rows) {
    result.state = GATE_NO_DATA;
    result.reason = WITHOUT_QUANTILE_WITHOUT_HISTORY;
  }
  return result;
}

static void judge(const struct trial *trial, struct gate_result *result)
{
  gate_arms(trial, result, arm_judge);
}

const struct gate gate_latency = {.judge = judge};
