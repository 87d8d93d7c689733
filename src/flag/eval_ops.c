/* eval_ops.c - the operators of JsonLogic, and those that flagd adds.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include <math.h>

#include "base/text.h"
#include "base/utf8.h"
#include "flag/eval_int.h"
#include "flag/number.h"
#include "flag/semver.h"
#include "stat/assign.h"

enum { BYTES_A_STEP = 64 };

/* --- values as other kinds -------------------------------------------------------------------- */

bool value_is_true(const struct value *value)
{
  switch (value->kind) {
    case VALUE_NONE:
    case VALUE_NULL: return false;
    case VALUE_BOOL: return value->yes;
    case VALUE_NUMBER: return value->number != 0 && !isnan(value->number);
    case VALUE_STRING: return value->text.len > 0;
    case VALUE_LIST: return value->first != NULL;
    case VALUE_MAP: return true;
  }
  return false;
}

static bool is_nothing(const struct value *value)
{
  return value->kind == VALUE_NONE || value->kind == VALUE_NULL;
}

/* A text under construction at the end of the arena. */
struct text {
  struct eval *eval;
  char *at;
  size_t len, cap;
};

static bool text_put(struct text *text, struct slice bytes)
{
  if (!bytes.len) return true;
  if (!eval_charge(text->eval, bytes.len / BYTES_A_STEP)) return false;
  if (text->len + bytes.len > text->cap) {
    size_t cap = 2 * (text->len + bytes.len) + 32;
    char *more = arena_grow(text->eval->arena, text->at, text->cap, cap);
    if (!more) {
      eval_stop(text->eval, EVAL_MEMORY);
      return false;
    }
    text->at = more;
    text->cap = cap;
  }
  memcpy(text->at + text->len, bytes.at, bytes.len);
  text->len += bytes.len;
  return true;
}

static bool scalar_put(struct text *text, const struct value *value)
{
  char number[NUMBER_TEXT_MAX];
  switch (value->kind) {
    case VALUE_BOOL: return text_put(text, value->yes ? SLICE("true") : SLICE("false"));
    case VALUE_NUMBER: return text_put(text, slice_of(number, number_text(value->number, number)));
    case VALUE_STRING: return text_put(text, value->text);
    case VALUE_MAP: return text_put(text, SLICE("[object Object]"));
    default: return true;
  }
}

/* Lists: their items with commas between, lists in them the same way. */
static bool list_put(struct text *text, const struct value *list)
{
  const struct value *open[VALUE_DEPTH_MAX], *item = list->first;
  uint32_t depth = 0;
  while (item) {
    if (!eval_charge(text->eval, 1)) return false;
    if (item->kind == VALUE_LIST && item->first) {
      if (depth == VALUE_DEPTH_MAX) {
        eval_stop(text->eval, EVAL_MEMORY);
        return false;
      }
      open[depth++] = item;
      item = item->first;
      continue;
    }
    if (!scalar_put(text, item)) return false;
    while (!item->next && depth) item = open[--depth];
    if (item->next && !text_put(text, SLICE(","))) return false;
    item = item->next;
  }
  return true;
}

static bool value_put(struct text *text, const struct value *value)
{
  return value->kind == VALUE_LIST ? list_put(text, value) : scalar_put(text, value);
}

struct slice value_text(struct eval *eval, const struct value *value)
{
  struct text text = {.eval = eval};
  if (value->kind == VALUE_STRING) return value->text;
  if (value->kind == VALUE_NULL) return SLICE("null");
  if (value->kind == VALUE_NONE) return SLICE("undefined");
  return value_put(&text, value) ? slice_of(text.at ? text.at : "", text.len) : SLICE("");
}

double value_number(struct eval *eval, const struct value *value)
{
  switch (value->kind) {
    case VALUE_NONE: return (double)NAN;
    case VALUE_NULL: return 0;
    case VALUE_BOOL: return value->yes;
    case VALUE_NUMBER: return value->number;
    default: return number_of_text(value_text(eval, value));
  }
}

/* The number a value begins with, as "+" and "*" read it. */
static double value_prefix(struct eval *eval, const struct value *value)
{
  if (value->kind == VALUE_NUMBER) return value->number;
  return number_prefix(value_text(eval, value));
}

/* --- comparing -------------------------------------------------------------------------------- */

