/* openapi.c - the route table and its forms as OpenAPI 3.1: what is the same for every route is
 * said here, what is not in forms.def, and what names stand for in types.def.
 * Thread: desk.
 * SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/handlers_int.h"
#include "api/render_int.h"
#include "api/routes.h"
#include "api/schema/schema_int.h"
#include "base/mem.h"

/* What any route may be refused with: the wire, who asks, as whom, how often, and our mistakes. */
static const enum code everywhere[] = {E_BAD_REQUEST,
                                       E_UNAUTHENTICATED,
                                       E_DENIED,
                                       E_NOT_FOUND,
                                       E_REQUEST_TIMEOUT,
                                       E_BODY_TOO_LARGE,
                                       E_URI_TOO_LONG,
                                       E_RATE_LIMITED,
                                       E_INTERNAL,
                                       E_UNSUPPORTED_MEDIA,
                                       E_EXPECTATION_FAILED,
                                       E_OVERLOADED,
                                       OK};

/* ---- parameters ---- */

/* A member of "name?: T" as a parameter. */
struct parameters {
  json_t *list;
  const char *in;
};

static void parameter_add(void *arg, const char *name, bool required, json_t *schema)
{
  struct parameters *to = arg;
  json_t *parameter = json_pack("{ss,ss,so}", "name", name, "in", to->in, "schema", schema);
  if (required) json_object_set_new(parameter, "required", json_true());
  json_array_append_new(to->list, parameter);
}

