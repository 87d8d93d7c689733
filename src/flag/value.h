/* value.h - JSON as a read-only tree: flag files, contexts, what rules compute.
 * Thread: any, pure: memory only from the given arena, no recursion.
 * Members of a list or map are linked by `next`. A number from a text keeps its token, so that 1.0
 * stays 1.0 when it is written again.
 * SPDX-License-Identifier: MIT */
#ifndef FLAG_VALUE_H
#define FLAG_VALUE_H

#include "base/err.h"
#include "wire/json_out.h"

enum value_kind {
  VALUE_NONE, /* nothing there: an argument that was not given */
  VALUE_NULL,
  VALUE_BOOL,
  VALUE_NUMBER,
  VALUE_STRING,
  VALUE_LIST,
  VALUE_MAP,
};

enum { VALUE_DEPTH_MAX = 128 }; /* of a tree that is walked: deeper ones are cut or refused */

struct value {
  enum value_kind kind;
  uint32_t n; /* LIST, MAP: members */
  bool yes;   /* BOOL */
  double number;
  struct slice text; /* STRING; NUMBER: its token, or empty when it was computed */
  struct slice key;  /* a member of a map */
  const struct value *first, *next;
};

enum value_order { VALUE_AS_WRITTEN, VALUE_SORTED };

/* Strict JSON (wire/json.h says how strict). SORTED: members of maps by key, byte order: texts that
 * mean the same give the same tree. The text must outlive the tree. */
CHECKED enum code value_read(struct slice text, enum value_order order, struct arena *arena,
                             struct value *to, struct err *err);
/* The same values as YAML (wire/yaml.h): a plain scalar is null, true, false, a JSON number or else
 * a string. */
CHECKED enum code value_read_yaml(struct slice text, struct arena *arena, struct value *to,
                                  struct err *err);
/* Compact JSON; a number without a token as JSON has it (NaN and infinities: null). */
void value_write(struct json_out *to, const struct value *value);

/* NULL when map is no map or has no such member. */
const struct value *value_get(const struct value *map, struct slice key);
/* How deep lists and maps are nested in it: 0 for others, 1 for [1]; VALUE_DEPTH_MAX at most. */
uint32_t value_depth(const struct value *value);
const char *value_kind_name(enum value_kind kind); /* "a string" */

static inline struct value value_of_bool(bool yes)
{
  return (struct value){.kind = VALUE_BOOL, .yes = yes};
}

static inline struct value value_of_number(double number)
{
  return (struct value){.kind = VALUE_NUMBER, .number = number};
}

static inline struct value value_of_text(struct slice text)
{
  return (struct value){.kind = VALUE_STRING, .text = text};
}

#define VALUE_OF_NULL ((struct value){.kind = VALUE_NULL})

/* A list or map under construction. */
struct value_list {
  struct value *first, *last;
  uint32_t n;
};

/* Appends a copy; false past the arena's cap. */
bool value_list_add(struct value_list *list, struct arena *arena, const struct value *value);
static inline struct value value_of_list(const struct value_list *list)
{
  return (struct value){.kind = VALUE_LIST, .n = list->n, .first = list->first};
}

#endif