static bool is_tree(const struct value *value)
{
  return value->kind == VALUE_LIST || value->kind == VALUE_MAP;
}

/* Without conversion. Lists and maps are equal to themselves only. */
static bool same(const struct value *a, const struct value *b)
{
  if (a->kind != b->kind) return is_nothing(a) && is_nothing(b) && a->kind == b->kind;
  switch (a->kind) {
    case VALUE_BOOL: return a->yes == b->yes;
    case VALUE_NUMBER: return a->number == b->number;
    case VALUE_STRING: return slice_eq(a->text, b->text);
    case VALUE_LIST:
    case VALUE_MAP: return a->first && a->first == b->first;
    default: return true;
  }
}

static bool equal(struct eval *eval, const struct value *a, const struct value *b)
{
  if (is_nothing(a) || is_nothing(b)) return is_nothing(a) && is_nothing(b);
  if (a->kind == b->kind) return same(a, b);
  bool a_text = a->kind == VALUE_STRING || is_tree(a),
       b_text = b->kind == VALUE_STRING || is_tree(b);
  if (a_text && b_text && !(is_tree(a) && is_tree(b)))
    return slice_eq(value_text(eval, a), value_text(eval, b));
  if (is_tree(a) && is_tree(b)) return false;
  return value_number(eval, a) == value_number(eval, b);
}

struct value op_equal(struct eval *eval, const struct args *args, const struct value *data)
{
  (void)data;
  struct value a = arg(args, 0), b = arg(args, 1);
  return value_of_bool(equal(eval, &a, &b));
}

struct value op_unequal(struct eval *eval, const struct args *args, const struct value *data)
{
  struct value value = op_equal(eval, args, data);
  return value_of_bool(!value.yes);
}

struct value op_same(struct eval *eval, const struct args *args, const struct value *data)
{
  (void)eval, (void)data;
  struct value a = arg(args, 0), b = arg(args, 1);
  return value_of_bool(same(&a, &b));
}

struct value op_other(struct eval *eval, const struct args *args, const struct value *data)
{
  struct value value = op_same(eval, args, data);
  return value_of_bool(!value.yes);
}

/* Texts by their bytes, all else as numbers. */
static bool in_order(struct eval *eval, const struct value *a, const struct value *b, bool or_equal)
{
  bool a_text = a->kind == VALUE_STRING || is_tree(a),
       b_text = b->kind == VALUE_STRING || is_tree(b);
  if (!a_text || !b_text) {
    double x = value_number(eval, a), y = value_number(eval, b);
    return or_equal ? x <= y : x < y;
  }
  struct slice x = value_text(eval, a), y = value_text(eval, b);
  int order = slice_order(x, y);
  return or_equal ? order <= 0 : order < 0;
}

static struct value between(struct eval *eval, const struct args *args, bool or_equal)
{
  struct value a = arg(args, 0), b = arg(args, 1), c = arg(args, 2);
  bool yes = in_order(eval, &a, &b, or_equal);
  if (yes && args->n > 2) yes = in_order(eval, &b, &c, or_equal);
  return value_of_bool(yes);
}

struct value op_below(struct eval *eval, const struct args *args, const struct value *data)
{
  (void)data;
  return between(eval, args, false);
}

struct value op_at_most(struct eval *eval, const struct args *args, const struct value *data)
{
  (void)data;
  return between(eval, args, true);
}

struct value op_above(struct eval *eval, const struct args *args, const struct value *data)
{
  (void)data;
  struct value a = arg(args, 0), b = arg(args, 1);
  return value_of_bool(in_order(eval, &b, &a, false));
}

struct value op_at_least(struct eval *eval, const struct args *args, const struct value *data)
{
  (void)data;
  struct value a = arg(args, 0), b = arg(args, 1);
  return value_of_bool(in_order(eval, &b, &a, true));
}

struct value op_not(struct eval *eval, const struct args *args, const struct value *data)
{
  (void)eval, (void)data;
  struct value a = arg(args, 0);
  return value_of_bool(!value_is_true(&a));
}

struct value op_truth(struct eval *eval, const struct args *args, const struct value *data)
{
  (void)eval, (void)data;
  struct value a = arg(args, 0);
  return value_of_bool(value_is_true(&a));
}

/* --- numbers ---------------------------------------------------------------------------------- */