/* What a parameter of a path is called says what it is. */
static const char *path_type(const char *path, const char *name)
{
  static const struct {
    const char *path, *name, *type;
  } rows[] = {
      {"/v", "model", "modelRef"},     {"/v", "version", "version"}, {"", "model", "name"},
      {"", "version", "versionRef"},   {"", "tenant", "tenantName"}, {"", "key", "keyId"},
      {"", "upload", "uploadId"},      {"", "alias", "alias"},       {"", "request", "requestId"},
      {"", "number", "releaseNumber"}, {"", "repository", "name"},   {"", "rest", "rest"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (strncmp(path, rows[i].path, strlen(rows[i].path)) == 0 && strcmp(name, rows[i].name) == 0)
      return strstr(path, "{version}") && i == 0 ? "name" : rows[i].type;
  must(!"a path's parameter that nobody described: path_type, or .path of its form");
  return NULL;
}

/* Where the form says another type than the name does. */
static void path_parameter_replace(void *arg, const char *name, bool required, json_t *schema)
{
  json_t *list = arg, *one;
  size_t i;
  (void)required;
  json_array_foreach(list, i, one) if (strcmp(json_string_value(json_object_get(one, "name")),
                                              name) == 0) json_object_set(one, "schema", schema);
  json_decref(schema);
}

/* "{rest*}" is "{rest}" in OpenAPI. */
static void path_read(const char *pattern, char path[256], json_t *list)
{
  struct parameters to = {list, "path"};
  size_t n = 0;
  for (const char *at = pattern; *at; at++) {
    must(n + 1 < 256);
    if (*at != '*') path[n++] = *at;
    if (*at != '{') continue;
    char name[32];
    int len = (int)strcspn(at + 1, "*}");
    snprintf(name, sizeof name, "%.*s", len, at + 1);
    parameter_add(&to, name, true, schema_of(path_type(pattern, name)));
  }
  path[n] = '\0';
}

static json_t *parameters_json(const struct route *row, const struct form *form, char path[256])
{
  struct parameters query = {json_array(), "query"}, head = {query.list, "header"};
  path_read(row->pattern, path, query.list);
  if (form->path) schema_members(form->path, path_parameter_replace, query.list);
  if (form->query) schema_members(form->query, parameter_add, &query);
  if (form->head) schema_members(form->head, parameter_add, &head);
  json_array_append_new(query.list, json_pack("{ss}", "$ref", "#/components/parameters/tenant"));
  json_array_append_new(query.list, json_pack("{ss}", "$ref", "#/components/parameters/requestId"));
  return query.list;
}

/* ---- bodies ---- */

static json_t *body_json(const struct route *row, const struct form *form)
{
  json_t *schema = schema_of(form->body), *content = json_object();
  const char *media = form->media;
  if (!media) media = row->kind == ROUTE_UPLOAD ? "application/octet-stream" : "application/json";
  while (*media) {
    size_t len = strcspn(media, ",");
    json_object_setn_new(content, media, len, json_pack("{sO}", "schema", schema));
    media += len;
    media += strspn(media, ", ");
  }
  json_decref(schema);
  return json_pack("{sb,so,sI}", "required", !form->body_free, "content", content, "x-bytes-max",
                   (json_int_t)row->body_max);
}

/* ---- answers ---- */

static void header_add(void *arg, const char *name, bool required, json_t *schema)
{
  json_object_set_new(arg, name, json_pack("{so,sb}", "schema", schema, "required", (int)required));
}

static json_t *response_new(const char *description, const char *headers)
{
  json_t *fields =
      json_pack("{s{ss}}", "x-request-id", "$ref", "#/components/headers/x-request-id");
  if (headers) schema_members(headers, header_add, fields);
  return json_pack("{ss,so}", "description", description, "headers", fields);
}

/* Another form of the body, beside those that are there. */
static void content_add(json_t *response, const char *media, json_t *schema)
{
  json_t *content = json_object_get(response, "content");
  if (!content) json_object_set_new(response, "content", content = json_object());
  json_t *have = json_object_get(json_object_get(content, media), "schema");
  if (have) schema = json_pack("{s[O,o]}", "anyOf", have, schema);
  json_object_set_new(content, media, json_pack("{so}", "schema", schema));
}

/* "model_show: model=$response.body#/model; ..." */
static json_t *links_json(const char *at)
{
  json_t *links = json_object();
  while (*at) {
    size_t name = strcspn(at, ":"), len = strcspn(at, ";");
    must(name < len);
    json_t *parameters = json_object();
    json_t *link = json_pack("{ss%,so}", "operationId", at, name, "parameters", parameters);
    json_object_setn_new(links, at, name, link);
    const char *end = at + len;
    for (at += name + 2; at < end;) {
      size_t key = strcspn(at, "="), more = strcspn(at, ",;");
      json_object_setn_new(parameters, at, key, json_stringn(at + key + 1, more - key - 1));
      at += more;
      if (*at == ',') at += 2;
    }
    if (*at == ';') at += 2;
  }
  return links;
}

/* "200: T; 200 text/plain: T; 304" */
static void answers_read(const struct form *form, const char *help, json_t *responses)
{
  const char *at = form->answers;
  while (at && *at) {
    char status[4] = "", media[64] = "application/json", text[1536];
    const char *end = strstr(at, "; ");
    size_t len = end ? (size_t)(end - at) : strlen(at);
    must(len < sizeof text && len >= 3);
    memcpy(text, at, len);
    text[len] = '\0';
    memcpy(status, text, 3);
    json_t *response = json_object_get(responses, status);
    if (!response) {
      response = response_new(help, form->gives);
      if (form->links) json_object_set_new(response, "links", links_json(form->links));
      json_object_set_new(responses, status, response);
    }
    char *type = strstr(text, ": ");
    if (text[3] == ' ') snprintf(media, sizeof media, "%.*s", (int)(type - text - 4), text + 4);
    if (type) content_add(response, media, schema_of(type + 2));
    at += end ? len + 2 : len;
  }
}

static void refusals_add(const struct form *form, const enum code *codes, json_t *responses)
{
  for (; codes && *codes; codes++) {
    char status[4], ref[48];
    int http = code_http(*codes);
    snprintf(status, sizeof status, "%d", http);
    snprintf(ref, sizeof ref, "#/components/responses/%d", http);
    json_t *have = json_object_get(responses, status);
    if (!have && (!form->refusal || (http != 400 && http != 404))) {
      json_object_set_new(responses, status, json_pack("{ss}", "$ref", ref));
    } else if (!have) {
      have = response_new("what is wrong", NULL);
      content_add(have, "application/json", schema_of(form->refusal));
      content_add(have, "application/json", schema_of("error"));
      json_object_set_new(responses, status, have);
    } else if (json_object_get(have, "content") && !json_object_get(have, "x-refused")) {
      if (!form->refusal) content_add(have, "application/json", schema_of("error"));
      json_object_set_new(have, "x-refused", json_true());
    }
  }
}

/* ---- operations ---- */

static json_t *security_json(enum role least)
{
  json_t *list = json_pack("[{s[]},{s[]}]", "bearer", "header");
  if (least == ROLE_ANYBODY) json_array_insert_new(list, 0, json_object());
  return list;
}

/* The handler's name; the second of its routes has _2 behind it, and so on. */
static json_t *operation_id(const struct form *form, uint32_t index)
{
  char name[64];
  uint32_t place = 1;
  for (uint32_t i = 0; i < index; i++) place += form_of_row(i) == form;
  snprintf(name, sizeof name, "%s", form->name);
  for (char *c = name; *c; c++) *c = (char)tolower((unsigned char)*c);
  return place > 1 ? json_sprintf("%s_%u", name, place) : json_string(name);
}

static json_t *operation_json(const struct route *row, uint32_t index, char path[256])
{
  enum role role;
  const struct form *form = form_of_row(index);
  json_t *tree = json_object(), *responses = json_object();
  json_object_set_new(tree, "operationId", operation_id(form, index));
  json_object_set_new(tree, "summary", json_string(row->help));
  must(authz_least(row->verb, row->resource, &role));
  json_object_set_new(tree, "tags", json_pack("[s]", resource_name(row->resource)));
  json_object_set_new(tree, "x-verb", json_string(verb_name(row->verb)));
  json_object_set_new(tree, "x-resource", json_string(resource_name(row->resource)));
  json_object_set_new(tree, "x-role", json_string(role_name(role)));
  json_object_set_new(tree, "security", security_json(role));
  json_object_set_new(tree, "parameters", parameters_json(row, form, path));
  if (form->body) json_object_set_new(tree, "requestBody", body_json(row, form));
  answers_read(form, row->help, responses);
  refusals_add(form, everywhere, responses);
  refusals_add(form, form->codes, responses);
  json_object_set_new(tree, "responses", responses);
  return tree;
}

/* ---- what all share ---- */

/* One for each status that err.def knows, with the codes that mean it. */
static json_t *refusals_json(void)
{
  json_t *all = json_object();
  for (int code = 1; code < CODE_COUNT; code++) {
    char status[8];
    int http = code_http((enum code)code);
    snprintf(status, sizeof status, "%d", http);
    if (json_object_get(all, status)) continue;
    json_t *codes = json_array();
    struct buf text;
    buf_init(&text, 1024);
    for (int other = code; other < CODE_COUNT; other++) {
      if (code_http((enum code)other) != http) continue;
      buf_print(&text, "%s%s", json_array_size(codes) ? ", " : "", code_name((enum code)other));
      json_array_append_new(codes, json_string(code_name((enum code)other)));
    }
    buf_add(&text, slice_of("", 1));
    const char *headers = http == 401   ? "WWW-Authenticate: 'Bearer'"
                          : http == 429 ? "Retry-After: int(1..), x-slipway-retry-after-ms?: count"
                          : http == 503 ? "Retry-After?: int(1..), x-slipway-retry-after-ms?: count"
                                        : NULL;
    json_t *response = response_new(text.at, headers);
    buf_deinit(&text);
    content_add(response, "application/json",
                json_pack("{s[o,{s{s{so}}}]}", "allOf", schema_of("error"), "properties", "code",
                          "enum", codes));
    json_object_set_new(all, status, response);
  }
  return all;
}

static json_t *components_json(void)
{
  json_t *schemes = json_pack(
      "{s{ss,ss,ss},s{ss,ss,ss,ss}}", "bearer", "type", "http", "scheme", "bearer", "description",
      "an API key: slw_...; callers on the server's own machine need none unless keys_only is set",
      "header", "type", "apiKey", "in", "header", "name", "X-API-Key", "description",
      "the same key, for clients that cannot say Bearer");
  json_t *parameters = json_pack(
      "{s{ss,ss,so,ss},s{ss,ss,so,ss}}", "tenant", "name", "x-slipway-tenant", "in", "header",
      "schema", schema_of("name"), "description",
      "the tenant to act in: an operator may name any, everybody else their own", "requestId",
      "name", "x-request-id", "in", "header", "schema", schema_of("text"), "description",
      "1 to 64 visible ASCII characters come back with the answer and are what feedback names; in "
      "place of anything else the server makes an id");
  json_t *id = json_pack("{so,sb}", "schema", schema_of("requestId"), "required", 1);
  return json_pack("{so,so,so,so,s{so}}", "schemas", schema_types(), "responses", refusals_json(),
                   "securitySchemes", schemes, "parameters", parameters, "headers", "x-request-id",
                   id);
}

json_t *openapi_tree(const char *version)
{
  uint32_t n;
  const struct route *rows = routes_all(&n);
  json_t *paths = json_object();
  for (uint32_t i = 0; i < n; i++) {
    char path[256], verb[16];
    json_t *operation = operation_json(&rows[i], i, path);
    json_t *item = json_object_get(paths, path);
    if (!item) {
      item = json_object();
      json_object_set_new(paths, path, item);
    }
    snprintf(verb, sizeof verb, "%s", http_method_name(rows[i].method));
    for (char *c = verb; *c; c++) *c = (char)tolower((unsigned char)*c);
    json_object_set_new(item, verb, operation);
  }
  return json_pack("{ss,s{ss,ss,s{ss,ss}},so,so}", "openapi", "3.1.0", "info", "title", "slipway",
                   "version", version, "license", "name", "MIT", "identifier", "MIT", "paths",
                   paths, "components", components_json());
}

enum desk_step openapi_json(struct ask *ask)
{
  struct desk *desk = ask->desk;
  if (!desk->openapi) {
    json_t *tree = openapi_tree(desk->opts->version);
    char *text = json_dumps(tree, JSON_COMPACT);
    desk->openapi = blob_copy(slice_str(text));
    ungrab(text);
    json_decref(tree);
  }
  return ask_text(ask, 200, "application/json", blob_share(desk->openapi));
}
