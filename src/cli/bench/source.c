/* source.c - rows of a mix, read with every mistake named.
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#include "cli/bench/source.h"

#include <stdio.h>
#include <string.h>

#include "cli/file.h"
#include "cli/out.h"

enum { SOURCE_ARENA_BYTES = 16 << 20, MIX_BYTES_MAX = 1 << 20 };

enum code sources_init(struct sources *sources, const struct cli *cli, struct err *err)
{
  *sources = (struct sources){0};
  arena_init(&sources->arena, SOURCE_ARENA_BYTES, NULL);
  return settings_read(&sources->settings, cli->args.url, cli->args.tenant, err);
}

void sources_deinit(struct sources *sources)
{
  for (uint32_t i = 0; i < sources->n; i++) bodies_deinit(&sources->bodies[i]);
  settings_wipe(&sources->settings);
  arena_deinit(&sources->arena);
}

/* --- members ---------------------------------------------------------------------------------- */

enum kind { KIND_TEXT, KIND_NUMBER, KIND_SWITCH, KIND_OBJECT };

static const struct member {
  const char *name;
  enum kind kind;
  double least, most; /* of numbers */
} members[] = {
    {"model", KIND_TEXT, 0, 0},
    {"name", KIND_TEXT, 0, 0},
    {"rate", KIND_NUMBER, 1e-3, 1e7},
    {"poisson", KIND_SWITCH, 0, 0},
    {"concurrency", KIND_NUMBER, 1, LOAD_CONNECTIONS_MAX},
    {"deadline_ms", KIND_NUMBER, 1, 86400000},
    {"timeout_ms", KIND_NUMBER, 1, 86400000},
    {"retries", KIND_NUMBER, 0, 100},
    {"key", KIND_TEXT, 0, 0},
    {"key_file", KIND_TEXT, 0, 0},
    {"tenant", KIND_TEXT, 0, 0},
    {"head", KIND_OBJECT, 0, 0},
    {"parameters", KIND_OBJECT, 0, 0},
    {"rows", KIND_NUMBER, 1, BODY_ROWS_MAX},
    {"binary", KIND_SWITCH, 0, 0},
    {"unique", KIND_SWITCH, 0, 0},
    {"input", KIND_TEXT, 0, 0},
    {"from_s", KIND_NUMBER, 0, 86400},
    {"for_s", KIND_NUMBER, 1e-3, 86400},
};
enum { MEMBERS = sizeof members / sizeof *members };

static enum code member_check(const char *key, const json_t *value, struct err *err)
{
  const struct member *member = NULL, *near = NULL;
  for (uint32_t i = 0; i < MEMBERS; i++) {
    if (strcmp(members[i].name, key) == 0) member = &members[i];
    if (edit_is_near(key, members[i].name)) near = &members[i];
  }
  if (!member)
    return near ? fail(err, E_INVALID_ARGUMENT, "there is no '%s' in a source; did you mean '%s'?",
                       key, near->name)
                : fail(err, E_INVALID_ARGUMENT,
                       "there is no '%s' in a source; docs/load.md says what there is", key);
  static const char *const kinds[] = {"a text", "a number", "true or false", "an object"};
  double number = json_number_value(value);
  bool fits = member->kind == KIND_TEXT     ? json_is_string(value)
              : member->kind == KIND_NUMBER ? json_is_number(value)
              : member->kind == KIND_SWITCH ? json_is_boolean(value)
                                            : json_is_object(value);
  if (!fits) return fail(err, E_INVALID_ARGUMENT, "'%s' is not %s", key, kinds[member->kind]);
  if (member->kind == KIND_NUMBER && !(number >= member->least && number <= member->most))
    return fail(err, E_INVALID_ARGUMENT, "'%s' is %.15g; it is at least %.15g and at most %.15g",
                key, number, member->least, member->most);
  return OK;
}

static const char *row_text(const json_t *row, const char *key)
{
  return json_string_value(json_object_get(row, key));
}

static double row_number(const json_t *row, const char *key)
{
  return json_number_value(json_object_get(row, key));
}

