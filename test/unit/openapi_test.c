/* openapi_test.c - the OpenAPI document says something of every route, and the notation it is
 * written in means what schema_int.h says.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "api/ask_int.h"
#include "api/render_int.h"
#include "api/routes.h"
#include "api/schema/schema_int.h"
#include "base/mem.h"
#include "test.h"

static void schema_expect(const char *notation, const char *want)
{
  json_error_t error;
  json_t *got = schema_of(notation), *tree = json_loads(want, JSON_DECODE_ANY, &error);
  EXPECT(tree != NULL);
  char *text = json_dumps(got, JSON_COMPACT | JSON_SORT_KEYS);
  if (!json_equal(got, tree)) EXPECT_STR(text, want);
  ungrab(text);
  json_decref(got);
  json_decref(tree);
}

TEST(the_notation_is_json_schema)
{
  json_start();
  schema_expect("int(1..9)", "{\"type\":\"integer\",\"minimum\":1,\"maximum\":9}");
  schema_expect("number(0..0.5)", "{\"type\":\"number\",\"minimum\":0,\"maximum\":0.5}");
  schema_expect("above(0..)", "{\"type\":\"number\",\"exclusiveMinimum\":0}");
  schema_expect("text(..64)", "{\"type\":\"string\",\"maxLength\":64}");
  schema_expect("model", "{\"$ref\":\"#/components/schemas/model\"}");
  schema_expect("'A'", "{\"enum\":[\"A\"]}");
  schema_expect("'A' | 'B' | null", "{\"anyOf\":[{\"enum\":[\"A\",\"B\"]},{\"type\":\"null\"}]}");
  schema_expect("(int|null)[1..2]",
                "{\"type\":\"array\",\"minItems\":1,\"maxItems\":2,\"items\":"
                "{\"anyOf\":[{\"type\":\"integer\"},{\"type\":\"null\"}]}}");
  schema_expect("{a: bool, b-c?: null}",
                "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"boolean\"},\"b-c\":"
                "{\"type\":\"null\"}},\"required\":[\"a\"],\"additionalProperties\":false}");
  schema_expect("{a?: any, ...}",
                "{\"type\":\"object\",\"properties\":{\"a\":{}},"
                "\"additionalProperties\":true}");
  schema_expect("{(1..5) *name: int}",
                "{\"type\":\"object\",\"properties\":{},\"minProperties\":1,\"maxProperties\":5,"
                "\"propertyNames\":{\"$ref\":\"#/components/schemas/name\"},"
                "\"additionalProperties\":{\"type\":\"integer\"}}");
  schema_expect("{+ready, ready: yes}",
                "{\"type\":\"object\",\"properties\":{\"name\":{\"$ref\":"
                "\"#/components/schemas/name\"},\"ready\":{\"enum\":[true]}},"
                "\"required\":[\"name\",\"ready\"],\"additionalProperties\":false}");
}

/* ---- the document ---- */

static json_t *document(void)
{
  json_start();
  return openapi_tree("1");
}

static const json_t *resolved(const json_t *tree, const json_t *node)
{
  const char *ref = json_string_value(json_object_get(node, "$ref"));
  char part[128];
  while (ref) {
    node = tree;
    EXPECT(strncmp(ref, "#/", 2) == 0);
    for (const char *at = ref + 2; *at;) {
      size_t n = strcspn(at, "/");
      snprintf(part, sizeof part, "%.*s", (int)n, at);
      node = json_object_get(node, part);
      at += n + (at[n] == '/');
    }
    if (!node) printf("%s leads nowhere\n", ref);
    EXPECT(node != NULL);
    ref = json_string_value(json_object_get(node, "$ref"));
  }
  return node;
}

/* Every reference leads somewhere, and every object says whether it takes unknown members. */
static void walk(const json_t *tree, const json_t *node)
{
  const char *key;
  json_t *child;
  size_t i;
  const char *type = json_string_value(json_object_get(node, "type"));
  if (json_is_object(node)) resolved(tree, node);
  if (type && strcmp(type, "object") == 0 && json_object_get(node, "properties"))
    EXPECT(json_object_get(node, "additionalProperties") != NULL);
  json_object_foreach((json_t *)(uintptr_t)node, key, child) walk(tree, child);
  json_array_foreach(node, i, child) walk(tree, child);
}

