/* yaml.c - from text to tree: bytes checked first, then libyaml's events stacked up; then values
 * out of the tree, typed and in range, or a complaint with its place.
 * Thread: any.
 * SPDX-License-Identifier: MIT */
#include "wire/yaml.h"

#include <stdarg.h>
#include <stdio.h>
#include <yaml.h>

#include "base/text.h"
#include "base/utf8.h"

enum { KEYS_MAX = 1024, KEY_BYTES_MAX = 128 };

static enum code place_fail(struct err *err, size_t line, size_t column, const char *what)
{
  return fail(err, E_BAD_CONFIG, "line %zu, column %zu: %s", line + 1, column + 1, what);
}

/* What libyaml would forgive or read in its own way: byte order marks, tabs before the first word
 * of a line, control bytes; and what is no UTF-8. */
static enum code bytes_check(struct slice text, struct err *err)
{
  static const char tab[] = "a tab in the indentation; use spaces";
  if (text.len > YAML_BYTES_MAX)
    return fail(err, E_BAD_CONFIG, "line 1, column 1: the document is larger than %d bytes",
                YAML_BYTES_MAX);
  if (slice_starts(text, SLICE("\xef\xbb\xbf")) || slice_starts(text, SLICE("\xff\xfe")) ||
      slice_starts(text, SLICE("\xfe\xff")))
    return place_fail(err, 0, 0, "a byte order mark; save the file as UTF-8 without one");
  size_t line = 0, column = 0;
  bool indent = true;
  for (size_t i = 0; i < text.len;) {
    unsigned char c = (unsigned char)text.at[i];
    size_t len = utf8_len(slice_from(text, i));
    if (!len) return place_fail(err, line, column, "a byte that is not UTF-8");
    if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f)
      return place_fail(err, line, column, "a control byte");
    if (c == '\t' && indent) return place_fail(err, line, column, tab);
    if (c != ' ') indent = false;
    i += len;
    column++;
    if (c == '\n') line++, column = 0, indent = true;
  }
  return OK;
}

/* ---- building ---- */

struct level {
  struct yaml *node, *last;
  struct slice key; /* read, its value not yet; at NULL: none */
  uint32_t key_line, key_column;
};

struct build {
  struct arena *arena;
  struct err *err;
  struct level levels[YAML_DEPTH_MAX];
  uint32_t depth, nodes;
  struct yaml *root;
  bool over; /* the document has ended */
};

static enum code event_fail(struct build *b, const yaml_event_t *event, const char *what)
{
  return place_fail(b->err, event->start_mark.line, event->start_mark.column, what);
}

static enum code key_take(struct build *b, const yaml_event_t *event)
{
  struct level *level = &b->levels[b->depth - 1];
  if (event->type != YAML_SCALAR_EVENT) return event_fail(b, event, "a key that is not plain text");
  struct slice key = {(const char *)event->data.scalar.value, event->data.scalar.length};
  if (!key.len) return event_fail(b, event, "an empty key");
  if (key.len > KEY_BYTES_MAX) return event_fail(b, event, "a key longer than 128 bytes");
  if (slice_eq(key, SLICE("<<"))) return event_fail(b, event, "merge keys are not taken");
  for (const struct yaml *m = level->node->first; m; m = m->next)
    if (slice_eq(m->key, key))
      return fail(b->err, E_BAD_CONFIG,
                  "line %zu, column %zu: the key '%.*s' is there already, in line %u",
                  event->start_mark.line + 1, event->start_mark.column + 1, SLICE_ARG(key),
                  m->key_line);
  if (level->node->n == KEYS_MAX) return event_fail(b, event, "more than 1,024 keys in one map");
  level->key = arena_copy(b->arena, key);
  level->key_line = (uint32_t)event->start_mark.line + 1;
  level->key_column = (uint32_t)event->start_mark.column + 1;
  return level->key.at ? OK : fail(b->err, E_OUT_OF_MEMORY, "no memory for a document");
}

static bool key_wanted(const struct build *b)
{
  return b->depth && b->levels[b->depth - 1].node->kind == YAML_MAP &&
         !b->levels[b->depth - 1].key.at;
}

/* A new node in its place: the root, a list's next item, the value of the key just read. */
static struct yaml *node_add(struct build *b, const yaml_event_t *event, enum yaml_kind kind)
{
  if (++b->nodes > YAML_NODES_MAX) {
    event_fail(b, event, "more than 16,384 nodes");
    return NULL;
  }
  struct yaml *node = arena_zero(b->arena, 1, sizeof *node);
  if (!node) {
    fail(b->err, E_OUT_OF_MEMORY, "no memory for a document");
    return NULL;
  }
  node->kind = kind;
  node->line = (uint32_t)event->start_mark.line + 1;
  node->column = (uint32_t)event->start_mark.column + 1;
  if (!b->depth) {
    b->root = node;
    return node;
  }
  struct level *level = &b->levels[b->depth - 1];
  node->parent = level->node;
  node->key = level->key;
  node->key_line = level->key_line;
  node->key_column = level->key_column;
  level->key = SLICE_NONE;
  if (level->last) level->last->next = node;
  else level->node->first = node;
  level->last = node;
  level->node->n++;
  return node;
}

