/* gates_rig.h - one trial of a canary of half an hour, and looks made by hand for it.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#ifndef GATES_RIG_H
#define GATES_RIG_H

#include "judge/explain.h"
#include "judge_rig.h"

static struct trial trial;
static struct look look;
static struct verdict verdict;

#define EXPECT_NEAR(got, want)                                                               \
  do {                                                                                       \
    double got_ = (got), want_ = (want);                                                     \
    double most_ = 1e-9 * fabs(want_) > 1e-7 ? 1e-9 * fabs(want_) : 1e-7;                    \
    if (!(fabs(got_ - want_) <= most_)) {                                                    \
      printf("%s:%d: %s is %.12g, expected %.12g\n", __FILE__, __LINE__, #got, got_, want_); \
      test_failures++;                                                                       \
    }                                                                                        \
  } while (0)

static inline struct plan half_hour(enum step_kind kind, uint32_t weight)
{
  struct plan plan;
  plan_default(&plan, kind == STEP_SHADOW ? STRATEGY_SHADOW : STRATEGY_CANARY);
  plan.n_steps = 1;
  plan.steps[0] =
      (struct plan_step){.kind = kind, .weight = weight, .for_ms = 1800000, .deadline_ms = 1800000};
  plan.keep_previous_warm_ms = 1800000; /* 3,600 looks: 60 restarts */
  return plan;
}

static inline void begin(const struct plan *plan)
{
  struct baseline baseline = rig_baseline();
  trial_begin(&trial, plan);
  trial_step_begin(&trial, 0, &baseline);
}

static inline void look_begin(double share)
{
  look_init(&look, trial.looks, 2);
  look.elapsed_ms = 1000;
  look.loaded_ms = 60000;
  look.weights[ARM_CANDIDATE] = (uint32_t)(share * PLAN_WHOLE + 0.5);
  look.weights[ARM_STABLE] = PLAN_WHOLE - look.weights[ARM_CANDIDATE];
  look.arms[ARM_CANDIDATE].requests = look.arms[ARM_STABLE].requests = 1000;
}

static inline void errors(int times, uint64_t c, uint64_t b, double share)
{
  for (int i = 0; i < times; i++) {
    look_begin(share);
    look.arms[ARM_CANDIDATE].errors = c;
    look.arms[ARM_STABLE].errors = b;
    trial_look(&trial, &look, &verdict);
  }
}

#endif
