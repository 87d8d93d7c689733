/* openapi.c - the route table as OpenAPI 3.1. What it says about bodies is little on purpose: the
 * protocol's own documents say the rest; what it says about routes cannot be wrong.
 * Thread: desk.
 * SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <stdio.h>

#include "api/handlers_int.h"
#include "api/render_int.h"
#include "api/routes.h"

static const char *const handler_names[] = {
#define ROUTE(method, path, kind, verb, resource, handler, body_max, help) #handler,
#define LATER(method, path, verb, resource, why)                           "not_built",
#include "api/routes.def"
#undef ROUTE
#undef LATER
};

/* "{rest*}" is "{rest}" in OpenAPI. Returns the parameters in order. */
static json_t *path_read(const char *pattern, char path[256])
{
  json_t *parameters = json_array();
  size_t n = 0;
  for (const char *at = pattern; *at; at++) {
    must(n + 1 < 256);
    if (*at != '*') path[n++] = *at;
    if (*at != '{') continue;
    size_t len = strcspn(at + 1, "*}");
    json_array_append_new(parameters, json_pack("{ss%,ss,sb,s{ss}}", "name", at + 1, len, "in",
                                                "path", "required", 1, "schema", "type", "string"));
  }
  path[n] = '\0';
  return parameters;
}

static json_t *operation_json(const struct route *row, uint32_t index, json_t *parameters)
{
  enum role role;
  json_t *tree = json_object();
  json_object_set_new(tree, "operationId", json_sprintf("%s_%u", handler_names[index], index));
  json_object_set_new(tree, "summary", json_string(row->help));
  must(authz_least(row->verb, row->resource, &role));
  json_object_set_new(tree, "x-verb", json_string(verb_name(row->verb)));
  json_object_set_new(tree, "x-resource", json_string(resource_name(row->resource)));
  json_object_set_new(tree, "x-role", json_string(role_name(role)));
  if (json_array_size(parameters)) json_object_set(tree, "parameters", parameters);
  if (row->body_max) {
    const char *type = row->kind == ROUTE_UPLOAD ? "application/octet-stream" : "application/json";
    json_object_set_new(
        tree, "requestBody",
        json_pack("{s{s{}}, sI}", "content", type, "x-bytes-max", (json_int_t)row->body_max));
  }
  json_object_set_new(tree, "responses",
                      json_pack("{s{ss},s{s:s}}", "2XX", "description", "done", "default", "$ref",
                                "#/components/responses/error"));
  return tree;
}

static json_t *components_json(void)
{
  json_t *codes = json_array();
  for (int code = 1; code < CODE_COUNT; code++)
    json_array_append_new(codes, json_string(code_name((enum code)code)));
  json_t *members =
      json_pack("{s{ss},s{ss,so},s{ss},s{ss}}", "error", "type", "string", "code", "type", "string",
                "enum", codes, "request_id", "type", "string", "details", "type", "object");
  json_t *schema = json_pack("{ss,s[s,s],so}", "type", "object", "required", "error", "code",
                             "properties", members);
  return json_pack("{s{s{ss,s{s{so}}}}}", "responses", "error", "description",
                   "what is wrong and what to do about it", "content", "application/json", "schema",
                   schema);
}

json_t *openapi_tree(const char *version)
{
  uint32_t n;
  const struct route *rows = routes_all(&n);
  json_t *paths = json_object();
  for (uint32_t i = 0; i < n; i++) {
    char path[256], verb[16];
    json_t *parameters = path_read(rows[i].pattern, path);
    json_t *item = json_object_get(paths, path);
    if (!item) {
      item = json_object();
      json_object_set_new(paths, path, item);
    }
    snprintf(verb, sizeof verb, "%s", http_method_name(rows[i].method));
    for (char *c = verb; *c; c++) *c = (char)tolower((unsigned char)*c);
    json_object_set_new(item, verb, operation_json(&rows[i], i, parameters));
    json_decref(parameters);
  }
  return json_pack("{ss,s{ss,ss,s{ss}},so,so}", "openapi", "3.1.0", "info", "title", "slipway",
                   "version", version, "license", "name", "MIT", "paths", paths, "components",
                   components_json());
}

enum desk_step openapi_json(struct ask *ask)
{
  return ask_json(ask, 200, openapi_tree(ask->desk->opts->version));
}
