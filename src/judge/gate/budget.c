/* budget.c - gate `budget`: how many answers has this release harmed, beyond what stable would have
 * harmed?
 * Thread: any, pure.
 * Source: release-features 4.
 * SPDX-License-Identifier: MIT */
#include "judge/judge_int.h"

static void judge(const struct trial *trial, struct gate_result *result)
{
  result->lane = LANE_SPENT;
  result->whole = true;
  result->effect_kind = EFFECT_ANSWERS;
  result->effect = trial->harmed > 0 ? trial->harmed : 0;
  result->x_c = (uint64_t)result->effect;
  result->n_c = trial->plan.harm_budget;
  if (trial->harmed > 0 && trial->harmed >= (double)trial->plan.harm_budget)
    result->state = GATE_HARM;
}

const struct gate gate_budget = {.judge = judge};
