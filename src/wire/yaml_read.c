/* yaml_read.c - values out of a YAML tree, typed and in range, or a complaint with its place.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"
#include "wire/yaml.h"

const struct yaml *yaml_get(const struct yaml *map, const char *key)
{
  if (!map || map->kind != YAML_MAP) return NULL;
  struct slice want = slice_str(key);
  for (const struct yaml *m = map->first; m; m = m->next)
    if (slice_eq(m->key, want)) return m;
  return NULL;
}

const struct yaml *yaml_path(const struct yaml *map, const char *dotted)
{
  while (map && *dotted) {
    const char *dot = strchr(dotted, '.');
    struct slice want = {dotted, dot ? (size_t)(dot - dotted) : strlen(dotted)};
    const struct yaml *m = map->kind == YAML_MAP ? map->first : NULL;
    while (m && !slice_eq(m->key, want)) m = m->next;
    map = m;
    dotted += want.len + (dot != NULL);
  }
  return map;
}

/* "serve.listeners[1].port" to `to`; the last part stays when there is too much. */
static void dotted_name(const struct yaml *node, char to[ERR_FIELD_MAX])
{
  const struct yaml *chain[YAML_DEPTH_MAX + 1];
  int n = 0;
  for (; node && node->parent && n <= YAML_DEPTH_MAX; node = node->parent) chain[n++] = node;
  size_t len = 0;
  to[0] = '\0';
  while (n-- > 0) {
    const struct yaml *c = chain[n];
    int got;
    if (c->parent->kind == YAML_LIST) {
      unsigned i = 0;
      for (const struct yaml *m = c->parent->first; m != c; m = m->next) i++;
      got = snprintf(to + len, ERR_FIELD_MAX - len, "[%u]", i);
    } else {
      got = snprintf(to + len, ERR_FIELD_MAX - len, "%s%.*s", len ? "." : "", SLICE_ARG(c->key));
    }
    if (got < 0 || (size_t)got >= ERR_FIELD_MAX - len) return;
    len += (size_t)got;
  }
}

enum code yaml_fail(struct err *err, const struct yaml *node, const char *fmt, ...)
{
  char text[ERR_TEXT_MAX], name[ERR_FIELD_MAX];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  dotted_name(node, name);
  fail(err, E_BAD_CONFIG, "line %u, column %u: '%s' %s", node->line, node->column,
       name[0] ? name : "the document", text);
  return fail_at(err, "%s", name);
}

/* ---- unknown keys ---- */

enum { WORD_MAX = 48 };

/* Letters to add, drop or change to make b of a; both short. */
static unsigned words_apart(struct slice a, struct slice b)
{
  unsigned row[WORD_MAX + 1];
  if (a.len > WORD_MAX || b.len > WORD_MAX) return WORD_MAX;
  for (unsigned j = 0; j <= b.len; j++) row[j] = j;
  for (unsigned i = 1; i <= a.len; i++) {
    unsigned corner = row[0];
    row[0] = i;
    for (unsigned j = 1; j <= b.len; j++) {
      unsigned best = corner + (a.at[i - 1] != b.at[j - 1]);
      corner = row[j];
      if (row[j] + 1 < best) best = row[j] + 1;
      if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
      row[j] = best;
    }
  }
  return row[b.len];
}

static const char *word_nearest(struct slice word, const char *const *words)
{
  const char *nearest = NULL;
  unsigned best = 3;
  for (; *words; words++) {
    unsigned apart = words_apart(word, slice_str(*words));
    if (apart < best) best = apart, nearest = *words;
  }
  return nearest;
}

static bool word_in(struct slice word, const char *const *words, int *index)
{
  for (int i = 0; words[i]; i++)
    if (slice_eq(word, slice_str(words[i]))) {
      *index = i;
      return true;
    }
  return false;
}