static bool row_switch(const json_t *row, const char *key)
{
  return json_is_true(json_object_get(row, key));
}

/* --- a source --------------------------------------------------------------------------------- */

static const char *kept(struct sources *sources, const char *text)
{
  struct slice copy = arena_copy(&sources->arena, slice_str(text));
  must(copy.at != NULL);
  return copy.at;
}

/* Whose request it is: the settings, but for what the row says. */
static enum code settings_of(const struct sources *sources, const json_t *row,
                             struct settings *settings, struct err *err)
{
  const char *key = row_text(row, "key"), *file = row_text(row, "key_file");
  const char *tenant = row_text(row, "tenant");
  *settings = sources->settings;
  if (key || file) settings->tenant[0] = '\0';
  struct key_text parts;
  if (key && !key_text_read(slice_str(key), &parts))
    return fail(err, E_INVALID_ARGUMENT,
                "'key' is not a key: one begins with slw_ and has %d characters", KEY_TEXT_LEN);
  if (key) snprintf(settings->key, sizeof settings->key, "%s", key);
  if (file && key_file_read(settings->key, file, err) != OK) return err->code;
  if (tenant && strlen(tenant) >= sizeof settings->tenant)
    return fail(err, E_BAD_NAME, "'tenant' is too long");
  if (tenant) snprintf(settings->tenant, sizeof settings->tenant, "%s", tenant);
  return OK;
}

static bool line_is_clean(const char *text)
{
  for (; *text; text++)
    if ((unsigned char)*text < ' ' || *text == 0x7f) return false;
  return true;
}

static enum code head_make(struct sources *sources, const json_t *row, const char **head,
                           struct err *err)
{
  struct buf text;
  const char *key;
  json_t *value;
  buf_init(&text, 8192);
  json_object_foreach(json_object_get(row, "head"), key, value)
  {
    const char *line = json_string_value(value);
    if (!line || !line_is_clean(line) || !line_is_clean(key) || strpbrk(key, ": "))
      (void)!fail(err, E_INVALID_ARGUMENT, "'head' has a line that cannot be sent: '%s'", key);
    else
      buf_print(&text, "%s: %s\r\n", key, line);
  }
  double deadline_ms = row_number(row, "deadline_ms");
  if (deadline_ms > 0) buf_print(&text, "x-slipway-deadline-ms: %.0f\r\n", deadline_ms);
  if (text.full) (void)!fail(err, E_LIMIT_EXCEEDED, "'head' is over 8 KiB");
  buf_add(&text, slice_of("", 1));
  *head = kept(sources, text.at ? text.at : "");
  buf_deinit(&text);
  return err->code;
}

/* Bodies, and where they go. */
static enum code model_ask(struct sources *sources, const struct settings *settings,
                           const json_t *row, struct load_source *source, struct bodies *bodies,
                           struct err *err)
{
  char model[MODEL_WORD_MAX], ref[REF_WORD_MAX], path[CLIENT_PATH_MAX];
  char at[CLIENT_PATH_MAX + 32] = "", infer[CLIENT_PATH_MAX + 48];
  const char *word = row_text(row, "model"), *input = row_text(row, "input");
  struct body_opts opts = {.rows = (uint32_t)row_number(row, "rows"),
                           .binary = row_switch(row, "binary"),
                           .unique = row_switch(row, "unique"),
                           .parameters = json_object_get(row, "parameters")};
  struct client *client;
  struct answer answer = {0};
  if (model_word_read(word, model, ref, err) != OK) return err->code;
  uint32_t version = ref_number(ref);
  const char *name = ref[0] && !version ? word : model; /* the server follows an alias */
  if (client_path(path, err, "/v2/models/%s", name) || client_new_with(&client, settings, err))
    return err->code;
  snprintf(at, sizeof at, version ? "%s/versions/%u" : "%s", path, version);
  if (client_call(client, "GET", at, SLICE_NONE, 0, &answer, err) == OK) {
    if (input)
      (void)!bodies_read(bodies, input, err);
    else
      (void)!bodies_make(bodies, answer.json, &opts, err);
  }
  snprintf(infer, sizeof infer, "%s/infer", at);
  source->path = kept(sources, infer);
  /* The client may have found a key by itself. */
  if (client_key(client)) source->bearer = kept(sources, client_key(client));
  if (client_tenant(client)) source->tenant = kept(sources, client_tenant(client));
  answer_free(&answer);
  client_free(client);
  return err->code;
}

