/* budget.c - taking from a budget.
 * Thread: its loop.
 * SPDX-License-Identifier: MIT */
#include "serve/budget.h"

enum code budget_check(const struct budget *budget, uint64_t bytes, struct err *err)
{
  if (bytes <= budget->max - budget->held) return OK;
  return fail(err, E_NO_CAPACITY, "too many request bodies are in work at once; retry in a moment");
}

enum code budget_take(struct budget *budget, uint64_t bytes, struct err *err)
{
  if (budget_check(budget, bytes, err)) return err->code;
  budget->held += bytes;
  return OK;
}
