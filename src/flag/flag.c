/* flag.c - flag files checked, and one flag evaluated.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "flag/flag.h"

#include <stdlib.h>

#include "base/utf8.h"
#include "flag/eval.h"
#include "flag/number.h"

/* --- one flag --------------------------------------------------------------------------------- */

static enum code kind_fail(struct err *err, const char *member, const struct value *value,
                           const char *wanted)
{
  fail(err, E_WRONG_TYPE, "'%s' is %s, not %s", member, value_kind_name(value->kind), wanted);
  return fail_at(err, "%s", member);
}

static enum code members_check(const struct value *map, const char *const *known, struct err *err)
{
  for (const struct value *member = map->first; member; member = member->next) {
    const char *const *name = known;
    while (*name && !slice_eq(member->key, slice_str(*name))) name++;
    if (*name) continue;
    fail(err, E_INVALID_ARGUMENT, "there is no member '%.*s' here", SLICE_ARG(member->key));
    return fail_at(err, "%.*s", SLICE_ARG(member->key));
  }
  return OK;
}

static enum code state_read(const struct value *state, struct flag *to, struct err *err)
{
  if (!state || state->kind != VALUE_STRING ||
      (!slice_eq(state->text, SLICE("ENABLED")) && !slice_eq(state->text, SLICE("DISABLED")))) {
    fail(err, E_INVALID_ARGUMENT, "'state' is neither \"ENABLED\" nor \"DISABLED\"");
    return fail_at(err, "state");
  }
  to->enabled = slice_eq(state->text, SLICE("ENABLED"));
  return OK;
}

static enum code variants_read(const struct value *variants, struct flag *to, struct err *err)
{
  if (!variants || variants->kind != VALUE_MAP || !variants->first) {
    fail(err, E_INVALID_ARGUMENT, "'variants' is not an object with at least one variant");
    return fail_at(err, "variants");
  }
  enum value_kind kind = variants->first->kind;
  for (const struct value *variant = variants->first; variant; variant = variant->next) {
    if (!variant->key.len || variant->key.len > FLAG_KEY_MAX)
      fail(err, E_BAD_NAME, "a variant's name has 1 to %d bytes", FLAG_KEY_MAX);
    else if (variant->kind == VALUE_NULL || variant->kind == VALUE_LIST)
      fail(err, E_WRONG_TYPE, "a variant is %s; it may be a boolean, string, number or object",
           value_kind_name(variant->kind));
    else if (variant->kind != kind)
      fail(err, E_WRONG_TYPE, "one variant is %s and another %s; all have one type",
           value_kind_name(kind), value_kind_name(variant->kind));
    else
      continue;
    return fail_at(err, "variants.%.*s", SLICE_ARG(variant->key));
  }
  to->variants = variants;
  return OK;
}

static enum code fallback_read(const struct value *fallback, struct flag *to, struct err *err)
{
  if (!fallback || fallback->kind == VALUE_NULL) return OK;
  if (fallback->kind != VALUE_STRING)
    return kind_fail(err, "defaultVariant", fallback, "the name of a variant or null");
  if (!value_get(to->variants, fallback->text)) {
    fail(err, E_INVALID_ARGUMENT, "'defaultVariant' is '%.*s', which is none of the variants",
         SLICE_ARG(fallback->text));
    return fail_at(err, "defaultVariant");
  }
  to->fallback = fallback->text;
  return OK;
}

static enum code metadata_read(const struct value *metadata, const struct value **to,
                               struct err *err)
{
  if (!metadata || metadata->kind == VALUE_NULL) return OK;
  if (metadata->kind != VALUE_MAP) return kind_fail(err, "metadata", metadata, "an object");
  for (const struct value *m = metadata->first; m; m = m->next) {
    if (m->kind == VALUE_BOOL || m->kind == VALUE_STRING || m->kind == VALUE_NUMBER) continue;
    fail(err, E_WRONG_TYPE, "metadata may be booleans, strings and numbers, not %s",
         value_kind_name(m->kind));
    return fail_at(err, "metadata.%.*s", SLICE_ARG(m->key));
  }
  *to = metadata;
  return OK;
}

