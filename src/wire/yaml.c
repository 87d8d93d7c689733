/* yaml.c - from text to tree: bytes checked first, then libyaml's events stacked up.
 * Thread: any.
 * SPDX-License-Identifier: MIT */
#include "wire/yaml.h"

#include <yaml.h>

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