TEST(references_lead_somewhere_and_objects_say_whether_they_are_closed)
{
  json_t *tree = document();
  walk(tree, tree);
  json_decref(tree);
}

/* A body that is said to be anything is not said. */
static uint32_t contents_expect(const json_t *tree, const json_t *response, const char *what)
{
  const char *media;
  json_t *one;
  uint32_t n = 0;
  json_object_foreach(json_object_get(resolved(tree, response), "content"), media, one)
  {
    const json_t *schema = resolved(tree, json_object_get(one, "schema"));
    if (!json_object_size(schema)) printf("%s: %s is anything\n", what, media);
    EXPECT(json_object_size(schema) > 0);
    n++;
  }
  return n;
}

static void operation_expect(const json_t *tree, const json_t *operation, const struct route *row)
{
  const char *status;
  json_t *response;
  bool good = false;
  EXPECT(json_array_size(json_object_get(operation, "security")) >= 2);
  json_object_foreach(json_object_get(operation, "responses"), status, response)
  {
    uint32_t n = contents_expect(tree, response, row->pattern);
    EXPECT(n > 0 || strcmp(status, "304") == 0);
    good = good || status[0] == '2';
  }
  if (good != !row->later) printf("%s says no good answer\n", row->pattern);
  EXPECT(good == !row->later);
  const json_t *body = json_object_get(operation, "requestBody");
  if (!row->later && (body != NULL) != (row->body_max > 0))
    printf("%s: %s\n", row->pattern, body ? "a body that is refused" : "its body is not said");
  EXPECT(row->later || (body != NULL) == (row->body_max > 0));
}

static bool parameter_is_there(const json_t *operation, const char *name)
{
  json_t *one;
  size_t i;
  json_array_foreach(json_object_get(operation, "parameters"), i, one)
  {
    const char *have = json_string_value(json_object_get(one, "name"));
    if (have && strcmp(have, name) == 0) return true;
  }
  return false;
}

/* A link leads to an operation that has its parameters. */
static void links_expect(json_t *operations)
{
  const char *id, *status, *name, *parameter;
  json_t *operation, *response, *link, *value;
  uint32_t n = 0;
  json_object_foreach(operations, id, operation)
      json_object_foreach(json_object_get(operation, "responses"), status, response)
          json_object_foreach(json_object_get(response, "links"), name, link)
  {
    const json_t *to =
        json_object_get(operations, json_string_value(json_object_get(link, "operationId")));
    if (!to) printf("%s: there is no operation %s\n", id, name);
    EXPECT(to != NULL);
    json_object_foreach(json_object_get(link, "parameters"), parameter, value)
    {
      EXPECT(parameter_is_there(to, parameter));
      EXPECT(strncmp(json_string_value(value), "$re", 3) == 0);
    }
    n++;
  }
  EXPECT(n > 20);
}

TEST(every_route_says_what_it_takes_and_answers)
{
  uint32_t n;
  const struct route *rows = routes_all(&n);
  json_t *tree = document(), *ids = json_object();
  for (uint32_t i = 0; i < n; i++) {
    char path[256], verb[16];
    size_t len = 0;
    for (const char *at = rows[i].pattern; *at; at++)
      if (*at != '*') path[len++] = *at;
    path[len] = '\0';
    snprintf(verb, sizeof verb, "%s", http_method_name(rows[i].method));
    for (char *c = verb; *c; c++) *c = (char)(*c | 0x20);
    const json_t *item = json_object_get(json_object_get(tree, "paths"), path);
    const json_t *operation = json_object_get(item, verb);
    EXPECT(operation != NULL);
    operation_expect(tree, operation, &rows[i]);
    const char *id = json_string_value(json_object_get(operation, "operationId"));
    EXPECT(id && !json_object_get(ids, id));
    json_object_set(ids, id, (json_t *)(uintptr_t)operation);
  }
  links_expect(ids);
  json_decref(ids);
  json_decref(tree);
}