struct value op_add(struct eval *eval, const struct args *args, const struct value *data)
{
  (void)data;
  double sum = 0;
  for (uint32_t i = 0; i < args->n; i++) sum += value_prefix(eval, &args->at[i]);
  return value_of_number(sum);
}

struct value op_multiply(struct eval *eval, const struct args *args, const struct value *data)
{
  (void)data;
  if (args->n == 1) return args->at[0];
  double product = 1;
  for (uint32_t i = 0; i < args->n; i++) product *= value_prefix(eval, &args->at[i]);
  return value_of_number(product);
}

struct value op_subtract(struct eval *eval, const struct args *args, const struct value *data)
{
  (void)data;
  struct value a = arg(args, 0), b = arg(args, 1);
  double x = value_number(eval, &a);
  return value_of_number(args->n < 2 ? -x : x - value_number(eval, &b));
}

struct value op_divide(struct eval *eval, const struct args *args, const struct value *data)
{
  (void)data;
  struct value a = arg(args, 0), b = arg(args, 1);
  double x = value_number(eval, &a), y = value_number(eval, &b);
  return value_of_number(x / y); /* by zero: an infinity or NaN, as IEEE 754 has it */
}

struct value op_modulo(struct eval *eval, const struct args *args, const struct value *data)
{
  (void)data;
  struct value a = arg(args, 0), b = arg(args, 1);
  return value_of_number(fmod(value_number(eval, &a), value_number(eval, &b)));
}

static struct value extreme(struct eval *eval, const struct args *args, double sign)
{
  double best = -sign * (double)INFINITY;
  for (uint32_t i = 0; i < args->n; i++) {
    double number = value_number(eval, &args->at[i]);
    if (isnan(number)) return value_of_number(number);
    if (sign * number > sign * best) best = number;
  }
  return value_of_number(best);
}

struct value op_least(struct eval *eval, const struct args *args, const struct value *data)
{
  (void)data;
  return extreme(eval, args, -1);
}

struct value op_most(struct eval *eval, const struct args *args, const struct value *data)
{
  (void)data;
  return extreme(eval, args, 1);
}

/* --- texts and lists -------------------------------------------------------------------------- */

static bool text_has(struct eval *eval, struct slice text, struct slice part)
{
  if (!eval_charge(eval, text.len / BYTES_A_STEP)) return false;
  return part.len == 0 || (text.len && memmem(text.at, text.len, part.at, part.len));
}

struct value op_in(struct eval *eval, const struct args *args, const struct value *data)
{
  (void)data;
  struct value a = arg(args, 0), b = arg(args, 1);
  if (b.kind == VALUE_STRING && b.text.len)
    return value_of_bool(text_has(eval, b.text, value_text(eval, &a)));
  if (b.kind != VALUE_LIST) return value_of_bool(false);
  for (const struct value *item = b.first; item; item = item->next) {
    if (!eval_charge(eval, 1)) break;
    if (same(&a, item)) return value_of_bool(true);
  }
  return value_of_bool(false);
}

struct value op_cat(struct eval *eval, const struct args *args, const struct value *data)
{
  (void)data;
  struct text text = {.eval = eval};
  for (uint32_t i = 0; i < args->n; i++)
    if (!value_put(&text, &args->at[i])) return VALUE_OF_NULL;
  return value_of_text(slice_of(text.at ? text.at : "", text.len));
}

static size_t chars_count(struct slice text)
{
  size_t n = 0;
  for (size_t i = 0; i < text.len; i++) n += (text.at[i] & 0xc0) != 0x80;
  return n;
}

/* The bytes before the n-th character. */
static size_t char_at(struct slice text, double n)
{
  size_t at = 0;
  for (double i = 0; i < n && at < text.len; i++) at += utf8_len(slice_from(text, at));
  return at;
}

/* Characters are code points. A negative start counts from the end, a negative length leaves so
 * many off. */