static enum code targeting_read(const struct value *rule, const struct value *evaluators,
                                struct arena *arena, struct flag *to, struct err *err)
{
  struct logic_facts facts = {0};
  if (!rule || rule->kind == VALUE_NULL) return OK;
  if (rule->kind != VALUE_MAP) return kind_fail(err, "targeting", rule, "an object");
  if (!rule->first) return OK;
  struct logic *logic = arena_get(arena, sizeof *logic);
  if (!logic) return fail(err, E_OUT_OF_MEMORY, "the rules take too much memory");
  if (logic_make(rule, evaluators, arena, &facts, logic, err)) return fail_at(err, "targeting");
  to->targeting = logic;
  to->uses_time = facts.uses_time;
  return OK;
}

static enum code key_check(struct slice key, struct err *err)
{
  bool sane = key.len > 0 && key.len <= FLAG_KEY_MAX && utf8_valid(key);
  for (size_t i = 0; sane && i < key.len; i++)
    sane = (unsigned char)key.at[i] >= 0x20 && key.at[i] != 0x7f && key.at[i] != '/' &&
           key.at[i] != '\\';
  sane = sane && !slice_eq(key, SLICE(".")) && !slice_eq(key, SLICE(".."));
  if (sane && slice_starts(key, SLICE("release.")))
    return fail(err, E_BAD_NAME, "names that begin with 'release.' are those of releases");
  if (sane) return OK;
  return fail(err, E_BAD_NAME,
              "a flag's key is 1 to %d bytes of UTF-8 without slashes and control characters",
              FLAG_KEY_MAX);
}

static enum code flag_make(const struct value *member, const struct value *evaluators,
                           struct arena *arena, struct flag *to, struct err *err)
{
  static const char *const known[] = {
      "state",       "variants", "defaultVariant", "targeting", "metadata", "name",
      "description", "source",   "selector",       "flagSetId", NULL};
  if (key_check(member->key, err)) return err->code;
  if (member->kind != VALUE_MAP)
    return fail(err, E_WRONG_TYPE, "it is %s, not an object", value_kind_name(member->kind));
  if (members_check(member, known, err) || state_read(value_get(member, SLICE("state")), to, err) ||
      variants_read(value_get(member, SLICE("variants")), to, err) ||
      fallback_read(value_get(member, SLICE("defaultVariant")), to, err) ||
      metadata_read(value_get(member, SLICE("metadata")), &to->metadata, err))
    return err->code;
  return targeting_read(value_get(member, SLICE("targeting")), evaluators, arena, to, err);
}

/* --- a file ----------------------------------------------------------------------------------- */

static int flag_order(const void *a, const void *b)
{
  return slice_order(((const struct flag *)a)->key, ((const struct flag *)b)->key);
}

/* The place and the text of what is wrong, kept. */
static const char *broken_text(struct arena *arena, struct slice key, const struct err *err)
{
  const char *text = arena_print(arena, "flag '%.*s'%s%s: %s", SLICE_ARG(key),
                                 err->field[0] ? ", " : "", err->field, err->text);
  return text ? text : "the flag takes too much memory";
}

static enum code file_parts(const struct value *file, struct flags *to, const struct value **flags,
                            struct err *err)
{
  static const char *const known[] = {"$schema", "flags", "$evaluators", "metadata", NULL};
  if (file->kind != VALUE_MAP)
    return fail(err, E_WRONG_TYPE, "a flag file is an object, not %s", value_kind_name(file->kind));
  if (members_check(file, known, err)) return err->code;
  *flags = value_get(file, SLICE("flags"));
  if (!*flags || (*flags)->kind != VALUE_MAP) {
    fail(err, E_INVALID_ARGUMENT, "a flag file has an object 'flags'");
    return fail_at(err, "flags");
  }
  if ((*flags)->n > FLAGS_MAX)
    return fail(err, E_LIMIT_EXCEEDED, "%u flags, at most %d fit one file", (*flags)->n, FLAGS_MAX);
  const struct value *evaluators = value_get(file, SLICE("$evaluators"));
  if (evaluators && evaluators->kind != VALUE_MAP)
    return kind_fail(err, "$evaluators", evaluators, "an object");
  to->evaluators = evaluators;
  return metadata_read(value_get(file, SLICE("metadata")), &to->metadata, err);
}

