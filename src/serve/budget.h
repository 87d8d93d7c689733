/* budget.h - bytes that may be held at once, and how many are: one sum for all request bodies of a
 * loop, whoever holds them (calls, asks, answers that a slow reader has not taken).
 * Thread: its loop.
 * What was taken is given back once; budget_deinit crashes on a leak, for a loop that leaks its
 * budget ends up answering 503 for ever.
 * SPDX-License-Identifier: MIT */
#ifndef SERVE_BUDGET_H
#define SERVE_BUDGET_H

#include "base/err.h"

struct budget {
  uint64_t held, max;
};

static inline void budget_init(struct budget *budget, uint64_t max)
{
  *budget = (struct budget){.max = max};
}
static inline void budget_deinit(const struct budget *budget) { must(budget->held == 0); }

/* E_OVERLOADED when so many more are too many now. */
CHECKED enum code budget_check(const struct budget *budget, uint64_t bytes, struct err *err);
/* As above; nothing is taken then. */
CHECKED enum code budget_take(struct budget *budget, uint64_t bytes, struct err *err);
static inline void budget_give(struct budget *budget, uint64_t bytes)
{
  must(bytes <= budget->held);
  budget->held -= bytes;
}

#endif