struct value op_substr(struct eval *eval, const struct args *args, const struct value *data)
{
  (void)data;
  struct value source = arg(args, 0), start = arg(args, 1), length = arg(args, 2);
  struct slice text = value_text(eval, &source);
  if (!eval_charge(eval, text.len / BYTES_A_STEP)) return VALUE_OF_NULL;
  double n = (double)chars_count(text), from = trunc(value_number(eval, &start));
  if (isnan(from)) from = 0;
  if (from < 0) from = fmax(0, n + from);
  from = fmin(from, n);
  double count = n - from;
  if (args->n > 2 && length.kind != VALUE_NONE) {
    double wanted = trunc(value_number(eval, &length));
    if (isnan(wanted)) wanted = 0;
    count = wanted < 0 ? fmax(0, count + wanted) : fmin(count, wanted);
  }
  size_t begin = char_at(text, from), end = char_at(text, from + count);
  return value_of_text(slice_of(text.at + begin, end - begin));
}

struct value op_merge(struct eval *eval, const struct args *args, const struct value *data)
{
  (void)data;
  struct value_list list = {0};
  for (uint32_t i = 0; i < args->n; i++) {
    const struct value *a = &args->at[i];
    bool is_list = a->kind == VALUE_LIST;
    for (const struct value *item = is_list ? a->first : a; item;
         item = is_list ? item->next : NULL)
      if (!eval_list_add(eval, &list, item)) return VALUE_OF_NULL;
  }
  return value_of_list(&list);
}

struct value op_log(struct eval *eval, const struct args *args, const struct value *data)
{
  (void)eval, (void)data;
  return args->n ? args->at[0] : VALUE_OF_NULL;
}

static struct value text_test(const struct args *args, bool (*test)(struct slice, struct slice))
{
  struct value a = arg(args, 0), b = arg(args, 1);
  if (a.kind != VALUE_STRING || b.kind != VALUE_STRING) return VALUE_OF_NULL;
  return value_of_bool(test(a.text, b.text));
}

struct value op_starts_with(struct eval *eval, const struct args *args, const struct value *data)
{
  (void)eval, (void)data;
  return text_test(args, slice_starts);
}

struct value op_ends_with(struct eval *eval, const struct args *args, const struct value *data)
{
  (void)eval, (void)data;
  return text_test(args, slice_ends);
}

/* --- the context ------------------------------------------------------------------------------ */

/* The member of a map, or the item of a list by its number. */
static const struct value *child(struct eval *eval, const struct value *data, struct slice name)
{
  const struct value *at = data->first;
  uint64_t index;
  if (data->kind == VALUE_MAP) {
    for (; at && eval_charge(eval, 1) && !slice_eq(at->key, name);) at = at->next;
    return eval->fault ? NULL : at;
  }
  if (data->kind != VALUE_LIST || !text_read_u64(name, UINT32_MAX, &index)) return NULL;
  if (!eval_charge(eval, index < data->n ? index / 8 : 0)) return NULL;
  while (at && index--) at = at->next;
  return at;
}

/* Along "a.b.c"; NULL when there is no such thing. */
static const struct value *reach(struct eval *eval, const struct value *data, struct slice path)
{
  while (data) {
    size_t n = 0;
    while (n < path.len && path.at[n] != '.') n++;
    data = child(eval, data, slice_of(path.at, n));
    if (n == path.len) break;
    path = slice_of(path.at + n + 1, path.len - n - 1);
  }
  return data;
}

struct value op_var(struct eval *eval, const struct args *args, const struct value *data)
{
  struct value path = arg(args, 0);
  if (is_nothing(&path) || (path.kind == VALUE_STRING && !path.text.len)) return *data;
  const struct value *found = reach(eval, data, value_text(eval, &path));
  if (found) return *found;
  return args->n > 1 ? args->at[1] : VALUE_OF_NULL;
}

/* Those of the paths that lead to nothing, null or "". */
static struct value missing(struct eval *eval, const struct value *first, uint32_t n,
                            const struct value *data)
{
  struct value_list list = {0};
  for (const struct value *path = first; path && n; path = path->next, n--) {
    struct args one = {.at = path, .n = 1};
    struct value found = op_var(eval, &one, data);
    bool gone = is_nothing(&found) || (found.kind == VALUE_STRING && !found.text.len);
    if (gone && !eval_list_add(eval, &list, path)) return VALUE_OF_NULL;
  }
  return value_of_list(&list);
}

struct value op_missing(struct eval *eval, const struct args *args, const struct value *data)
{
  struct value_list paths = {0};
  if (args->n && args->at[0].kind == VALUE_LIST)
    return missing(eval, args->at[0].first, args->at[0].n, data);
  for (uint32_t i = 0; i < args->n; i++)
    if (!eval_list_add(eval, &paths, &args->at[i])) return VALUE_OF_NULL;
  return missing(eval, paths.first, paths.n, data);
}

