/* flag.c - `slipway flag set|get|list|remove|results|history`.
 * Thread: main (own).
 *
 *   flag set KEY VARIANT         that variant is the default; a new flag has on and off
 *   flag set KEY --enable        (or --disable)
 *   flag set KEY --file FILE     the flag's definition
 *   flag set --file FILE         the whole file: what is not in it is removed
 * FILE is JSON, or YAML where it ends in .yaml or .yml; - is standard input, JSON.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/client.h"
#include "cli/file.h"
#include "cli/out.h"

enum { FILE_BYTES_MAX = 1 << 20 };

static const struct opt opts[] = {
    {"file", 'f', OPT_TEXT, "FILE", "a definition, or without KEY a whole flag file; - is stdin"},
    {"enable", 0, OPT_SWITCH, NULL, "the flag is evaluated"},
    {"disable", 0, OPT_SWITCH, NULL, "clients use their own default"},
    {"note", 0, OPT_TEXT, "TEXT", "why, for the history"},
    {NULL, 0, OPT_SWITCH, NULL, NULL},
};

/* One command under way: err says how it went. */
struct flagging {
  struct cli *cli;
  struct client *client;
  struct answer answer;
  struct err err;
};

static bool call(struct flagging *f, const char *method, const char *path, struct slice body)
{
  answer_free(&f->answer);
  f->answer = (struct answer){0};
  return client_call(f->client, method, path, body, 0, &f->answer, &f->err) == OK;
}

static bool path_make(struct flagging *f, const char *key, char to[CLIENT_PATH_MAX])
{
  if (!key) snprintf(to, CLIENT_PATH_MAX, "/api/v1/flags");
  return !key || client_path(to, &f->err, "/api/v1/flags/%s", key) == OK;
}

/* --- reading ---------------------------------------------------------------------------------- */

static bool file_read(struct flagging *f, const char *name, struct buf *to)
{
  FILE *file = strcmp(name, "-") == 0 ? stdin : fopen(name, "rbe");
  buf_init(to, FILE_BYTES_MAX);
  if (!file) {
    fail(&f->err, E_NOT_FOUND, "cannot open '%s'", name);
    return false;
  }
  bool broken = !file_drain(file, to);
  if (!broken && !to->full) return true;
  if (broken)
    fail(&f->err, E_NOT_FOUND, "cannot read '%s'", name);
  else
    fail(&f->err, E_LIMIT_EXCEEDED, "'%s' is longer than %d bytes", name, FILE_BYTES_MAX);
  return false;
}

static bool name_is_yaml(const char *name)
{
  return slice_ends(slice_str(name), SLICE(".yaml")) || slice_ends(slice_str(name), SLICE(".yml"));
}

/* --- setting ---------------------------------------------------------------------------------- */

static bool put(struct flagging *f, const char *key, struct slice body, bool yaml)
{
  char path[CLIENT_PATH_MAX], note[CLIENT_PATH_MAX] = "";
  const char *why = args_text(&f->cli->args, "note");
  if (!path_make(f, key, path)) return false;
  if (why && client_path(note, &f->err, "&note=%s", why) != OK) return false;
  size_t len = strlen(path);
  int more = snprintf(path + len, sizeof path - len, "?format=%s%s", yaml ? "yaml" : "json", note);
  if (more >= (int)(sizeof path - len)) {
    fail(&f->err, E_INVALID_ARGUMENT, "the note is too long");
    return false;
  }
  return call(f, "PUT", path, body);
}

static bool set_from_file(struct flagging *f, const char *key, const char *name)
{
  struct buf text;
  bool done = file_read(f, name, &text) && put(f, key, buf_lend(&text), name_is_yaml(name));
  buf_deinit(&text);
  return done;
}

/* The definition there is, or a new one of on and off; NULL with err. */
static json_t *definition_get(struct flagging *f, const char *key, const char *variant)
{
  char path[CLIENT_PATH_MAX];
  if (!path_make(f, key, path)) return NULL;
  if (call(f, "GET", path, SLICE_NONE)) {
    json_t *there = json_object_get(f->answer.json, "definition");
    if (json_is_object(there)) return json_incref(there);
    fail(&f->err, E_UNAVAILABLE, "the server answered something that is no flag");
    return NULL;
  }
  bool on_off = variant && (strcmp(variant, "on") == 0 || strcmp(variant, "off") == 0);
  if (f->err.code != E_NOT_FOUND) return NULL;
  if (!on_off) {
    fail(&f->err, E_NOT_FOUND,
         "there is no flag '%.64s'; a new one is set to on or off, or made with --file", key);
    return NULL;
  }
  return json_pack("{ss,s{sb,sb}}", "state", "ENABLED", "variants", "on", 1, "off", 0);
}

