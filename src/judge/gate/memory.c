/* memory.c - gate `memory`: has an instance grown beyond stable's, and is it growing?
 * Thread: any, pure.
 * Not measured (no look said how many bytes): the gate is idle, for it then has no say.
 * Source: release-statistics 10.
 * SPDX-License-Identifier: MIT */
#include "judge/judge_int.h"

static struct gate_result arm_judge(const struct trial *trial, uint32_t arm,
                                    struct gate_result result)
{
  const struct slope *c = &trial->slope[arm], *b = &trial->slope[ARM_STABLE];
  result.arm = arm;
  result.lane = LANE_LEVEL;
  result.effect_kind = EFFECT_GROWTH;
  result.n_c = c->windows, result.n_b = b->windows;
  if (!c->windows || !b->windows) {
    const struct trial_window *window = &trial->windows[arm];
    if (!c->windows && !window->n) result.state = GATE_IDLE;
    return result;
  }
  double level = slope_level(c), stable_level = slope_level(b);
  enum slope_says says = trial->memory[arm];
  result.effect = level / stable_level;
  result.x_c = (uint64_t)level, result.x_b = (uint64_t)stable_level;
  if (says == SLOPE_HARM_LEVEL || says == SLOPE_HARM_PEAK || says == SLOPE_HARM_SLOPE)
    result.state = GATE_HARM;
  if (says == SLOPE_HARM_SLOPE) result.lane = LANE_SLOPE;
  if (says == SLOPE_HARM_PEAK) {
    result.lane = LANE_PEAK;
    result.effect = c->peak_least / b->peak;
    result.x_c = (uint64_t)c->peak_least, result.x_b = (uint64_t)b->peak;
  }
  if (says == SLOPE_NON_INFERIOR) result.state = GATE_NON_INFERIOR;
  return result;
}

static void judge(const struct trial *trial, struct gate_result *result)
{
  gate_arms(trial, result, arm_judge);
}

const struct gate gate_memory = {.judge = judge};