enum code flags_make(const struct value *file, struct arena *arena, struct flags *to,
                     struct err *err)
{
  struct err own;
  const struct value *flags = NULL;
  if (!err) err = &own;
  *to = (struct flags){.n = 0};
  if (file_parts(file, to, &flags, err)) return err->code;
  struct flag *all = arena_zero(arena, flags->n, sizeof *all);
  if (flags->n && !all) return fail(err, E_OUT_OF_MEMORY, "the flags take too much memory");
  for (const struct value *member = flags->first; member; member = member->next) {
    struct flag *flag = &all[to->n++];
    struct err why = {0};
    flag->key = member->key;
    enum code code = flag_make(member, to->evaluators, arena, flag, &why);
    if (code == E_OUT_OF_MEMORY) return fail(err, code, "%s", why.text);
    if (code) flag->broken = broken_text(arena, member->key, &why);
    to->uses_time = to->uses_time || flag->uses_time;
  }
  if (to->n) qsort(all, to->n, sizeof *all, flag_order);
  to->all = all;
  return OK;
}

enum code flags_read(struct slice text, struct arena *arena, struct flags *to, struct err *err)
{
  struct value file = VALUE_OF_NULL;
  if (value_read(text, VALUE_AS_WRITTEN, arena, &file, err)) return err ? err->code : E_BAD_JSON;
  return flags_make(&file, arena, to, err);
}

enum code flags_check(const struct flags *flags, struct err *err)
{
  for (uint32_t i = 0; i < flags->n; i++)
    if (flags->all[i].broken) return fail(err, E_INVALID_ARGUMENT, "%s", flags->all[i].broken);
  if (!flags->evaluators) return OK;
  struct arena arena;
  enum code code = OK;
  arena_init(&arena, 16 << 20, NULL);
  for (const struct value *rule = flags->evaluators->first; rule && !code; rule = rule->next) {
    struct logic logic;
    struct logic_facts facts = {0};
    code = logic_make(rule, flags->evaluators, &arena, &facts, &logic, err);
    if (code) fail_at(err, "$evaluators.%.*s", SLICE_ARG(rule->key));
    arena_reset(&arena);
  }
  arena_deinit(&arena);
  return code;
}

const struct flag *flags_find(const struct flags *flags, struct slice key)
{
  uint32_t from = 0, to = flags->n;
  while (from < to) {
    uint32_t middle = from + (to - from) / 2;
    int order = slice_order(flags->all[middle].key, key);
    if (order == 0) return &flags->all[middle];
    if (order < 0)
      from = middle + 1;
    else
      to = middle;
  }
  return NULL;
}

/* --- evaluating ------------------------------------------------------------------------------- */

enum code flag_context_check(const struct value *context, struct err *err)
{
  if (context->kind == VALUE_NONE || context->kind == VALUE_NULL) return OK;
  if (context->kind != VALUE_MAP)
    return fail(err, E_WRONG_TYPE, "the context is %s, not an object",
                value_kind_name(context->kind));
  const struct value *key = value_get(context, SLICE("targetingKey"));
  if (!key || key->kind == VALUE_STRING) return OK;
  return fail(err, E_WRONG_TYPE, "'targetingKey' is %s, not a string", value_kind_name(key->kind));
}

static void result_fail(struct flag_result *to, enum flag_error error, const char *fmt,
                        struct slice what)
{
  struct err err;
  to->error = error;
  fail(&err, E_INVALID_ARGUMENT, fmt, SLICE_ARG(what));
  memcpy(to->details, err.text, sizeof to->details);
}

static void result_choose(struct flag_result *to, const struct flag *flag, struct slice variant,
                          enum flag_reason reason)
{
  to->reason = reason;
  if (!variant.at) { /* no default: the client's own */
    to->reason = FLAG_DEFAULT;
    return;
  }
  to->value = value_get(flag->variants, variant);
  if (to->value)
    to->variant = to->value->key;
  else
    result_fail(to, FLAG_GENERAL, "targeting chose '%.*s', which is none of the variants", variant);
}

