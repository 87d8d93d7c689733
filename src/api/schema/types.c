/* types.c - what names in the notation stand for: types.def as JSON Schemas.
 * Thread: desk.
 * SPDX-License-Identifier: MIT */
#include "api/schema/schema_int.h"

#include <string.h>

#include "base/quota.h"
#include "base/role.h"
#include "base/tensor.h"
#include "judge/judge.h"
#include "judge/plan.h"
#include "judge/step.h"
#include "world/event.h"

#define TEXT(name, least, most, pattern, about)
#define TYPE(name, notation, about)
#define QUOTAS_SAID(name, scope, about)
#define NAMES(name, from, count, call, about) \
  static const char *name##_at(int i) { return call; }
#include "api/schema/types.def"
#undef NAMES

static const struct type {
  const char *name, *notation, *pattern, *about;
  int least, most;
  const char *(*at)(int i);
  enum quota_scope scope;
} types[] = {
#undef TEXT
#undef TYPE
#undef QUOTAS_SAID
#define TEXT(n, l, m, p, a)  {.name = #n, .pattern = p, .least = l, .most = m, .about = a},
#define TYPE(n, t, a)        {.name = #n, .notation = t, .about = a},
#define NAMES(n, f, m, c, a) {.name = #n, .least = f, .most = m, .at = n##_at, .about = a},
#define QUOTAS_SAID(n, s, a) {.name = #n, .scope = s, .about = a},
#include "api/schema/types.def"
#undef TEXT
#undef TYPE
#undef NAMES
#undef QUOTAS_SAID
};
enum { TYPES = sizeof types / sizeof *types };

const char *schema_type_notation(const char *name, size_t len)
{
  for (size_t i = 0; i < TYPES; i++)
    if (strlen(types[i].name) == len && memcmp(types[i].name, name, len) == 0 && types[i].notation)
      return types[i].notation;
  must(!"no such type");
  return NULL;
}

/* A number, or a text that people write: "64MiB", "unlimited". */
static json_t *quotas_said(enum quota_scope scope)
{
  json_t *members = json_object();
  for (int i = 0; i < QUOTAS; i++) {
    const struct quota_row *row = quota_row((enum quota_id)i);
    if (!(row->scope & scope)) continue;
    json_t *number = json_pack("{ss,si,sI,ss}", "type", "integer", "minimum", 1, "maximum",
                               (json_int_t)row->most, "description", row->help);
    bool bytes = strcmp(row->unit, "bytes") == 0;
    json_t *text = schema_of(bytes ? "quotaBytes|null" : "quotaText|null");
    json_array_insert_new(json_object_get(text, "anyOf"), 0, number);
    json_object_set_new(members, row->name, text);
  }
  return json_pack("{ss,si,so,sb}", "type", "object", "minProperties", 1, "properties", members,
                   "additionalProperties", 0);
}

static json_t *names_list(const struct type *type)
{
  json_t *list = json_array();
  for (int i = type->least; i < type->most; i++)
    json_array_append_new(list, json_string(type->at(i)));
  return json_pack("{ss,so}", "type", "string", "enum", list);
}

static json_t *type_schema(const struct type *type)
{
  if (type->notation) return schema_of(type->notation);
  if (type->at) return names_list(type);
  if (type->scope) return quotas_said(type->scope);
  return json_pack("{ss,si,si,ss}", "type", "string", "minLength", type->least, "maxLength",
                   type->most, "pattern", type->pattern);
}

json_t *schema_types(void)
{
  json_t *all = json_object();
  for (size_t i = 0; i < TYPES; i++) {
    json_t *schema = type_schema(&types[i]);
    if (types[i].about[0]) json_object_set_new(schema, "description", json_string(types[i].about));
    must(!json_object_get(all, types[i].name));
    json_object_set_new(all, types[i].name, schema);
  }
  return all;
}
