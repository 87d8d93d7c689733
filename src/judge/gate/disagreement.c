/* disagreement.c - gate `disagreement`: how often does the shadow answer otherwise than stable?
 * Thread: any, pure.
 * Source: release-statistics 8.
 * SPDX-License-Identifier: MIT */
#include "judge/judge_int.h"

static void judge(const struct trial *trial, struct gate_result *result)
{
  double limit = gate_max(trial, GATE_DISAGREEMENT);
  uint64_t pairs = agree_pairs(&trial->agree);
  result->lane = LANE_COUNT_ALL;
  result->log_e = agree_log_e(&trial->agree, limit, COUNT_HARM);
  result->bar = gate_bar(gate_alpha(trial, GATE_DISAGREEMENT, 1, false));
  result->pass_log_e = agree_log_e(&trial->agree, limit, COUNT_PASS);
  result->pass_bar = gate_bar(TRIAL_PASS_ALPHA);
  result->effect_kind = EFFECT_SHARE;
  result->effect = agree_mean(&trial->agree);
  result->x_c = pairs - trial->agree.at[0];
  result->n_c = pairs;
  if (!pairs) {
    result->state = GATE_NO_DATA;
    result->reason = WITHOUT_NO_CANDIDATE_REQUESTS;
  } else if (result->log_e >= result->bar) {
    result->state = GATE_HARM;
  } else if (result->pass_log_e >= result->pass_bar) {
    result->state = GATE_NON_INFERIOR;
  }
}

const struct gate gate_disagreement = {.judge = judge};