static void fault_tell(struct flag_result *to, enum eval_fault fault, struct slice key)
{
  if (fault == EVAL_KEY_MISSING)
    result_fail(to, FLAG_KEY_MISSING, "flag '%.*s' is split by targetingKey; the context has none",
                key);
  else if (fault == EVAL_MEMORY)
    result_fail(to, FLAG_GENERAL, "the rule of flag '%.*s' takes too much memory", key);
  else
    result_fail(to, FLAG_GENERAL, "the rule of flag '%.*s' takes too many steps", key);
}

/* What a rule's value chooses. */
static void verdict_read(const struct flag *flag, const struct value *value, struct arena *arena,
                         struct flag_result *to)
{
  char number[NUMBER_TEXT_MAX];
  struct slice variant = value->text;
  bool empty = (value->kind == VALUE_STRING && !variant.len) ||
               ((value->kind == VALUE_LIST || value->kind == VALUE_MAP) && !value->first);
  if (value->kind == VALUE_NULL || value->kind == VALUE_NONE || empty) {
    result_choose(to, flag, flag->fallback, FLAG_DEFAULT);
    return;
  }
  if (value->kind == VALUE_BOOL) variant = value->yes ? SLICE("true") : SLICE("false");
  if (value->kind == VALUE_NUMBER)
    variant = arena_copy(arena, slice_of(number, number_text(value->number, number)));
  if (value->kind == VALUE_LIST || value->kind == VALUE_MAP || !variant.at)
    result_fail(to, FLAG_GENERAL, "targeting of flag '%.*s' gave no variant's name", flag->key);
  else
    result_choose(to, flag, variant, FLAG_TARGETING_MATCH);
}

/* The context with $flagd before its own members, so that theirs is not seen. */
static void root_make(struct value own[3], const struct value *context, struct slice key,
                      int64_t now_s, struct value *root)
{
  own[0] = value_of_text(key);
  own[0].key = SLICE("flagKey");
  own[0].next = &own[1];
  own[1] = value_of_number((double)now_s);
  own[1].key = SLICE("timestamp");
  own[2] = (struct value){.kind = VALUE_MAP, .n = 2, .key = SLICE("$flagd"), .first = &own[0]};
  bool map = context && context->kind == VALUE_MAP;
  own[2].next = map ? context->first : NULL;
  *root = (struct value){.kind = VALUE_MAP, .n = 1 + (map ? context->n : 0), .first = &own[2]};
}

void flag_evaluate(const struct flag *flag, const struct value *context, int64_t now_s,
                   struct arena *arena, uint64_t *steps, struct flag_result *to)
{
  struct value *own = arena_zero(arena, 4, sizeof *own); /* results may point into it */
  to->error = FLAG_OK;
  to->details[0] = '\0';
  to->variant = SLICE_NONE;
  to->value = NULL;
  to->drawn = false;
  to->share = 0;
  to->reason = FLAG_DISABLED;
  if (flag->broken) {
    to->error = FLAG_PARSE_ERROR;
    (void)slice_to_str(slice_of(flag->broken, strnlen(flag->broken, sizeof to->details - 1)),
                       to->details, sizeof to->details);
    return;
  }
  if (!flag->enabled) return;
  if (!flag->targeting) {
    result_choose(to, flag, flag->fallback, FLAG_STATIC);
    return;
  }
  if (!own) {
    fault_tell(to, EVAL_MEMORY, flag->key);
    return;
  }
  root_make(own, context, flag->key, now_s, &own[3]);
  struct eval eval = {.arena = arena, .steps = *steps, .flag_key = flag->key, .context = &own[3]};
  struct value value = eval_run(&eval, flag->targeting);
  *steps = eval.steps;
  to->drawn = eval.drawn;
  to->share = eval.share;
  if (eval.fault)
    fault_tell(to, eval.fault, flag->key);
  else
    verdict_read(flag, &value, arena, to);
}

const char *flag_reason_name(enum flag_reason reason)
{
  static const char *const names[] = {"STATIC", "TARGETING_MATCH", "DEFAULT", "DISABLED", "SPLIT"};
  return names[reason];
}

const char *flag_error_name(enum flag_error error)
{
  static const char *const names[] = {"", "PARSE_ERROR", "TARGETING_KEY_MISSING", "INVALID_CONTEXT",
                                      "GENERAL"};
  return names[error];
}
