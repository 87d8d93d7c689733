/* release.c - `slipway deploy` and `slipway rollback`.
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/client.h"
#include "cli/out.h"

enum { WAIT_SECONDS_MAX = 900 };

/* Posts and prints. The tree is taken. */
static int release_post(struct cli *cli, const char *fmt, const char *model, json_t *body,
                        const char *done, const char *begun)
{
  struct err err;
  struct client *client;
  struct answer answer = {0};
  char path[CLIENT_PATH_MAX];
  int rc = 0;
  char *text = json_dumps(body, JSON_COMPACT);
  json_decref(body);
  if (client_path(path, &err, fmt, model) != OK || client_new(&client, cli, &err) != OK) {
    ungrab(text);
    return cli_fail(cli, &err);
  }
  if (client_call(client, "POST", path, slice_str(text), WAIT_SECONDS_MAX, &answer, &err) != OK)
    rc = cli_fail(cli, &err);
  else if (cli->args.json)
    out_json(answer.json);
  else {
    bool ready = strcmp(get_str(answer.json, "state"), "READY") == 0;
    printf(ready ? done : begun, get_str(answer.json, "model"),
           (unsigned long long)get_u64(answer.json, "version"), model);
    putchar('\n');
  }
  answer_free(&answer);
  client_free(client);
  ungrab(text);
  return rc;
}

int command_deploy(struct cli *cli)
{
  static const struct opt opts[] = {
      {"strategy", 0, OPT_TEXT, "NAME", "how traffic moves; 'now' is what is built"},
      {"wait", 0, OPT_SWITCH, NULL, "return when it serves or was refused"},
      {"plan", 0, OPT_LATER, "FILE", "a release plan"},
      {"rehearse", 0, OPT_LATER, "FAULT", "practise a bad release"},
      {NULL, 0, OPT_SWITCH, NULL, NULL},
  };
  struct err err;
  char model[MODEL_WORD_MAX];
  int64_t version;
  int rc;
  if (!cli_args(cli, opts, 1, 1, &rc)) return rc;
  if (model_word_read(cli->args.words[0], model, &version, &err) != OK) return cli_fail(cli, &err);
  const char *strategy = args_text(&cli->args, "strategy");
  json_t *body = json_pack("{ss?,sb}", "strategy", strategy ? strategy : "now", "wait",
                           (int)args_given(&cli->args, "wait"));
  if (!body) {
    fail(&err, E_INVALID_ARGUMENT, "the strategy is not UTF-8");
    return cli_fail(cli, &err);
  }
  if (version) json_object_set_new(body, "version", json_integer(version));
  return release_post(cli, "/api/v1/models/%s/deploy", model, body, "%s version %llu serves",
                      "%s version %llu is loading; see: slipway status %s");
}

int command_rollback(struct cli *cli)
{
  static const struct opt opts[] = {
      {"to", 0, OPT_COUNT, "V", "which version; else the one that answered before"},
      {NULL, 0, OPT_SWITCH, NULL, NULL},
  };
  int rc;
  if (!cli_args(cli, opts, 1, 1, &rc)) return rc;
  json_t *body = json_pack("{sb}", "wait", 1);
  uint64_t to = args_count(&cli->args, "to");
  if (to) json_object_set_new(body, "to", json_integer((json_int_t)to));
  return release_post(cli, "/api/v1/models/%s/rollback", cli->args.words[0], body,
                      "%s is back on version %llu",
                      "%s goes back to version %llu; see: slipway status %s");
}
