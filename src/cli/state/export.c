/* export.c - `slipway plan --export`: what a tenant is like, as the file that plan and apply read.
 * Thread: main (own).
 * Several calls read it, so it is planned before it is shown: what goes out is known to differ in
 * nothing, with --prune too. Versions go out by digest, aliases by number.
 * SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cli/out.h"
#include "cli/state/state.h"

enum { READS_MAX = 3, TEXT_MAX = 4 << 20 };

struct export {
  const struct cli *cli;
  struct client *client;
  char tenant[TENANT_MAX];
  struct buf text;
  json_t *models, *quotas; /* as the server lists them */
  struct err err;
};

/* ---- YAML ---- */

/* What JSON lets stand and YAML does not: DEL, C1 controls, line and paragraph separators, the byte
 * order mark, U+FFFE and U+FFFF. How many bytes that character has; 0: it is none of them. */
static size_t escaped(struct slice rest, unsigned *point)
{
  const unsigned char *at = (const unsigned char *)rest.at;
  if (at[0] == 0x7f) return *point = 0x7f, 1;
  if (rest.len > 1 && at[0] == 0xc2 && at[1] < 0xa0) return *point = at[1], 2;
  if (rest.len < 3 || (at[0] != 0xe2 && at[0] != 0xef)) return 0;
  *point = (unsigned)(at[0] & 0xf) << 12 | (unsigned)(at[1] & 0x3f) << 6 | (at[2] & 0x3f);
  bool bad = *point == 0x2028 || *point == 0x2029 || *point == 0xfeff || *point >= 0xfffe;
  return bad ? 3 : 0;
}

/* JSON text as YAML. */
static void json_add(struct buf *to, struct slice json)
{
  size_t from = 0;
  for (size_t i = 0; i < json.len;) {
    unsigned point;
    size_t n = escaped(slice_of(json.at + i, json.len - i), &point);
    if (n) {
      buf_add(to, slice_of(json.at + from, i - from));
      buf_print(to, "\\u%04x", point);
      from = i + n;
    }
    i += n ? n : 1;
  }
  buf_add(to, slice_of(json.at + from, json.len - from));
}

/* Words that some reader of YAML takes for something else than a text are quoted. */
static bool is_plain(struct slice text)
{
  static const char *const others[] = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"};
  if (!text.len || !isalpha((unsigned char)text.at[0])) return false;
  for (size_t i = 0; i < text.len; i++)
    if (!isalnum((unsigned char)text.at[i]) && !strchr("_-./", text.at[i])) return false;
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    if (text.len == strlen(others[i]) && strncasecmp(text.at, others[i], text.len) == 0)
      return false;
  return true;
}

static void text_add(struct buf *to, struct slice text)
{
  struct buf json;
  if (is_plain(text)) {
    buf_add(to, text);
    return;
  }
  buf_init(&json, TEXT_MAX);
  buf_json(&json, text);
  json_add(to, buf_lend(&json));
  to->full |= json.full;
  buf_deinit(&json);
}

static void key_add(struct buf *to, int indent, struct slice key)
{
  buf_print(to, "%*s", indent, "");
  text_add(to, key);
  buf_add(to, SLICE(":"));
}

static void member_add(struct buf *to, int indent, const char *name, const char *text)
{
  if (!text[0]) return;
  key_add(to, indent, slice_str(name));
  buf_add(to, SLICE(" "));
  text_add(to, slice_str(text));
  buf_add(to, SLICE("\n"));
}

/* Texts and numbers by name; nothing where there are none. */
static void map_add(struct buf *to, int indent, const char *name, const json_t *map)
{
  const char *key;
  json_t *value;
  if (json_object_size(map)) buf_print(to, "%*s%s:\n", indent, "", name);
  json_object_foreach((json_t *)(uintptr_t)map, key, value)
  {
    if (json_is_string(value)) {
      key_add(to, indent + 2, slice_str(key));
      buf_add(to, SLICE(" "));
      text_add(to, slice_str(json_string_value(value)));
      buf_add(to, SLICE("\n"));
    } else {
      key_add(to, indent + 2, slice_str(key));
      buf_print(to, " %lld\n", (long long)json_integer_value(value));
    }
  }
}

