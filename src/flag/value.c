/* value.c - trees from JSON and YAML, and back.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "flag/value.h"

#include <math.h>

#include "base/text.h"
#include "flag/number.h"
#include "wire/json.h"
#include "wire/yaml.h"

static enum code no_room(struct err *err)
{
  return fail(err, E_OUT_OF_MEMORY, "the JSON takes more memory than one request may have");
}

bool value_list_add(struct value_list *list, struct arena *arena, const struct value *value)
{
  struct value *copy = arena_get(arena, sizeof *copy);
  if (!copy) return false;
  *copy = *value;
  copy->next = NULL;
  if (list->last)
    list->last->next = copy;
  else
    list->first = copy;
  list->last = copy;
  list->n++;
  return true;
}

const struct value *value_get(const struct value *map, struct slice key)
{
  if (!map || map->kind != VALUE_MAP) return NULL;
  const struct value *member = map->first;
  while (member && !slice_eq(member->key, key)) member = member->next;
  return member;
}

const char *value_kind_name(enum value_kind kind)
{
  static const char *const names[] = {"nothing",  "null",   "a boolean", "a number",
                                      "a string", "a list", "an object"};
  return names[kind];
}

uint32_t value_depth(const struct value *value)
{
  const struct value *open[VALUE_DEPTH_MAX];
  uint32_t depth = 0, most = 0;
  for (;;) {
    bool list = value->kind == VALUE_LIST || value->kind == VALUE_MAP;
    if (list && depth + 1 > most) most = depth + 1;
    if (list && value->first && depth + 1 < VALUE_DEPTH_MAX) {
      open[depth++] = value;
      value = value->first;
      continue;
    }
    while (depth && !value->next) value = open[--depth];
    if (!depth) return most;
    value = value->next;
  }
}

/* --- from JSON ------------------------------------------------------------------------------- */

/* Merges two sorted runs. */
static struct value *merge(struct value *a, struct value *b)
{
  struct value head, *last = &head;
  while (a && b) {
    struct value **least = slice_order(b->key, a->key) < 0 ? &b : &a;
    last->next = *least;
    last = *least;
    *least = (struct value *)(uintptr_t)last->next;
  }
  last->next = a ? a : b;
  return (struct value *)(uintptr_t)head.next;
}

/* runs[i] is a sorted run of 2^i members, or NULL. */
static struct value *members_sort(struct value *first)
{
  struct value *runs[32] = {0}, *all = NULL;
  while (first) {
    struct value *run = first;
    first = (struct value *)(uintptr_t)first->next;
    run->next = NULL;
    int i = 0;
    for (; runs[i]; i++) {
      run = merge(runs[i], run);
      runs[i] = NULL;
    }
    runs[i] = run;
  }
  for (int i = 0; i < 32; i++)
    if (runs[i]) all = all ? merge(runs[i], all) : runs[i];
  return all;
}

struct builder {
  struct arena *arena;
  enum value_order order;
  uint32_t depth;
  struct slice key; /* of the member that comes next */
  struct {
    struct value value;
    struct value_list members;
  } open[JSON_DEPTH_MAX + 1];
};

static bool builder_put(struct builder *b, struct value value, struct value *root)
{
  if (b->depth == 0) {
    *root = value;
    return true;
  }
  value.key = b->key;
  b->key = SLICE_NONE;
  return value_list_add(&b->open[b->depth - 1].members, b->arena, &value);
}

static void builder_open(struct builder *b, enum value_kind kind)
{
  must(b->depth <= JSON_DEPTH_MAX);
  b->open[b->depth].value = (struct value){.kind = kind, .key = b->key};
  b->open[b->depth].members = (struct value_list){0};
  b->key = SLICE_NONE;
  b->depth++;
}

static bool builder_close(struct builder *b, struct value *root)
{
  must(b->depth > 0);
  b->depth--;
  struct value value = b->open[b->depth].value;
  struct value_list members = b->open[b->depth].members;
  if (value.kind == VALUE_MAP && b->order == VALUE_SORTED)
    members.first = members_sort(members.first);
  value.n = members.n;
  value.first = members.first;
  b->key = value.key;
  return builder_put(b, value, root);
}

static enum code number_token_read(struct slice token, struct value *to, struct err *err)
{
  bool over = false;
  *to = (struct value){.kind = VALUE_NUMBER, .text = token};
  if (text_read_f64(token.at, token.len, &to->number, &over) && !over) return OK;
  return fail(err, E_VALUE_OUT_OF_RANGE, "the number %.*s is beyond what a double can be",
              SLICE_ARG(token));
}