enum code yaml_keys_check(const struct yaml *map, const char *const *allowed, struct err *err)
{
  int index;
  if (!map || map->kind == YAML_NULL) return OK;
  if (map->kind != YAML_MAP) return yaml_fail(err, map, "should be a map of keys and values");
  for (const struct yaml *m = map->first; m; m = m->next) {
    if (word_in(m->key, allowed, &index)) continue;
    struct yaml place = *m; /* complain where the key is, not where its value is */
    place.line = m->key_line;
    place.column = m->key_column;
    char name[ERR_FIELD_MAX];
    dotted_name(m, name);
    const char *nearest = word_nearest(m->key, allowed);
    fail(err, E_BAD_CONFIG, "line %u, column %u: unknown key '%s'%s%s%s", place.line, place.column,
         name, nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
    return fail_at(err, "%s", name);
  }
  return OK;
}

/* ---- typed values ---- */

static bool absent(const struct yaml *node) { return !node || node->kind == YAML_NULL; }

static enum code scalar_check(const struct yaml *node, const char *what, bool plain,
                              struct err *err)
{
  if (node->kind != YAML_SCALAR)
    return yaml_fail(err, node, "should be %s, not a %s", what,
                     node->kind == YAML_MAP ? "map" : "list");
  if (plain && node->quoted) return yaml_fail(err, node, "should be %s, without quotes", what);
  return OK;
}

enum code yaml_string(const struct yaml *node, struct slice *to, struct err *err)
{
  if (absent(node)) return OK;
  if (scalar_check(node, "a string", false, err)) return err->code;
  *to = node->text;
  return OK;
}

enum code yaml_bool(const struct yaml *node, bool *to, struct err *err)
{
  if (absent(node)) return OK;
  if (scalar_check(node, "true or false", true, err)) return err->code;
  bool yes = slice_eq(node->text, SLICE("true"));
  if (!yes && !slice_eq(node->text, SLICE("false")))
    return yaml_fail(err, node, "should be true or false, not '%.*s'", SLICE_ARG(node->text));
  *to = yes;
  return OK;
}

/* Digits without a leading zero; *rest is what follows. *over when beyond 64 bits. */
static bool digits_read(struct slice text, uint64_t *value, struct slice *rest, bool *over)
{
  size_t i = 0;
  *value = 0;
  *over = false;
  for (; i < text.len && text.at[i] >= '0' && text.at[i] <= '9'; i++)
    *over |= __builtin_mul_overflow(*value, 10, value) ||
             __builtin_add_overflow(*value, (uint64_t)(text.at[i] - '0'), value);
  *rest = slice_from(text, i);
  return i > 0 && (i == 1 || text.at[0] != '0');
}

enum code yaml_int(const struct yaml *node, int64_t min, int64_t max, int64_t *to,
                   struct err *err)
{
  if (absent(node)) return OK;
  if (scalar_check(node, "a whole number", true, err)) return err->code;
  bool minus = node->text.len && node->text.at[0] == '-', over;
  uint64_t size;
  struct slice rest;
  if (!digits_read(slice_from(node->text, minus), &size, &rest, &over) || rest.len)
    return yaml_fail(err, node, "should be a whole number, not '%.*s'", SLICE_ARG(node->text));
  over |= size > (uint64_t)INT64_MAX + minus;
  int64_t value = over ? 0 : minus ? (int64_t)(0 - size) : (int64_t)size;
  if (over || value < min || value > max)
    return yaml_fail(err, node, "should be from %lld to %lld, not %.*s", (long long)min,
                     (long long)max, SLICE_ARG(node->text));
  *to = value;
  return OK;
}

enum code yaml_number(const struct yaml *node, double min, double max, double *to,
                      struct err *err)
{
  if (absent(node)) return OK;
  if (scalar_check(node, "a number", true, err)) return err->code;
  double value;
  bool over = false;
  if (!text_read_f64(node->text.at, node->text.len, &value, &over))
    return yaml_fail(err, node, "should be a number, not '%.*s'", SLICE_ARG(node->text));
  if (over || !(value >= min && value <= max))
    return yaml_fail(err, node, "should be from %g to %g, not %.*s", min, max,
                     SLICE_ARG(node->text));
  *to = value;
  return OK;
}

struct unit {
  struct slice name;
  uint64_t size;
};

/* A whole number and one of the units. 1: fine; 0: no such thing; -1: too large. */
static int sized_read(struct slice text, const struct unit *units, size_t n, uint64_t *value)
{
  struct slice rest;
  bool over;
  if (!digits_read(text, value, &rest, &over)) return 0;
  for (size_t i = 0; i < n; i++)
    if (slice_eq(rest, units[i].name)) {
      over |= __builtin_mul_overflow(*value, units[i].size, value);
      return over || *value > INT64_MAX ? -1 : 1;
    }
  return *value == 0 && !rest.len ? 1 : 0;
}

static const struct unit time_units[] = {
    {{"us", 2}, 1}, {{"ms", 2}, 1000}, {{"s", 1}, 1000000}, {{"m", 1}, 60 * UINT64_C(1000000)},
    {{"h", 1}, 3600 * UINT64_C(1000000)}, {{"d", 1}, 86400 * UINT64_C(1000000)},
};
static const struct unit byte_units[] = {
    {{"", 0}, 1}, {{"B", 1}, 1}, {{"KiB", 3}, UINT64_C(1) << 10}, {{"MiB", 3}, UINT64_C(1) << 20},
    {{"GiB", 3}, UINT64_C(1) << 30}, {{"TiB", 3}, UINT64_C(1) << 40},
};
#define COUNT(array) (sizeof(array) / sizeof *(array))

enum code yaml_duration(const struct yaml *node, int64_t min_us, int64_t max_us, int64_t *to_us,
                        struct err *err)
{
  static const char what[] = "a time such as 500ms, 30s or 10m";
  if (absent(node)) return OK;
  if (scalar_check(node, what, true, err)) return err->code;
  uint64_t value;
  int fine = sized_read(node->text, time_units, COUNT(time_units), &value);
  if (!fine) return yaml_fail(err, node, "should be %s, not '%.*s'", what, SLICE_ARG(node->text));
  if (fine < 0 || (int64_t)value < min_us || (int64_t)value > max_us)
    return yaml_fail(err, node, "should be from %lldus to %lldus, not %.*s", (long long)min_us,
                     (long long)max_us, SLICE_ARG(node->text));
  *to_us = (int64_t)value;
  return OK;
}

enum code yaml_bytes(const struct yaml *node, uint64_t min, uint64_t max, uint64_t *to,
                     struct err *err)
{
  static const char what[] = "a size such as 512KiB, 64MiB or 1048576";
  if (absent(node)) return OK;
  if (scalar_check(node, what, true, err)) return err->code;
  uint64_t value;
  int fine = sized_read(node->text, byte_units, COUNT(byte_units), &value);
  if (!fine) return yaml_fail(err, node, "should be %s, not '%.*s'", what, SLICE_ARG(node->text));
  if (fine < 0 || value < min || value > max)
    return yaml_fail(err, node, "should be from %llu to %llu bytes, not %.*s",
                     (unsigned long long)min, (unsigned long long)max, SLICE_ARG(node->text));
  *to = value;
  return OK;
}

enum code yaml_word(const struct yaml *node, const char *const *words, int *to, struct err *err)
{
  if (absent(node)) return OK;
  if (scalar_check(node, "a word", false, err)) return err->code;
  if (word_in(node->text, words, to)) return OK;
  char list[160];
  size_t len = 0;
  list[0] = '\0';
  for (int i = 0; words[i] && len < sizeof list - 1; i++) {
    int n = snprintf(list + len, sizeof list - len, "%s%s", i ? ", " : "", words[i]);
    len += n > 0 ? (size_t)n : 0;
  }
  return yaml_fail(err, node, "should be one of %s, not '%.*s'", list, SLICE_ARG(node->text));
}

bool yaml_duration_read(struct slice text, int64_t *us)
{
  uint64_t value;
  if (sized_read(text, time_units, COUNT(time_units), &value) != 1) return false;
  *us = (int64_t)value;
  return true;
}

bool yaml_bytes_read(struct slice text, uint64_t *bytes)
{
  return sized_read(text, byte_units, COUNT(byte_units), bytes) == 1;
}
