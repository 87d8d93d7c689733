/* person.c - gate `person`: how many must look before the step is left. Their answers are the
 * business of step.h; this says what is asked.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "judge/judge_int.h"

static void judge(const struct trial *trial, struct gate_result *result)
{
  uint32_t wanted =
      trial->plan.n_steps > trial->step ? trial->plan.steps[trial->step].approve_count : 0;
  result->n_c = wanted;
  if (!wanted) result->state = GATE_IDLE;
}

const struct gate gate_person = {.judge = judge};