static enum code scalar_add(struct build *b, const yaml_event_t *event)
{
  if (event->data.scalar.anchor) return event_fail(b, event, "anchors are not taken");
  if (event->data.scalar.tag) return event_fail(b, event, "tags are not taken");
  if (key_wanted(b)) return key_take(b, event);
  struct slice text = {(const char *)event->data.scalar.value, event->data.scalar.length};
  bool quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
  bool null = !quoted && (!text.len || slice_eq(text, SLICE("~")) || slice_eq(text, SLICE("null")));
  struct yaml *node = node_add(b, event, null ? YAML_NULL : YAML_SCALAR);
  if (!node) return b->err->code;
  node->quoted = quoted;
  node->text = arena_copy(b->arena, text);
  return node->text.at ? OK : fail(b->err, E_OUT_OF_MEMORY, "no memory for a document");
}

static enum code level_open(struct build *b, const yaml_event_t *event, enum yaml_kind kind)
{
  bool map = kind == YAML_MAP;
  if (map ? event->data.mapping_start.anchor : event->data.sequence_start.anchor)
    return event_fail(b, event, "anchors are not taken");
  if (map ? event->data.mapping_start.tag : event->data.sequence_start.tag)
    return event_fail(b, event, "tags are not taken");
  if (key_wanted(b)) return key_take(b, event);
  if (b->depth == YAML_DEPTH_MAX) return event_fail(b, event, "more than 16 levels");
  struct yaml *node = node_add(b, event, kind);
  if (!node) return b->err->code;
  b->levels[b->depth++] = (struct level){.node = node};
  return OK;
}

static enum code event_take(struct build *b, const yaml_event_t *event)
{
  switch (event->type) {
  case YAML_DOCUMENT_START_EVENT:
    if (b->over) return event_fail(b, event, "a second document");
    if (event->data.document_start.version_directive ||
        event->data.document_start.tag_directives.start !=
            event->data.document_start.tag_directives.end)
      return event_fail(b, event, "directives are not taken");
    return OK;
  case YAML_DOCUMENT_END_EVENT: b->over = true; return OK;
  case YAML_ALIAS_EVENT: return event_fail(b, event, "aliases are not taken");
  case YAML_SCALAR_EVENT: return scalar_add(b, event);
  case YAML_SEQUENCE_START_EVENT: return level_open(b, event, YAML_LIST);
  case YAML_MAPPING_START_EVENT: return level_open(b, event, YAML_MAP);
  case YAML_SEQUENCE_END_EVENT:
  case YAML_MAPPING_END_EVENT: b->depth--; return OK;
  default: return OK;
  }
}

enum code yaml_parse(struct slice text, struct arena *arena, const struct yaml **root,
                     struct err *err)
{
  *root = NULL;
  if (bytes_check(text, err)) return err->code;
  yaml_parser_t parser;
  if (!yaml_parser_initialize(&parser))
    return fail(err, E_OUT_OF_MEMORY, "no memory for a document");
  yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
  yaml_parser_set_input_string(&parser, (const unsigned char *)(text.at ? text.at : ""), text.len);
  struct build b = {.arena = arena, .err = err};
  enum code code = OK;
  for (bool more = true; more && !code;) {
    yaml_event_t event;
    if (!yaml_parser_parse(&parser, &event)) {
      code = parser.error == YAML_MEMORY_ERROR
                 ? fail(err, E_OUT_OF_MEMORY, "no memory for a document")
                 : place_fail(err, parser.problem_mark.line, parser.problem_mark.column,
                              "not YAML; look at the indentation, colons and quotes here");
      break;
    }
    more = event.type != YAML_STREAM_END_EVENT;
    code = event_take(&b, &event);
    yaml_event_delete(&event);
  }
  yaml_parser_delete(&parser);
  if (code) return code;
  if (!b.root || b.root->kind == YAML_NULL) return place_fail(err, 0, 0, "the document is empty");
  *root = b.root;
  return OK;
}

/* ---- reading the tree ---- */

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

enum { KEYS_TOLD_MAX = 112 };

/* "; there are a, b", or nothing where they are too many for a line. */
static void keys_tell(char to[KEYS_TOLD_MAX], const char *const *allowed)
{
  size_t len = 0;
  for (int i = 0; allowed[i] && len < KEYS_TOLD_MAX; i++)
    len += (size_t)snprintf(to + len, KEYS_TOLD_MAX - len, "%s%s", i ? ", " : "; there are ",
                            allowed[i]);
  if (len >= KEYS_TOLD_MAX) to[0] = '\0';
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
    char hint[KEYS_TOLD_MAX] = "";
    if (nearest)
      snprintf(hint, sizeof hint, "; did you mean '%s'?", nearest);
    else
      keys_tell(hint, allowed);
    fail(err, E_BAD_CONFIG, "line %u, column %u: unknown key '%s'%s", place.line, place.column,
         name, hint);
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
