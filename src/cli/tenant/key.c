/* key.c - `slipway key` and `slipway login`.
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/client.h"
#include "cli/out.h"
#include "cli/settings.h"

/* ---- key ---- */

static void keys_print(const json_t *keys)
{
  static const char *const heads[] = {"KEY",      "ROLE",  "PERSON",   "STATE",
                                      "EXPIRES",  "USED",  "ADDED",    "ADDED BY",
                                      "NETWORKS", "NOTE",  NULL};
  struct table table;
  char text[OUT_NUMBER_MAX];
  size_t i, k;
  json_t *key, *net;
  table_init(&table, heads);
  json_array_foreach(keys, i, key)
  {
    struct buf nets;
    buf_init(&nets, 1024);
    json_array_foreach(json_object_get(key, "cidrs"), k, net)
        buf_print(&nets, "%s%s", k ? "," : "", json_string_value(net));
    table_add_json(&table, json_object_get(key, "id"));
    table_add_json(&table, json_object_get(key, "role"));
    table_add_json(&table, json_object_get(key, "person"));
    table_add_json(&table, json_object_get(key, "state"));
    table_add(&table, "%s", out_time(json_object_get(key, "expires_at"), text));
    table_add(&table, "%s", out_time(json_object_get(key, "used_at"), text));
    table_add(&table, "%s", out_time(json_object_get(key, "added_at"), text));
    table_add_json(&table, json_object_get(key, "added_by"));
    table_add(&table, "%.*s", nets.len ? (int)nets.len : 1, nets.len ? nets.at : "-");
    table_add(&table, "%s", get_str(key, "note")[0] ? get_str(key, "note") : "-");
    buf_deinit(&nets);
  }
  table_print(&table);
  table_deinit(&table);
}

/* Takes the body. The key alone on stdout, so that `KEY=$(slipway key add ...)` works; the rest is
 * told beside. */
static int key_post(struct cli *cli, struct client *client, const char *path, json_t *body)
{
  struct err err;
  struct answer answer = {0};
  char expires[OUT_NUMBER_MAX];
  int rc = 0;
  if (!body) {
    fail(&err, E_INVALID_ARGUMENT, "a word is not UTF-8");
    return cli_fail(cli, &err);
  }
  char *text = json_dumps(body, JSON_COMPACT);
  json_decref(body);
  if (client_call(client, "POST", path, slice_str(text), 0, &answer, &err) != OK) {
    rc = cli_fail(cli, &err);
  } else if (cli->args.json) {
    out_json(answer.json);
  } else {
    puts(get_str(answer.json, "key"));
    fflush(stdout);
    out_time(json_object_get(answer.json, "expires_at"), expires);
    fprintf(stderr, "key %s, %s, of %s, expires %s; it is not shown again\n",
            get_str(answer.json, "id"), get_str(answer.json, "role"),
            get_str(answer.json, "person"), strcmp(expires, "-") ? expires : "never");
  }
  ungrab(text);
  answer_free(&answer);
  return rc;
}

static int key_add(struct cli *cli, struct client *client)
{
  struct err err;
  const char *role = args_text(&cli->args, "role"), *person = args_text(&cli->args, "person");
  if (!role || !person) {
    fail(&err, E_INVALID_ARGUMENT, "say what the key may do and whose it is: --role ROLE --person "
                                   "NAME");
    return cli_fail(cli, &err);
  }
  return key_post(cli, client, "/api/v1/keys",
                  json_pack("{ss,ss,ss*,ss*,ss*}", "role", role, "person", person, "expires",
                            args_text(&cli->args, "expires"), "note",
                            args_text(&cli->args, "note"), "cidrs",
                            args_text(&cli->args, "cidrs")));
}

/* People take the key itself for its id: it is not sent then, as paths end in logs. */
static enum code key_id_check(const char *id, struct err *err)
{
  static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyz";
  if (strlen(id) == KEY_TEXT_ID && strspn(id, letters) == KEY_TEXT_ID) return OK;
  return fail(err, E_INVALID_ARGUMENT, "KEY is the id of 'slipway key list', %d letters and digits",
              KEY_TEXT_ID);
}

static int key_rotate(struct cli *cli, struct client *client)
{
  struct err err;
  char path[CLIENT_PATH_MAX];
  if (key_id_check(cli->args.words[1], &err) ||
      client_path(path, &err, "/api/v1/keys/%s/rotate", cli->args.words[1]))
    return cli_fail(cli, &err);
  return key_post(cli, client, path,
                  json_pack("{ss*,ss*}", "expires", args_text(&cli->args, "expires"), "grace",
                            args_text(&cli->args, "grace")));
}

