/* logs.c - `slipway logs [MODEL] [-f]`: the end of the server's log, and what follows.
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "cli/client.h"
#include "cli/out.h"

enum { FOLLOW_MS = 500 };

/* "2026-01-31 23:59:59 info  model_ready model=digits version=3" */
static void line_print(const json_t *line)
{
  char when[OUT_NUMBER_MAX];
  const char *key;
  json_t *value;
  printf("%s %-5s ", out_time(json_object_get(line, "ts"), when), get_str(line, "level"));
  out_text(slice_str(get_str(line, "event")));
  json_object_foreach((json_t *)(uintptr_t)line, key, value)
  {
    if (!strcmp(key, "ts") || !strcmp(key, "level") || !strcmp(key, "event")) continue;
    putchar(' ');
    out_text(slice_str(key));
    putchar('=');
    if (json_is_string(value))
      out_text(slice_of(json_string_value(value), json_string_length(value)));
    else
      json_dumpf(value, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
  }
  putchar('\n');
}

static enum code lines_fetch(const struct cli *cli, struct client *client, long long after,
                             struct answer *answer, struct err *err)
{
  char path[CLIENT_PATH_MAX];
  const char *model = cli->args.n_words ? cli->args.words[0] : NULL;
  snprintf(path, sizeof path, "/api/v1/logs");
  if (model && client_path(path, err, "/api/v1/logs?model=%s", model) != OK) return err->code;
  size_t len = strlen(path);
  if (after >= 0 && len < sizeof path)
    snprintf(path + len, sizeof path - len, "%cafter=%lld", model ? '&' : '?', after);
  return client_call(client, "GET", path, SLICE_NONE, 0, answer, err);
}

/* No line about a model may mean that there is none. */
static enum code model_is(const struct cli *cli, struct client *client, struct err *err)
{
  char path[CLIENT_PATH_MAX];
  struct answer answer = {0};
  if (!cli->args.n_words) return OK;
  enum code code = client_path(path, err, "/api/v1/models/%s", cli->args.words[0]);
  if (code == OK) code = client_call(client, "GET", path, SLICE_NONE, 0, &answer, err);
  answer_free(&answer);
  return code == E_MODEL_NOT_FOUND ? code : OK;
}

int command_logs(struct cli *cli)
{
  static const struct opt opts[] = {
      {"follow", 'f', OPT_SWITCH, NULL, "go on with what is written from now on"},
      {NULL, 0, OPT_SWITCH, NULL, NULL},
  };
  struct err err;
  struct client *client;
  long long after = -1;
  int rc;
  if (!cli_args(cli, opts, 0, 1, &rc)) return rc;
  if (client_new(&client, cli, &err) != OK) return cli_fail(cli, &err);
  do {
    struct answer answer = {0};
    if (after >= 0) poll(NULL, 0, FOLLOW_MS);
    rc = 0;
    bool first = after < 0;
    enum code code = lines_fetch(cli, client, after, &answer, &err);
    if (code == OK && first && !json_array_size(json_object_get(answer.json, "lines")))
      code = model_is(cli, client, &err);
    if (code != OK) rc = cli_fail(cli, &err);
    size_t i;
    json_t *line;
    json_array_foreach(json_object_get(answer.json, "lines"), i, line)
    {
      if (cli->args.json)
        out_json(line);
      else
        line_print(line);
    }
    after = (long long)get_u64(answer.json, "next");
    answer_free(&answer);
    if (fflush(stdout) != 0) break; /* whoever read us is gone */
  } while (rc == 0 && args_given(&cli->args, "follow"));
  client_free(client);
  return rc;
}