static bool set_changed(struct flagging *f, const char *key, const char *variant)
{
  const struct args *args = &f->cli->args;
  json_t *definition = definition_get(f, key, variant);
  if (!definition) return false;
  json_t *name = variant ? json_string(variant) : NULL;
  bool done = !variant || name;
  if (!done) fail(&f->err, E_INVALID_ARGUMENT, "the variant is not UTF-8");
  if (name) json_object_set_new(definition, "defaultVariant", name);
  if (args_given(args, "enable") || args_given(args, "disable"))
    json_object_set_new(definition, "state",
                        json_string(args_given(args, "enable") ? "ENABLED" : "DISABLED"));
  char *text = json_dumps(definition, JSON_COMPACT);
  bool rules = json_object_size(json_object_get(definition, "targeting")) > 0;
  done = done && put(f, key, slice_str(text), false);
  if (done && rules && variant && !args->json)
    fprintf(stderr, "it has targeting rules: who they match is answered as they say\n");
  json_decref(definition);
  ungrab(text);
  return done;
}

static bool set(struct flagging *f)
{
  const struct args *args = &f->cli->args;
  const char *key = args->n_words > 1 ? args->words[1] : NULL;
  const char *variant = args->n_words > 2 ? args->words[2] : NULL;
  const char *file = args_text(args, "file");
  bool switched = args_given(args, "enable") || args_given(args, "disable");
  if (args_given(args, "enable") && args_given(args, "disable"))
    fail(&f->err, E_INVALID_ARGUMENT, "--enable and --disable do not go together");
  else if (file && (variant || switched))
    fail(&f->err, E_INVALID_ARGUMENT, "--file says it all; leave VARIANT and switches out");
  else if (!file && !(key && (variant || switched)))
    fail(&f->err, E_INVALID_ARGUMENT, "say what to set: KEY VARIANT, or --file FILE");
  else if (!(file ? set_from_file(f, key, file) : set_changed(f, key, variant)))
    return false;
  else {
    if (args->json)
      out_json(f->answer.json);
    else if (key)
      printf("flag %s is set\n", key);
    else
      printf("the flags are as in %s\n", file);
    return true;
  }
  return false;
}

/* --- the others ------------------------------------------------------------------------------- */

static bool get(struct flagging *f)
{
  const struct args *args = &f->cli->args;
  const char *key = args->n_words > 1 ? args->words[1] : NULL;
  char path[CLIENT_PATH_MAX];
  if (!path_make(f, key, path) || !call(f, "GET", path, SLICE_NONE)) return false;
  const json_t *what = json_object_get(f->answer.json, key ? "definition" : "file");
  if (args->json || !what) {
    out_json(f->answer.json);
    return true;
  }
  char *text = json_dumps(what, JSON_INDENT(2));
  printf("%s\n", text ? text : "null");
  ungrab(text);
  return true;
}

static const char *type_name(const json_t *variants)
{
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)(uintptr_t)variants, key, value)
  {
    if (json_is_boolean(value)) return "boolean";
    if (json_is_string(value)) return "string";
    if (json_is_number(value)) return "number";
    return "object";
  }
  return "-";
}

static void flags_print(const json_t *flags)
{
  static const char *const heads[] = {"KEY",       "STATE", "TYPE", "DEFAULT",
                                      ">VARIANTS", "RULES", NULL};
  struct table table;
  const char *key;
  json_t *flag;
  table_init(&table, heads);
  json_object_foreach((json_t *)(uintptr_t)flags, key, flag)
  {
    const json_t *variants = json_object_get(flag, "variants");
    const char *fallback = get_str(flag, "defaultVariant");
    table_add(&table, "%s", key);
    table_add_json(&table, json_object_get(flag, "state"));
    table_add(&table, "%s", type_name(variants));
    table_add(&table, "%s", fallback[0] ? fallback : "-");
    table_add(&table, "%zu", json_object_size(variants));
    table_add(&table, "%s", json_object_size(json_object_get(flag, "targeting")) ? "yes" : "-");
  }
  table_print(&table);
  table_deinit(&table);
}

static bool list(struct flagging *f)
{
  if (!call(f, "GET", "/api/v1/flags", SLICE_NONE)) return false;
  const json_t *flags = json_object_get(json_object_get(f->answer.json, "file"), "flags");
  if (f->cli->args.json)
    out_json(f->answer.json);
  else if (!json_object_size(flags))
    printf("no flags; make one with: slipway flag set new-ranker on\n");
  else
    flags_print(flags);
  return true;
}

