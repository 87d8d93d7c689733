/* logic.c - rules into trees.
 * Thread: any, pure.
 * node_make and those it calls go as deep as the rule is nested: LOGIC_DEPTH_MAX at most.
 * SPDX-License-Identifier: MIT */
#include "flag/logic.h"

static const struct {
  const char *name;
  int least, most;
} rows[] = {
#define OP(name, id, least, most)   {name, least, most},
#define LAZY(name, id, least, most) {name, least, most},
#include "flag/ops.def"
#undef OP
#undef LAZY
};

enum { N_ROWS = sizeof rows / sizeof *rows };

struct maker {
  const struct value *evaluators;
  struct arena *arena;
  struct logic_facts *facts;
  struct err *err;
};

static enum code node_make(struct maker *maker, const struct value *value, uint32_t depth,
                           struct logic *to);

static uint32_t row_named(struct slice name)
{
  uint32_t i = 0;
  while (i < N_ROWS && !slice_eq(name, slice_str(rows[i].name))) i++;
  return i;
}

static bool row_is(uint32_t row, const char *name) { return !strcmp(rows[row].name, name); }

/* --- what some operators want of arguments that are written out ------------------------------- */

/* Whether what this `var` reads may be the time: its path is computed, or leads there. */
static bool var_reads_time(const struct logic *op)
{
  if (op->n == 0) return true;
  const struct logic *path = &op->args[0];
  if (path->kind != LOGIC_VALUE) return true;
  if (path->value.kind != VALUE_STRING) return path->value.kind == VALUE_NULL;
  struct slice text = path->value.text;
  return !text.len || slice_eq(text, SLICE("$flagd")) || slice_eq(text, SLICE("$flagd.timestamp"));
}

static enum code weight_check(const struct logic *weight, int64_t *total, struct err *err)
{
  const struct value *value = &weight->value;
  if (weight->kind != LOGIC_VALUE) return OK; /* computed */
  if (value->kind == VALUE_NULL) {
    ++*total;
    return OK;
  }
  if (value->kind != VALUE_NUMBER || value->number < 0 || value->number > (double)WEIGHTS_MAX ||
      value->number != (double)(int64_t)value->number)
    return fail(err, E_INVALID_ARGUMENT,
                "a weight of 'fractional' is not a whole number from 0 to %lld",
                (long long)WEIGHTS_MAX);
  *total += (int64_t)value->number;
  return OK;
}

/* [[variant, weight], ...] or [text, [variant, weight], ...]; what is computed is not looked at. */
static enum code fractional_check(const struct logic *op, struct err *err)
{
  int64_t total = 0;
  for (uint32_t i = 0; i < op->n; i++) {
    const struct logic *entry = &op->args[i];
    bool list = entry->kind == LOGIC_LIST ||
                (entry->kind == LOGIC_VALUE && entry->value.kind == VALUE_LIST);
    if (i == 0 && (entry->kind == LOGIC_OP ||
                   (entry->kind == LOGIC_VALUE && entry->value.kind == VALUE_STRING)))
      continue;
    if (!list || entry->n < 1 || entry->n > 2)
      return fail(err, E_INVALID_ARGUMENT,
                  "'fractional' takes pairs like [\"on\", 5], and only its first argument may be a "
                  "text to bucket by");
    if (entry->n == 1)
      total++;
    else if (weight_check(&entry->args[1], &total, err))
      return err ? err->code : E_INVALID_ARGUMENT;
  }
  if (total <= WEIGHTS_MAX) return OK;
  return fail(err, E_INVALID_ARGUMENT, "the weights of a 'fractional' add up to %lld, over %lld",
              (long long)total, (long long)WEIGHTS_MAX);
}

