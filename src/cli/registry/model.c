/* model.c - `slipway model` and `slipway alias`: the registry.
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/client.h"
#include "cli/out.h"
#include "cli/registry/card.h"

/* ---- showing ---- */

static void pairs_print(const json_t *object, char to[256])
{
  const char *key;
  json_t *value;
  size_t len = 0;
  to[0] = '\0';
  json_object_foreach((json_t *)(uintptr_t)object, key, value)
  {
    const char *text = json_string_value(value);
    char number[OUT_NUMBER_MAX];
    snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
    int n = snprintf(to + len, 256 - len, "%s%s=%s", len ? "," : "", key, text ? text : number);
    if (n < 0 || (size_t)n >= 256 - len) return;
    len += (size_t)n;
  }
}

static void number_add(struct table *table, const json_t *value)
{
  if (json_is_integer(value))
    table_add(table, "%lld", (long long)json_integer_value(value));
  else
    table_add(table, "-");
}

static void models_print(const json_t *models)
{
  static const char *const heads[] = {"MODEL",   "STATE",   ">SERVING", ">NEWEST",
                                      ">VERSIONS", "ALIASES", "TAGS",     "DESCRIPTION", NULL};
  struct table table;
  char text[256];
  size_t i;
  json_t *model;
  table_init(&table, heads);
  json_array_foreach(models, i, model)
  {
    const char *about = get_str(model, "description");
    table_add_json(&table, json_object_get(model, "name"));
    table_add_json(&table, json_object_get(model, "state"));
    number_add(&table, json_object_get(model, "serving"));
    number_add(&table, json_object_get(model, "newest"));
    number_add(&table, json_object_get(model, "versions"));
    pairs_print(json_object_get(model, "aliases"), text);
    table_add(&table, "%s", text[0] ? text : "-");
    pairs_print(json_object_get(model, "tags"), text);
    table_add(&table, "%s", text[0] ? text : "-");
    table_add(&table, "%s", about[0] ? about : "-");
  }
  table_print(&table);
  table_deinit(&table);
}

static void line_print(const char *name, const json_t *value)
{
  char text[256];
  if (!value || json_is_null(value)) return;
  printf("%-12s ", name);
  if (json_is_object(value)) {
    pairs_print(value, text);
    out_text(slice_str(text[0] ? text : "-"));
  } else if (json_is_string(value)) {
    out_text(slice_str(json_string_value(value)));
  } else {
    out_json(value);
    return;
  }
  putchar('\n');
}

static void one_print(const json_t *tree)
{
  static const char *const lines[] = {"name",   "model",       "version", "state",     "reason",
                                      "engine", "description", "tags",    "aliases",   "run",
                                      "data",   "parent",      "hold",    "serving",   "previous",
                                      "newest", "note",        "digest",  "pushed_at", "created_at",
                                      "corrupt"};
  size_t i;
  json_t *file;
  for (i = 0; i < sizeof lines / sizeof *lines; i++) {
    const json_t *value = json_object_get(tree, lines[i]);
    if (!json_is_string(value) || json_string_length(value)) line_print(lines[i], value);
  }
  json_array_foreach(json_object_get(tree, "files"), i, file)
  {
    char bytes[OUT_NUMBER_MAX];
    printf("%-12s %s %10s  ", i ? "" : "files", get_str(file, "sha256"),
           out_bytes(get_u64(file, "bytes"), bytes));
    out_text(slice_str(get_str(file, "name")));
    putchar('\n');
  }
}

/* ---- changing ---- */

/* "/api/v1/models/fraud" or ".../fraud/versions/3". */
static enum code path_make(const char *word, char path[CLIENT_PATH_MAX], bool *version,
                           struct err *err)
{
  char model[MODEL_WORD_MAX], ref[REF_WORD_MAX];
  if (model_word_read(word, model, ref, err) ||
      client_path(path, err, "/api/v1/models/%s", model))
    return err->code;
  *version = ref[0] != '\0';
  size_t len = strlen(path);
  if (*version) snprintf(path + len, CLIENT_PATH_MAX - len, "/versions/%s", ref);
  return OK;
}

static int model_show(struct cli *cli, const char *path)
{
  struct answer answer;
  int rc = client_once(cli, "GET", path, NULL, &answer);
  if (!rc && cli->args.json)
    out_json(answer.json);
  else if (!rc)
    one_print(answer.json);
  answer_free(&answer);
  return rc;
}

static int model_change(struct cli *cli, const char *method, const char *path, json_t *body,
                        const char *what)
{
  struct answer answer;
  int rc = client_once(cli, method, path, body, &answer);
  if (!rc && cli->args.json)
    out_json(answer.json);
  else if (!rc)
    printf("%s %s\n", cli->args.words[1], what);
  answer_free(&answer);
  return rc;
}

static int model_set(struct cli *cli, const char *path, bool version)
{
  struct err err;
  json_t *body = json_object();
  const char *hold = args_text(&cli->args, "hold");
  if (card_flags(&cli->args, version, body, &err)) {
    json_decref(body);
    return cli_fail(cli, &err);
  }
  if (hold) json_object_set_new(body, "hold", hold[0] ? json_string(hold) : json_null());
  return model_change(cli, "PATCH", path, body, "is set");
}

static int model_add(struct cli *cli)
{
  struct err err;
  json_t *body = json_pack("{ss}", "name", cli->args.words[1]);
  if (!body || card_flags(&cli->args, false, body, &err)) {
    if (!body) fail(&err, E_BAD_NAME, "the name is not UTF-8");
    json_decref(body);
    return cli_fail(cli, &err);
  }
  return model_change(cli, "POST", "/api/v1/models", body, "is there; push its first version");
}