enum code value_read(struct slice text, enum value_order order, struct arena *arena,
                     struct value *to, struct err *err)
{
  struct json json;
  struct builder b = {.arena = arena, .order = order};
  json_init(&json, arena, text, err);
  for (;;) {
    struct value value = VALUE_OF_NULL;
    bool fits = true;
    enum json_kind kind = json_next(&json);
    switch (kind) {
      case JSON_BAD:
      case JSON_DONE: return json_end(&json);
      case JSON_KEY: b.key = json.text; continue;
      case JSON_OBJECT: builder_open(&b, VALUE_MAP); continue;
      case JSON_ARRAY: builder_open(&b, VALUE_LIST); continue;
      case JSON_OBJECT_END:
      case JSON_ARRAY_END: fits = builder_close(&b, to); break;
      case JSON_STRING: fits = builder_put(&b, value_of_text(json.text), to); break;
      case JSON_NUMBER:
        if (number_token_read(json.text, &value, err)) return E_VALUE_OUT_OF_RANGE;
        fits = builder_put(&b, value, to);
        break;
      case JSON_TRUE:
      case JSON_FALSE: fits = builder_put(&b, value_of_bool(kind == JSON_TRUE), to); break;
      case JSON_NULL: fits = builder_put(&b, value, to); break;
    }
    if (!fits) return no_room(err);
  }
}

/* --- from YAML ------------------------------------------------------------------------------- */

/* Whether JSON has this text as a number. */
static bool text_is_number(struct slice text)
{
  struct json json;
  struct arena none;
  arena_init(&none, 0, NULL);
  json_init(&json, &none, text, NULL);
  if (!text.len || (text.at[0] != '-' && (text.at[0] < '0' || text.at[0] > '9'))) return false;
  return json_next(&json) == JSON_NUMBER && json.text.len == text.len &&
         json_next(&json) == JSON_DONE;
}

static enum code scalar_read(const struct yaml *node, struct value *to, struct err *err)
{
  struct slice text = node->text;
  *to = value_of_text(text);
  if (node->kind == YAML_NULL)
    *to = VALUE_OF_NULL;
  else if (node->quoted)
    return OK;
  else if (slice_eq(text, SLICE("true")) || slice_eq(text, SLICE("false")))
    *to = value_of_bool(text.len == 4);
  else if (text_is_number(text) && number_token_read(text, to, err))
    return fail_at(err, "line %u, column %u", node->line, node->column);
  return OK;
}

enum code value_read_yaml(struct slice text, struct arena *arena, struct value *to, struct err *err)
{
  const struct yaml *node;
  struct builder b = {.arena = arena};
  if (yaml_parse(text, arena, &node, err)) return err->code;
  for (;;) { /* depth first */
    struct value value;
    bool open = node->kind == YAML_LIST || node->kind == YAML_MAP;
    b.key = node->key;
    if (open) {
      builder_open(&b, node->kind == YAML_LIST ? VALUE_LIST : VALUE_MAP);
    } else {
      if (scalar_read(node, &value, err)) return err->code;
      if (!builder_put(&b, value, to)) return no_room(err);
    }
    if (open && node->first) {
      node = node->first;
      continue;
    }
    if (open && !builder_close(&b, to)) return no_room(err);
    while (b.depth && !node->next) {
      node = node->parent;
      if (!builder_close(&b, to)) return no_room(err);
    }
    if (!b.depth) return OK;
    node = node->next;
  }
}

/* --- to JSON --------------------------------------------------------------------------------- */

static void scalar_write(struct json_out *to, const struct value *value)
{
  char text[NUMBER_TEXT_MAX];
  switch (value->kind) {
    case VALUE_BOOL: json_out_bool(to, value->yes); break;
    case VALUE_STRING: json_out_str(to, value->text); break;
    case VALUE_NUMBER:
      if (value->text.len)
        json_out_value(to, value->text);
      else if (isfinite(value->number))
        json_out_value(to, slice_of(text, number_text(value->number, text)));
      else
        json_out_null(to);
      break;
    default: json_out_null(to);
  }
}

void value_write(struct json_out *to, const struct value *value)
{
  const struct value *open[VALUE_DEPTH_MAX];
  uint32_t depth = 0;
  while (value) {
    if (depth && open[depth - 1]->kind == VALUE_MAP) json_out_key_of(to, value->key);
    bool list = value->kind == VALUE_LIST || value->kind == VALUE_MAP;
    if (list && depth < VALUE_DEPTH_MAX) {
      json_out_open(to, value->kind == VALUE_LIST ? '[' : '{');
      open[depth++] = value;
      if (value->first) {
        value = value->first;
        continue;
      }
      json_out_close(to, value->kind == VALUE_LIST ? ']' : '}');
      depth--;
    } else {
      scalar_write(to, value);
    }
    while (depth && !value->next) {
      value = open[--depth];
      json_out_close(to, value->kind == VALUE_LIST ? ']' : '}');
    }
    if (!depth) return;
    value = value->next;
  }
}
