/* eval.h - runs a rule against a context.
 * Thread: any, pure: the same rule, context and time give the same answer.
 *
 * A step is a node that is run or so many bytes that an operator reads or makes; a rule that would
 * take more than its budget ends in a fault and not in a long wait. Memory comes from the caller's
 * arena, whose cap is a budget, too. Functions call each other as deep as the rule is nested.
 * Values are as in json-logic-js; where it would throw, the value is null.
 * SPDX-License-Identifier: MIT */
#ifndef FLAG_EVAL_H
#define FLAG_EVAL_H

#include "flag/logic.h"

enum { SHARE_WHOLE = 100000000 };

enum eval_fault {
  EVAL_FINE,
  EVAL_STEPS,       /* the budget is spent */
  EVAL_MEMORY,      /* the arena is at its cap */
  EVAL_KEY_MISSING, /* `fractional` wants a targetingKey, the context has none */
};

struct eval {
  struct arena *arena;
  uint64_t steps; /* left */
  struct slice flag_key;
  const struct value *context; /* the whole, with $flagd: what `fractional` buckets by */
  enum eval_fault fault;       /* the first; the value means nothing then */
  /* A `fractional` was run: the last one's share of what it gave, in parts of SHARE_WHOLE. */
  bool drawn;
  uint32_t share;
};

/* The rule's value for eval->context. Lists and texts of it live in the arena, rule and context. */
struct value eval_run(struct eval *eval, const struct logic *rule);

#endif