struct value op_missing_some(struct eval *eval, const struct args *args, const struct value *data)
{
  struct value need = arg(args, 0), paths = arg(args, 1);
  struct value_list none = {0};
  if (paths.kind != VALUE_LIST) return VALUE_OF_NULL;
  struct value gone = missing(eval, paths.first, paths.n, data);
  bool enough = (double)paths.n - (double)gone.n >= value_number(eval, &need);
  return enough ? value_of_list(&none) : gone;
}

/* --- flagd's own ------------------------------------------------------------------------------ */

struct value op_sem_ver(struct eval *eval, const struct args *args, const struct value *data)
{
  (void)data;
  struct value a = arg(args, 0), op = arg(args, 1), b = arg(args, 2);
  struct semver x, y;
  if (!semver_read(value_text(eval, &a), &x) || !semver_read(value_text(eval, &b), &y))
    return VALUE_OF_NULL;
  struct slice how = value_text(eval, &op);
  int order = semver_compare(&x, &y);
  bool major = x.parts[0] == y.parts[0];
  if (slice_eq(how, SLICE("="))) return value_of_bool(order == 0);
  if (slice_eq(how, SLICE("!="))) return value_of_bool(order != 0);
  if (slice_eq(how, SLICE("<"))) return value_of_bool(order < 0);
  if (slice_eq(how, SLICE("<="))) return value_of_bool(order <= 0);
  if (slice_eq(how, SLICE(">"))) return value_of_bool(order > 0);
  if (slice_eq(how, SLICE(">="))) return value_of_bool(order >= 0);
  if (slice_eq(how, SLICE("^"))) return value_of_bool(major);
  if (slice_eq(how, SLICE("~"))) return value_of_bool(major && x.parts[1] == y.parts[1]);
  return VALUE_OF_NULL;
}

/* False when the entry is no [variant, weight]. A computed weight below zero, as ramps by the clock
 * make them, weighs nothing. */
static bool entry_read(const struct value *entry, const struct value **variant, double *weight)
{
  *weight = 1;
  if (entry->kind != VALUE_LIST || entry->n < 1 || entry->n > 2) return false;
  *variant = entry->first;
  if ((*variant)->kind == VALUE_LIST || (*variant)->kind == VALUE_MAP) return false;
  const struct value *given = entry->first->next;
  if (!given || is_nothing(given)) return true;
  if (given->kind != VALUE_NUMBER || given->number != trunc(given->number)) return false;
  *weight = fmax(0, given->number);
  return true;
}

static struct value fractional_pick(struct eval *eval, const struct value *entries, uint32_t n,
                                    uint32_t hash)
{
  const struct value *variant;
  double total = 0, weight, owned = 0;
  for (uint32_t i = 0; i < n; i++) {
    if (!entry_read(&entries[i], &variant, &weight)) return VALUE_OF_NULL;
    total += weight;
  }
  if (total > ASSIGN_TOTAL_MAX) return VALUE_OF_NULL;
  uint32_t bucket = assign_bucket(hash, (uint32_t)total);
  for (uint32_t i = 0; i < n; i++) {
    (void)entry_read(&entries[i], &variant, &weight);
    owned += weight;
    if (bucket >= owned) continue;
    eval->drawn = true;
    eval->share = (uint32_t)(weight / total * SHARE_WHOLE);
    return *variant;
  }
  return VALUE_OF_NULL;
}

struct value op_fractional(struct eval *eval, const struct args *args, const struct value *data)
{
  (void)data;
  if (args->n && args->at[0].kind == VALUE_STRING)
    return fractional_pick(eval, args->at + 1, args->n - 1,
                           assign_hash(args->at[0].text, SLICE_NONE));
  /* A text to bucket by that came out as nothing: no lot, the default variant. */
  if (args->n && args->at[0].kind != VALUE_LIST) return VALUE_OF_NULL;
  const struct value *key = value_get(eval->context, SLICE("targetingKey"));
  if (!key || key->kind != VALUE_STRING || !key->text.len) return eval_stop(eval, EVAL_KEY_MISSING);
  return fractional_pick(eval, args->at, args->n, assign_hash(eval->flag_key, key->text));
}
