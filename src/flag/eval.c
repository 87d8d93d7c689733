/* eval.c - the runner, and the operators that choose which of their arguments run.
 * Thread: any, pure.
 * node_run and the operators call each other as deep as the rule is nested: LOGIC_DEPTH_MAX.
 * SPDX-License-Identifier: MIT */
#include "flag/eval.h"

#include "flag/eval_int.h"

enum { ARGS_INLINE = 4 };

typedef struct value (*op_run)(struct eval *eval, const struct args *args,
                               const struct value *data);
typedef struct value (*lazy_run)(struct eval *eval, const struct logic *op,
                                 const struct value *data);

struct value eval_stop(struct eval *eval, enum eval_fault fault)
{
  if (eval->fault == EVAL_FINE) eval->fault = fault;
  return VALUE_OF_NULL;
}

bool eval_charge(struct eval *eval, uint64_t steps)
{
  if (eval->fault != EVAL_FINE) return false;
  if (steps > eval->steps) {
    eval_stop(eval, EVAL_STEPS);
    return false;
  }
  eval->steps -= steps;
  return true;
}

bool eval_list_add(struct eval *eval, struct value_list *list, const struct value *value)
{
  if (!eval_charge(eval, 1)) return false;
  if (value_list_add(list, eval->arena, value)) return true;
  eval_stop(eval, EVAL_MEMORY);
  return false;
}

/* --- choosing --------------------------------------------------------------------------------- */

static struct value lazy_if(struct eval *eval, const struct logic *op, const struct value *data)
{
  uint32_t i = 0;
  for (; i + 1 < op->n; i += 2) {
    struct value test = node_run(eval, &op->args[i], data);
    if (eval->fault) return VALUE_OF_NULL;
    if (value_is_true(&test)) return node_run(eval, &op->args[i + 1], data);
  }
  return i < op->n ? node_run(eval, &op->args[i], data) : VALUE_OF_NULL;
}

/* The first that is (or is not) true, else the last. */
static struct value first_that(struct eval *eval, const struct logic *op, const struct value *data,
                               bool wanted)
{
  struct value value = VALUE_OF_NULL;
  for (uint32_t i = 0; i < op->n; i++) {
    value = node_run(eval, &op->args[i], data);
    if (eval->fault || value_is_true(&value) == wanted) break;
  }
  return value;
}

static struct value lazy_and(struct eval *eval, const struct logic *op, const struct value *data)
{
  return first_that(eval, op, data, false);
}

static struct value lazy_or(struct eval *eval, const struct logic *op, const struct value *data)
{
  return first_that(eval, op, data, true);
}

/* --- over lists ------------------------------------------------------------------------------- */

static struct value lazy_filter(struct eval *eval, const struct logic *op, const struct value *data)
{
  struct value list = node_run(eval, &op->args[0], data);
  struct value_list kept = {0};
  if (list.kind != VALUE_LIST) return value_of_list(&kept);
  for (const struct value *item = list.first; item; item = item->next) {
    struct value test = node_run(eval, &op->args[1], item);
    if (eval->fault) return VALUE_OF_NULL;
    if (value_is_true(&test) && !eval_list_add(eval, &kept, item)) return VALUE_OF_NULL;
  }
  return value_of_list(&kept);
}

static struct value lazy_map(struct eval *eval, const struct logic *op, const struct value *data)
{
  struct value list = node_run(eval, &op->args[0], data);
  struct value_list made = {0};
  if (list.kind != VALUE_LIST) return value_of_list(&made);
  for (const struct value *item = list.first; item; item = item->next) {
    struct value value = node_run(eval, &op->args[1], item);
    if (!eval_list_add(eval, &made, &value)) return VALUE_OF_NULL;
  }
  return value_of_list(&made);
}

static struct value lazy_reduce(struct eval *eval, const struct logic *op, const struct value *data)
{
  struct value list = node_run(eval, &op->args[0], data), sum = VALUE_OF_NULL;
  if (op->n > 2) sum = node_run(eval, &op->args[2], data);
  if (list.kind != VALUE_LIST) return sum;
  for (const struct value *item = list.first; item && !eval->fault; item = item->next) {
    struct value_list scope = {0};
    struct value current = *item;
    current.key = SLICE("current");
    sum.key = SLICE("accumulator");
    if (!eval_list_add(eval, &scope, &current) || !eval_list_add(eval, &scope, &sum)) break;
    struct value map = value_of_list(&scope);
    map.kind = VALUE_MAP;
    sum = node_run(eval, &op->args[1], &map);
  }
  return sum;
}

/* Whether there is an item whose test comes out as `wanted`; *any: there was an item at all. */
static bool list_has(struct eval *eval, const struct logic *op, const struct value *data,
                     bool wanted, bool *any)
{
  struct value list = node_run(eval, &op->args[0], data);
  *any = list.kind == VALUE_LIST && list.first;
  if (!*any) return false;
  for (const struct value *item = list.first; item && !eval->fault; item = item->next) {
    struct value test = node_run(eval, &op->args[1], item);
    if (value_is_true(&test) == wanted) return true;
  }
  return false;
}

static struct value lazy_all(struct eval *eval, const struct logic *op, const struct value *data)
{
  bool any, has = list_has(eval, op, data, false, &any);
  return value_of_bool(any && !has);
}

static struct value lazy_none(struct eval *eval, const struct logic *op, const struct value *data)
{
  bool any, has = list_has(eval, op, data, true, &any);
  return value_of_bool(!has);
}

static struct value lazy_some(struct eval *eval, const struct logic *op, const struct value *data)
{
  bool any, has = list_has(eval, op, data, true, &any);
  return value_of_bool(has);
}

/* --- the runner ------------------------------------------------------------------------------- */

static const struct {
  op_run run;
  lazy_run lazy;
} rows[] = {
#define OP(name, id, least, most)   {op_##id, NULL},
#define LAZY(name, id, least, most) {NULL, lazy_##id},
#include "flag/ops.def"
#undef OP
#undef LAZY
};

static struct value op_eager(struct eval *eval, const struct logic *op, const struct value *data)
{
  struct value few[ARGS_INLINE], *all = few;
  if (op->n > ARGS_INLINE) all = arena_get(eval->arena, op->n * sizeof *all);
  if (!all) return eval_stop(eval, EVAL_MEMORY);
  for (uint32_t i = 0; i < op->n; i++) {
    all[i] = node_run(eval, &op->args[i], data);
    if (eval->fault) return VALUE_OF_NULL;
  }
  struct args args = {.at = all, .n = op->n};
  struct value value = rows[op->op].run(eval, &args, data);
  value.next = NULL;
  return value;
}

static struct value list_run(struct eval *eval, const struct logic *node, const struct value *data)
{
  struct value_list list = {0};
  for (uint32_t i = 0; i < node->n; i++) {
    struct value value = node_run(eval, &node->args[i], data);
    if (!eval_list_add(eval, &list, &value)) return VALUE_OF_NULL;
  }
  return value_of_list(&list);
}

struct value node_run(struct eval *eval, const struct logic *node, const struct value *data)
{
  if (!eval_charge(eval, 1)) return VALUE_OF_NULL;
  if (node->kind == LOGIC_VALUE) return node->value;
  if (node->kind == LOGIC_LIST) return list_run(eval, node, data);
  if (rows[node->op].lazy) return rows[node->op].lazy(eval, node, data);
  return op_eager(eval, node, data);
}

struct value eval_run(struct eval *eval, const struct logic *rule)
{
  struct value value = node_run(eval, rule, eval->context);
  return eval->fault ? VALUE_OF_NULL : value;
}
