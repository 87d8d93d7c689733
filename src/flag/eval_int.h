/* eval_int.h - what eval.c and the operators share. Room-internal.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#ifndef FLAG_EVAL_INT_H
#define FLAG_EVAL_INT_H

#include "flag/eval.h"

/* Arguments that have been run. One that was not given reads as VALUE_NONE. */
struct args {
  const struct value *at;
  uint32_t n;
};

static inline struct value arg(const struct args *args, uint32_t i)
{
  return i < args->n ? args->at[i] : (struct value){.kind = VALUE_NONE};
}

/* data: what `var` reads in this place. */
struct value node_run(struct eval *eval, const struct logic *node, const struct value *data);
/* Takes steps off the budget; false, and a fault, when it is spent. */
bool eval_charge(struct eval *eval, uint64_t steps);
struct value eval_stop(struct eval *eval, enum eval_fault fault); /* null */
bool eval_list_add(struct eval *eval, struct value_list *list, const struct value *value);

bool value_is_true(const struct value *value);
/* A value as a text: String(value) of ECMAScript; null and nothing are "" inside lists and
 * joins. */
struct slice value_text(struct eval *eval, const struct value *value);
double value_number(struct eval *eval, const struct value *value);

#define OP(name, id, least, most) \
  struct value op_##id(struct eval *eval, const struct args *args, const struct value *data);
#define LAZY(name, id, least, most)
#include "flag/ops.def"
#undef OP
#undef LAZY

#endif