static int key_revoke(struct cli *cli, struct client *client)
{
  struct err err;
  struct answer answer = {0};
  char path[CLIENT_PATH_MAX];
  int rc = 0;
  const char *id = cli->args.words[1];
  if (key_id_check(id, &err) || client_path(path, &err, "/api/v1/keys/%s", id) != OK ||
      client_call(client, "DELETE", path, SLICE_NONE, 0, &answer, &err) != OK)
    rc = cli_fail(cli, &err);
  else if (cli->args.json)
    out_json(answer.json);
  else
    printf("key %s is revoked\n", id);
  answer_free(&answer);
  return rc;
}

int command_key(struct cli *cli)
{
  static const struct opt opts[] = {
      {"role", 0, OPT_TEXT, "ROLE",
       "add: viewer, auditor, invoker, deployer, approver, admin or operator"},
      {"person", 0, OPT_TEXT, "NAME",
       "add: whose it is; keys of one person count as one where two must agree"},
      {"expires", 0, OPT_TEXT, "TIME", "add, rotate: such as 12h or 30d, or never [90d]"},
      {"grace", 0, OPT_TEXT, "TIME", "rotate: how long the old one goes on [24h]"},
      {"cidrs", 0, OPT_TEXT, "LIST", "add: networks it may be used from, 10.0.0.0/8,192.0.2.7"},
      {"note", 0, OPT_TEXT, "TEXT", "add: what it is for"},
      {NULL, 0, OPT_SWITCH, NULL, NULL},
  };
  struct err err;
  struct client *client;
  int rc;
  if (!cli_args(cli, opts, 1, 2, &rc)) return rc;
  const char *verb = cli->args.words[0];
  bool revoke = strcmp(verb, "revoke") == 0, rotate = strcmp(verb, "rotate") == 0;
  bool list = strcmp(verb, "list") == 0, named = revoke || rotate;
  if ((!named && !list && strcmp(verb, "add") != 0) || cli->args.n_words != (named ? 2 : 1)) {
    fail(&err, E_INVALID_ARGUMENT, "it is: slipway key add --role ROLE --person NAME, slipway key "
                                   "list, slipway key rotate KEY, or slipway key revoke KEY");
    return cli_fail(cli, &err);
  }
  if (list) return client_list(cli, "/api/v1/keys", "keys", keys_print);
  if (client_new(&client, cli, &err) != OK) return cli_fail(cli, &err);
  rc = revoke   ? key_revoke(cli, client)
       : rotate ? key_rotate(cli, client)
                : key_add(cli, client);
  client_free(client);
  return rc;
}

/* ---- login ---- */

static enum code login(struct cli *cli, struct settings *settings, struct answer *answer,
                       struct err *err)
{
  struct client *client;
  const char *file = args_text(&cli->args, "key-file"), *key = getenv("SLIPWAY_KEY");
  *settings = (struct settings){0};
  if (url_read(settings->url, cli->args.words[0], err)) return err->code;
  if (file) {
    if (key_file_read(settings->key, file, err)) return err->code;
  } else if (key && key[0]) {
    snprintf(settings->key, sizeof settings->key, "%s", key);
  }
  if (client_new_with(&client, settings, err) != OK) return err->code;
  enum code code = client_call(client, "GET", "/api/v1/whoami", SLICE_NONE, 0, answer, err);
  client_free(client);
  if (!code && strcmp(get_str(answer->json, "role"), "anybody") == 0)
    code = fail(err, E_UNAUTHENTICATED,
                "this server needs a key; say --key-file FILE, or - to type it");
  return code ? code : settings_write(settings, err);
}

int command_login(struct cli *cli)
{
  static const struct opt opts[] = {
      {"key-file", 0, OPT_TEXT, "FILE", "a file with the key, or - to read it; else SLIPWAY_KEY"},
      {NULL, 0, OPT_SWITCH, NULL, NULL},
  };
  struct err err;
  struct settings settings;
  struct answer answer = {0};
  int rc;
  if (!cli_args(cli, opts, 1, 1, &rc)) return rc;
  rc = 0;
  if (login(cli, &settings, &answer, &err) != OK)
    rc = cli_fail(cli, &err);
  else if (cli->args.json)
    out_json(answer.json);
  else
    printf("%s knows you as %s of %s, %s\n", settings.url, get_str(answer.json, "person"),
           get_str(answer.json, "tenant"), get_str(answer.json, "role"));
  settings_wipe(&settings);
  answer_free(&answer);
  return rc;
}