static enum code op_check(struct maker *maker, const struct logic *op)
{
  int least = rows[op->op].least, most = rows[op->op].most;
  struct err *err = maker->err;
  if (row_is(op->op, "var") && var_reads_time(op)) maker->facts->uses_time = true;
  if (op->n < (uint32_t)least || (most >= 0 && op->n > (uint32_t)most)) {
    if (most < 0)
      return fail(err, E_INVALID_ARGUMENT, "'%s' has %u arguments, it takes at least %d",
                  rows[op->op].name, op->n, least);
    return fail(err, E_INVALID_ARGUMENT, "'%s' has %u arguments, it takes %d to %d",
                rows[op->op].name, op->n, least, most);
  }
  return row_is(op->op, "fractional") ? fractional_check(op, err) : OK;
}

/* --- nodes ------------------------------------------------------------------------------------ */

static enum code args_make(struct maker *maker, const struct value *first, uint32_t n,
                           uint32_t depth, struct logic *to)
{
  struct logic *args = n ? arena_zero(maker->arena, n, sizeof *args) : NULL;
  if (n && !args) return fail(maker->err, E_OUT_OF_MEMORY, "the rules take too much memory");
  to->args = args;
  to->n = n;
  for (uint32_t i = 0; i < n; i++, first = first->next) {
    enum code code = node_make(maker, first, depth, &args[i]);
    if (code) return code;
  }
  return OK;
}

static enum code ref_make(struct maker *maker, const struct value *name, uint32_t depth,
                          struct logic *to)
{
  if (name->kind != VALUE_STRING)
    return fail(maker->err, E_WRONG_TYPE, "'$ref' is %s, it takes a name of $evaluators",
                value_kind_name(name->kind));
  const struct value *rule = value_get(maker->evaluators, name->text);
  if (!rule)
    return fail(maker->err, E_INVALID_ARGUMENT, "$evaluators has no '%.*s' that $ref asks for",
                SLICE_ARG(name->text));
  return node_make(maker, rule, depth + 1, to); /* or a circle would never end */
}

static enum code op_make(struct maker *maker, const struct value *map, uint32_t depth,
                         struct logic *to)
{
  const struct value *member = map->first;
  if (slice_eq(member->key, SLICE("$ref"))) return ref_make(maker, member, depth, to);
  uint32_t row = row_named(member->key);
  if (row == N_ROWS)
    return fail(maker->err, E_INVALID_ARGUMENT, "there is no operator '%.*s'",
                SLICE_ARG(member->key));
  to->kind = LOGIC_OP;
  to->op = row;
  bool list = member->kind == VALUE_LIST;
  enum code code =
      args_make(maker, list ? member->first : member, list ? member->n : 1, depth + 1 + list, to);
  return code ? code : op_check(maker, to);
}

static enum code node_make(struct maker *maker, const struct value *value, uint32_t depth,
                           struct logic *to)
{
  if (++maker->facts->nodes > LOGIC_NODES_MAX)
    return fail(maker->err, E_LIMIT_EXCEEDED, "the rule has more than %d values", LOGIC_NODES_MAX);
  if (depth > LOGIC_DEPTH_MAX)
    return fail(maker->err, E_JSON_TOO_DEEP,
                "the rule is nested deeper than %d levels, or refers to itself", LOGIC_DEPTH_MAX);
  *to = (struct logic){.kind = LOGIC_VALUE, .value = *value};
  to->value.next = NULL;
  if (value->kind == VALUE_MAP && value->n == 1) return op_make(maker, value, depth, to);
  if (value->kind != VALUE_LIST) return OK;
  enum code code = args_make(maker, value->first, value->n, depth + 1, to);
  bool computed = false;
  for (uint32_t i = 0; !code && i < to->n; i++) computed |= to->args[i].kind != LOGIC_VALUE;
  if (computed) to->kind = LOGIC_LIST; /* else it is itself: nothing of it is to be run */
  return code;
}

enum code logic_make(const struct value *rule, const struct value *evaluators, struct arena *arena,
                     struct logic_facts *facts, struct logic *to, struct err *err)
{
  struct maker maker = {.evaluators = evaluators, .arena = arena, .facts = facts, .err = err};
  return node_make(&maker, rule, 0, to);
}