enum code source_add(struct sources *sources, const json_t *row, struct err *err)
{
  const char *key, *name = row_text(row, "name");
  json_t *value;
  uint32_t at = sources->n;
  struct settings settings;
  err->code = OK;
  if (at == LOAD_SOURCES_MAX)
    return fail(err, E_LIMIT_EXCEEDED, "a load has at most %d sources", LOAD_SOURCES_MAX);
  if (!json_is_object(row)) return fail(err, E_WRONG_TYPE, "it is not an object");
  json_object_foreach((json_t *)(uintptr_t)row, key,
                      value) if (member_check(key, value, err) != OK) return err->code;
  if (!row_text(row, "model")) return fail(err, E_INVALID_ARGUMENT, "it has no 'model'");
  double deadline_ms = row_number(row, "deadline_ms"), timeout_ms = row_number(row, "timeout_ms");
  if (!timeout_ms && deadline_ms > 0) timeout_ms = deadline_ms + 1000;
  struct load_source *source = &sources->list[at];
  *source = (struct load_source){.rate = row_number(row, "rate"),
                                 .poisson = row_switch(row, "poisson"),
                                 .connections = (uint32_t)row_number(row, "concurrency"),
                                 .from_us = (int64_t)(row_number(row, "from_s") * 1e6),
                                 .for_us = (int64_t)(row_number(row, "for_s") * 1e6),
                                 .timeout_us = (int64_t)(timeout_ms * 1e3),
                                 .unsent_us = (int64_t)(deadline_ms * 1e3),
                                 .retries = (uint32_t)row_number(row, "retries")};
  sources->n++;
  bodies_init(&sources->bodies[at]);
  sources->deadline_us[at] = (int64_t)(deadline_ms * 1e3);
  sources->names[at] = kept(sources, name ? name : row_text(row, "model"));
  if (settings_of(sources, row, &settings, err) == OK &&
      head_make(sources, row, &source->head, err) == OK)
    (void)!model_ask(sources, &settings, row, source, &sources->bodies[at], err);
  settings_wipe(&settings);
  source->bodies = sources->bodies[at].list;
  source->n_bodies = sources->bodies[at].n;
  return err->code;
}

enum code sources_read(struct sources *sources, const char *path, struct err *err)
{
  struct buf text;
  json_error_t error;
  size_t i;
  json_t *row, *root = NULL;
  FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
  err->code = OK;
  buf_init(&text, MIX_BYTES_MAX);
  if (!file || !file_drain(file, &text))
    (void)!fail(err, E_NOT_FOUND, "'%s' cannot be read", path);
  else if (text.full)
    (void)!fail(err, E_LIMIT_EXCEEDED, "'%s' is larger than 1 MiB", path);
  else if (!(root = json_loadb(text.at ? text.at : "", text.len, JSON_REJECT_DUPLICATES, &error)))
    (void)!fail(err, E_BAD_JSON, "'%s' is not JSON at line %d, column %d: %s", path, error.line,
                error.column, error.text);
  else if (!json_is_array(root) || json_array_size(root) == 0)
    (void)!fail(err, E_WRONG_TYPE,
                "'%s' is not a JSON array of sources: [{\"model\": \"m\", \"rate\": 50}]", path);
  else
    json_array_foreach(root, i, row) if (source_add(sources, row, err) != OK)
    {
      char why[ERR_TEXT_MAX];
      snprintf(why, sizeof why, "%s", err->text);
      (void)!fail(err, err->code, "source %zu of '%s': %s", i + 1, path, why);
      (void)!fail_at(err, "sources[%zu]", i);
      break;
    }
  json_decref(root);
  buf_deinit(&text);
  return err->code;
}