/* It answers nobody from then on; its versions and what is declared of it stay. */
static int model_unload(struct cli *cli, bool version)
{
  struct err err;
  char path[CLIENT_PATH_MAX];
  const char *model = cli->args.words[1];
  if (version) {
    fail(&err, E_INVALID_ARGUMENT, "a model is unloaded, whichever version serves: slipway model "
                                   "unload %.*s", (int)strcspn(model, "@"), model);
    return cli_fail(cli, &err);
  }
  if (client_path(path, &err, "/v2/repository/models/%s/unload", model))
    return cli_fail(cli, &err);
  return model_change(cli, "POST", path, json_object(), "is unloaded; its versions stay");
}

int command_model(struct cli *cli)
{
  static const struct opt opts[] = {
      CARD_OPTS,
      LINEAGE_OPTS,
      {"hold", 0, OPT_TEXT, "WHY", "set: it must not be removed; '' lifts that (an admin)"},
      {NULL, 0, OPT_SWITCH, NULL, NULL},
  };
  struct err err;
  char path[CLIENT_PATH_MAX];
  bool version = false;
  int rc;
  if (!cli_args(cli, opts, 1, 2, &rc)) return rc;
  const char *verb = cli->args.words[0];
  bool list = strcmp(verb, "list") == 0;
  if (cli->args.n_words != (list ? 1u : 2u)) verb = "";
  if (list && verb[0]) return client_list(cli, "/api/v1/models", "models", models_print);
  if (verb[0] && strcmp(verb, "add") == 0) return model_add(cli);
  if (verb[0] && path_make(cli->args.words[1], path, &version, &err)) return cli_fail(cli, &err);
  if (strcmp(verb, "show") == 0) return model_show(cli, path);
  if (strcmp(verb, "set") == 0) return model_set(cli, path, version);
  if (strcmp(verb, "clear") == 0 && version) {
    size_t len = strlen(path);
    snprintf(path + len, sizeof path - len, "/quarantine");
    return model_change(cli, "DELETE", path, NULL, "may run again");
  }
  if (strcmp(verb, "remove") == 0) return model_change(cli, "DELETE", path, NULL, "is removed");
  if (strcmp(verb, "unload") == 0) return model_unload(cli, version);
  fail(&err, E_INVALID_ARGUMENT,
       "it is: slipway model list, or slipway model add, show, set or remove with MODEL or "
       "MODEL@V, or unload with MODEL, or clear with MODEL@V");
  return cli_fail(cli, &err);
}

/* ---- alias ---- */

static int alias_list(struct cli *cli, const char *path)
{
  static const char *const heads[] = {"ALIAS", ">VERSION", "SINCE", "SET BY", NULL};
  struct table table;
  struct answer answer;
  char text[OUT_NUMBER_MAX];
  size_t i;
  json_t *alias;
  int rc = client_once(cli, "GET", path, NULL, &answer);
  if (!rc && cli->args.json) {
    out_json(answer.json);
  } else if (!rc) {
    table_init(&table, heads);
    json_array_foreach(json_object_get(answer.json, "aliases"), i, alias)
    {
      table_add_json(&table, json_object_get(alias, "alias"));
      number_add(&table, json_object_get(alias, "version"));
      table_add(&table, "%s", out_time(json_object_get(alias, "set_at"), text));
      table_add_json(&table, json_object_get(alias, "set_by"));
    }
    table_print(&table);
    table_deinit(&table);
  }
  answer_free(&answer);
  return rc;
}

static int alias_change(struct cli *cli, const char *path, const char *ref)
{
  struct err err;
  char whole[2 * CLIENT_PATH_MAX], part[CLIENT_PATH_MAX];
  const char *name = cli->args.words[2];
  json_t *body = NULL;
  if (client_path(part, &err, "/%s", name)) return cli_fail(cli, &err);
  snprintf(whole, sizeof whole, "%s%s", path, part);
  if (ref)
    body = json_pack("{so}", "version",
                     ref_number(ref) ? json_integer(ref_number(ref)) : json_string(ref));
  struct answer answer;
  int rc = client_once(cli, ref ? "PUT" : "DELETE", whole, body, &answer);
  if (!rc && cli->args.json)
    out_json(answer.json);
  else if (!rc && ref)
    printf("%s@%s is version %llu\n", get_str(answer.json, "model"), name,
           (unsigned long long)get_u64(answer.json, "version"));
  else if (!rc)
    printf("%s@%s is removed\n", get_str(answer.json, "model"), name);
  answer_free(&answer);
  return rc;
}

int command_alias(struct cli *cli)
{
  static const struct opt opts[] = {{NULL, 0, OPT_SWITCH, NULL, NULL}};
  struct err err;
  char model[MODEL_WORD_MAX], ref[REF_WORD_MAX], path[CLIENT_PATH_MAX];
  int rc;
  if (!cli_args(cli, opts, 2, 3, &rc)) return rc;
  const char *verb = cli->args.words[0];
  bool list = strcmp(verb, "list") == 0, set = strcmp(verb, "set") == 0;
  if (model_word_read(cli->args.words[1], model, ref, &err) ||
      client_path(path, &err, "/api/v1/models/%s/aliases", model))
    return cli_fail(cli, &err);
  bool fits = list ? cli->args.n_words == 2 && !ref[0]
                   : cli->args.n_words == 3 && (set ? ref[0] : !ref[0]);
  if (fits && list) return alias_list(cli, path);
  fits = fits && (set || strcmp(verb, "remove") == 0);
  if (fits) return alias_change(cli, path, set ? ref : NULL);
  fail(&err, E_INVALID_ARGUMENT, "it is: slipway alias list MODEL, slipway alias set MODEL@V NAME, "
                                 "or slipway alias remove MODEL NAME");
  return cli_fail(cli, &err);
}