/* Of limits in use, those that somebody set. */
static void quotas_add(struct buf *to, int indent, const json_t *quotas)
{
  const char *name;
  json_t *row, *said = json_object();
  json_object_foreach((json_t *)(uintptr_t)quotas, name, row)
  {
    json_t *limit = json_object_get(row, "limit");
    if (!json_is_true(json_object_get(row, "said"))) continue;
    if (json_is_integer(limit))
      json_object_set(said, name, limit);
    else
      json_object_set_new(said, name, json_string("unlimited"));
  }
  map_add(to, indent, "quotas", said);
  json_decref(said);
}

/* ---- what there is ---- */

static enum code get(struct export *export, const char *path, struct answer *answer)
{
  *answer = (struct answer){0};
  return client_call(export->client, "GET", path, SLICE_NONE, 0, answer, &export->err);
}

/* To others than its admins it does not say what it is about. */
static enum code about_export(struct export *export)
{
  char path[CLIENT_PATH_MAX];
  struct answer answer = {0};
  if (client_path(path, &export->err, "/api/v1/tenants/%s", export->tenant))
    return export->err.code;
  enum code code = get(export, path, &answer);
  if (code == OK) member_add(&export->text, 0, "about", get_str(answer.json, "about"));
  if (code == E_DENIED) buf_print(&export->text, "# about: it takes an admin to see that\n");
  answer_free(&answer);
  return code == E_DENIED ? (export->err.code = OK) : code;
}

static enum code digest_export(struct export *export, const char *model, uint64_t version)
{
  char path[CLIENT_PATH_MAX];
  struct answer answer;
  if (client_path(path, &export->err, "/api/v1/models/%s", model)) return export->err.code;
  size_t len = strlen(path);
  snprintf(path + len, sizeof path - len, "/versions/%llu", (unsigned long long)version);
  if (get(export, path, &answer) == OK)
    buf_print(&export->text, "    digest: \"%s\" # version %llu, which serves\n",
              get_str(answer.json, "digest"), (unsigned long long)version);
  answer_free(&answer);
  return export->err.code;
}

static enum code model_export(struct export *export, const json_t *model)
{
  static const char *const texts[] = {"description", "hold", "pin"};
  const char *name = get_str(model, "name");
  uint64_t serving = get_u64(model, "serving");
  struct buf *to = &export->text;
  key_add(to, 2, slice_str(name));
  size_t bare = to->len;
  buf_add(to, SLICE("\n"));
  size_t empty = to->len;
  if (serving && digest_export(export, name, serving)) return export->err.code;
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    member_add(to, 4, texts[i], get_str(model, texts[i]));
  map_add(to, 4, "tags", json_object_get(model, "tags"));
  quotas_add(to, 4, json_object_get(export->quotas, name));
  map_add(to, 4, "aliases", json_object_get(model, "aliases"));
  if (to->len == empty) {
    to->len = bare;
    buf_add(to, SLICE(" {}\n"));
  }
  return OK;
}

static enum code models_export(struct export *export)
{
  const json_t *model;
  size_t i;
  export->models = json_array();
  if (client_pages(export->client, "/api/v1/models", "models", export->models, &export->err))
    return export->err.code;
  buf_print(&export->text, json_array_size(export->models) ? "models:\n" : "models: {}\n");
  json_array_foreach(export->models, i, model)
    if (model_export(export, model)) return export->err.code;
  return OK;
}

/* Numbers in rules keep their digits: the answer is read as YAML, which JSON is once escaped. */
static enum code flags_export(struct export *export)
{
  struct answer answer;
  struct arena arena;
  struct buf body;
  struct json_out out;
  const struct yaml *root = NULL;
  arena_init(&arena, DECLARATION_BYTES_MAX, NULL);
  buf_init(&body, TEXT_MAX);
  if (get(export, "/api/v1/flags", &answer) == OK) {
    json_add(&body, buf_lend(&answer.body));
    if (yaml_parse(buf_lend(&body), &arena, &root, &export->err) != OK) root = NULL;
  }
  const struct yaml *flags = yaml_path(root, "file.flags");
  if (root) buf_print(&export->text, flags && flags->first ? "flags:\n" : "flags: {}\n");
  for (const struct yaml *flag = flags ? flags->first : NULL; flag; flag = flag->next) {
    struct slice key = flag->key;
    json_out_init(&out, &arena, 256);
    node_write(&out, flag);
    key_add(&export->text, 2, key);
    buf_add(&export->text, SLICE(" "));
    json_add(&export->text, json_out_lend(&out));
    buf_add(&export->text, SLICE("\n"));
    export->text.full |= out.full;
  }
  answer_free(&answer);
  buf_deinit(&body);
  arena_deinit(&arena);
  return export->err.code;
}