static bool remove_one(struct flagging *f)
{
  const struct args *args = &f->cli->args;
  char path[CLIENT_PATH_MAX], note[CLIENT_PATH_MAX] = "";
  const char *why = args_text(args, "note");
  if (args->n_words < 2) {
    fail(&f->err, E_INVALID_ARGUMENT, "say which flag");
    return false;
  }
  if (!path_make(f, args->words[1], path)) return false;
  if (why && client_path(note, &f->err, "?note=%s", why) != OK) return false;
  size_t len = strlen(path);
  snprintf(path + len, sizeof path - len, "%s", note);
  if (!call(f, "DELETE", path, SLICE_NONE)) return false;
  if (args->json)
    out_json(f->answer.json);
  else
    printf("flag %s is removed\n", args->words[1]);
  return true;
}

static void results_print(const json_t *variants)
{
  static const char *const heads[] = {"VARIANT", ">EXPOSURES", ">OUTCOMES", ">MEAN", ">DIFFERENCE",
                                      ">FROM",   ">TO",        "VERDICT",   NULL};
  static const char *const numbers[] = {"mean", "difference", "lower", "upper"};
  struct table table;
  size_t i;
  json_t *variant;
  table_init(&table, heads);
  json_array_foreach(variants, i, variant)
  {
    const char *verdict = get_str(variant, "verdict");
    table_add_json(&table, json_object_get(variant, "variant"));
    table_add_json(&table, json_object_get(variant, "exposures"));
    table_add_json(&table, json_object_get(variant, "outcomes"));
    for (int k = 0; k < 4; k++) {
      const json_t *number = json_object_get(variant, numbers[k]);
      if (json_is_number(number))
        table_add(&table, "%.4g", json_number_value(number));
      else
        table_add(&table, "-");
    }
    table_add(&table, "%s", verdict[0] ? verdict : "-");
  }
  table_print(&table);
  table_deinit(&table);
}

static bool results(struct flagging *f)
{
  char path[CLIENT_PATH_MAX];
  if (f->cli->args.n_words < 2) {
    fail(&f->err, E_INVALID_ARGUMENT, "say which flag");
    return false;
  }
  if (client_path(path, &f->err, "/api/v1/flag-results/%s", f->cli->args.words[1]) != OK)
    return false;
  if (!call(f, "GET", path, SLICE_NONE)) return false;
  if (f->cli->args.json)
    out_json(f->answer.json);
  else
    results_print(json_object_get(f->answer.json, "variants"));
  return true;
}

static bool history(struct flagging *f)
{
  static const char *const heads[] = {">SEQ", "WHEN", "WHO", "WHAT", "FLAG", "WHY", NULL};
  struct table table;
  char text[OUT_NUMBER_MAX];
  size_t i;
  json_t *event;
  if (!call(f, "GET", "/api/v1/flag-history", SLICE_NONE)) return false;
  if (f->cli->args.json) {
    out_json(f->answer.json);
    return true;
  }
  table_init(&table, heads);
  json_array_foreach(json_object_get(f->answer.json, "events"), i, event)
  {
    const char *flag = get_str(event, "flag"), *note = get_str(event, "note");
    table_add_json(&table, json_object_get(event, "seq"));
    table_add(&table, "%s", out_time(json_object_get(event, "at"), text));
    table_add_json(&table, json_object_get(event, "who"));
    table_add_json(&table, json_object_get(event, "what"));
    table_add(&table, "%s", flag[0] ? flag : "-");
    table_add(&table, "%s", note[0] ? note : "-");
  }
  table_print(&table);
  table_deinit(&table);
  return true;
}

int command_flag(struct cli *cli)
{
  static const struct {
    const char *word;
    uint32_t words_max;
    bool (*run)(struct flagging *f);
  } actions[] = {{"set", 3, set},           {"get", 2, get},         {"list", 1, list},
                 {"remove", 2, remove_one}, {"results", 2, results}, {"history", 1, history}};
  const size_t n = sizeof actions / sizeof *actions;
  struct flagging f = {.cli = cli};
  int rc;
  if (!cli_args(cli, opts, 1, 3, &rc)) return rc;
  size_t i = 0;
  while (i < n && strcmp(cli->args.words[0], actions[i].word) != 0) i++;
  if (i == n || cli->args.n_words > actions[i].words_max) {
    if (i == n)
      fail(&f.err, E_INVALID_ARGUMENT,
           "'%.64s' is none of set, get, list, remove, results, history", cli->args.words[0]);
    else
      fail(&f.err, E_INVALID_ARGUMENT, "too many words for 'flag %s'", actions[i].word);
    return cli_fail(cli, &f.err);
  }
  if (client_new(&f.client, cli, &f.err) != OK) return cli_fail(cli, &f.err);
  rc = actions[i].run(&f) ? 0 : cli_fail(cli, &f.err);
  answer_free(&f.answer);
  client_free(f.client);
  return rc;
}
