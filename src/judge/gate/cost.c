/* cost.c - gate `cost`: does an answer of the candidate take more CPU time than one of stable's?
 * Thread: any, pure.
 * CPU time is no count, so only blocks speak: D = cpu per answer minus (1 + m) times stable's, over
 * the answers that were measured. Not measured in an arm (a version whose runs use threads of the
 * engine's own): the gate is idle, for it then has no say. Nor has it where one arm has more than
 * four times the other's traffic: who runs seldom finds colder caches and smaller batches, and an
 * equal version at 5 % took 1.4 times the time.
 * Source: release-statistics 6.
 * SPDX-License-Identifier: MIT */
#include "judge/judge_int.h"

static struct gate_result arm_judge(const struct trial *trial, uint32_t arm,
                                    struct gate_result result)
{
  const struct look_arm *c = &trial->totals[arm], *b = &trial->totals[ARM_STABLE];
  const struct block_bounds *bounds = &trial->arms[arm].bounds[TRIAL_ROW_COST];
  result.arm = arm;
  result.lane = LANE_BLOCKS;
  result.block_lower = bounds->lower;
  result.block_upper = bounds->upper;
  result.episodes = trial->arms[arm].blocks[TRIAL_ROW_COST].episodes;
  result.effect_kind = EFFECT_RATIO;
  result.x_c = c->cpu_us, result.n_c = c->costed;
  result.x_b = b->cpu_us, result.n_b = b->costed;
  result.effect = count_ratio(result.x_c, result.n_c, result.x_b, result.n_b);
  if (c->requests > c->errors && !c->costed) result.state = GATE_IDLE;
  if (b->requests > b->errors && !b->costed) result.state = GATE_IDLE;
  if (!cost_is_alike(trial, trial->last_weights, trial->last_copied, arm))
    result.state = GATE_IDLE;
  if (bounds->says == BLOCK_HARM) result.state = GATE_HARM;
  if (bounds->says == BLOCK_NON_INFERIOR) result.state = GATE_NON_INFERIOR;
  return result;
}

static void judge(const struct trial *trial, struct gate_result *result)
{
  gate_arms(trial, result, arm_judge);
}

const struct gate gate_cost = {.judge = judge};
