/* plan_int.h - the words of plans, shared by the reader, the checker and the writer.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#ifndef JUDGE_PLAN_INT_H
#define JUDGE_PLAN_INT_H

#include "judge/plan.h"

/* NULL-terminated, in the order of their enums. */
extern const char *const plan_strategy_words[], *const plan_kind_words[], *const plan_role_words[];
extern const char *const plan_lanes_words[], *const plan_act_words[], *const plan_alike_words[];
extern const char *const plan_inconclusive_words[];
extern const char *const plan_quantile_words[]; /* "50" "90" "99" "99.9" */

/* Which settings a gate has beside the common ones (alpha, on_harm, dry_run). */
enum {
  SET_MARGIN = 1 << 0,
  SET_FLOOR = 1 << 1,
  SET_MAX = 1 << 2,
  SET_LANES = 1 << 3,
  SET_QUANTILES = 1 << 4,
  SET_ALPHA = 1 << 5,
  SET_ACT = 1 << 6,
};
struct plan_gate_words {
  unsigned sets;
  const char *max_key; /* "max", "max_growth", "max_loss" */
  bool max_is_number;  /* 0.10, not 10% */
};
extern const struct plan_gate_words plan_gate_words[GATE_COUNT];

#endif