static enum code all_export(struct export *export)
{
  struct answer answer;
  struct buf *to = &export->text;
  buf_reset(to);
  json_decref(export->models);
  export->models = NULL;
  if (get(export, "/api/v1/quotas", &answer) == OK) {
    export->quotas = json_object_get(answer.json, "models");
    buf_print(to, "# As it was exported; slipway plan FILE tells what has changed since.\n");
    member_add(to, 0, "tenant", export->tenant);
    if (about_export(export) == OK) {
      quotas_add(to, 0, json_object_get(answer.json, "quotas"));
      if (models_export(export) == OK) (void)!flags_export(export);
    }
  }
  answer_free(&answer);
  if (export->err.code == OK && to->full)
    fail(&export->err, E_LIMIT_EXCEEDED, "what tenant '%s' is like takes more than %d MiB",
         export->tenant, TEXT_MAX >> 20);
  return export->err.code;
}

/* ---- whether it is so ---- */

/* The plan of what was written, which is to have no changes. body: as it is sent. */
static enum code export_plan(struct export *export, struct arena *arena, struct slice *body,
                             json_t **plan)
{
  struct declaration declaration;
  struct answer answer = {0};
  *plan = NULL;
  enum code code = declaration_read_text(&declaration, buf_lend(&export->text), "the export",
                                         &export->err);
  if (!code)
    code = wish_write(&declaration.wishes[0], arena, true, true, NULL, body, &export->err);
  if (!code)
    code = client_call(export->client, "POST", "/api/v1/state/plan", *body, 0, &answer,
                       &export->err);
  if (code && declaration.n_wishes) wish_place(&declaration.wishes[0], &export->err);
  if (!code) *plan = json_incref(answer.json);
  answer_free(&answer);
  declaration_deinit(&declaration);
  return code;
}

/* Shows it when it is so; *changed: it is not. */
static enum code export_show(struct export *export, bool *changed)
{
  struct arena arena;
  struct slice body;
  json_t *plan;
  arena_init(&arena, DECLARATION_BYTES_MAX, NULL);
  enum code code = export_plan(export, &arena, &body, &plan);
  const json_t *first = json_array_get(json_object_get(plan, "changes"), 0);
  *changed = first != NULL;
  if (!code && first)
    code = fail(&export->err, E_CONFLICT,
                "tenant '%s' was changed while it was read (%s %.60s %.60s); export it again",
                export->tenant, get_str(first, "what"), get_str(first, "model"),
                get_str(first, "name"));
  struct slice shown = export->cli->args.json ? body : buf_lend(&export->text);
  if (!code) fwrite(shown.at, 1, shown.len, stdout);
  if (!code && export->cli->args.json) putchar('\n');
  json_decref(plan);
  arena_deinit(&arena);
  return code;
}

int state_export(const struct cli *cli)
{
  struct export export = {.cli = cli};
  struct answer answer = {0};
  bool changed = true;
  buf_init(&export.text, TEXT_MAX);
  if (client_new(&export.client, cli, &export.err) == OK &&
      get(&export, "/api/v1/whoami", &answer) == OK)
    snprintf(export.tenant, sizeof export.tenant, "%s", get_str(answer.json, "tenant"));
  answer_free(&answer);
  for (int i = 0; export.tenant[0] && changed && i < READS_MAX; i++) {
    export.err.code = OK;
    changed = false;
    if (all_export(&export) == OK) (void)!export_show(&export, &changed);
  }
  int rc = export.err.code ? cli_fail(cli, &export.err) : 0;
  json_decref(export.models);
  buf_deinit(&export.text);
  client_free(export.client);
  return rc;
}
