/* say.c - `slipway promote|pause|resume|approve|reject|abort MODEL`: a person's word on the running
 * release.
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/client.h"
#include "cli/out.h"
#include "cli/release/picture.h"

/* What happened, as the release now stands; one that is gone again is no failure of the word. */
static void outcome_print(struct client *client, const char *model, const json_t *said)
{
  struct answer answer = {0};
  struct err err;
  char path[CLIENT_PATH_MAX];
  printf("%s release %llu: %s\n", model, (unsigned long long)get_u64(said, "release"),
         get_str(said, "word"));
  if (client_path(path, &err, "/api/v1/models/%s/release", model) == OK &&
      client_call(client, "GET", path, SLICE_NONE, 0, &answer, &err) == OK) {
    char line[PICTURE_LINE_MAX];
    picture_line(answer.json, line);
    out_text(slice_str(line));
    putchar('\n');
    picture_next(answer.json);
  }
  answer_free(&answer);
}

static const struct opt word_opts[] = {
    {"why", 0, OPT_TEXT, "TEXT", "a reason, kept in the history"},
    {"release", 0, OPT_COUNT, "N", "only if this release is the one that runs"},
    {NULL, 0, OPT_SWITCH, NULL, NULL},
};

/* After the flags were read. */
static int word_send(struct cli *cli, const char *fmt, const char *arm)
{
  struct err err;
  struct client *client;
  struct answer answer = {0};
  char path[CLIENT_PATH_MAX];
  const char *model = cli->args.words[0], *why = args_text(&cli->args, "why");
  uint64_t number = args_count(&cli->args, "release");
  json_t *body = json_pack("{s:s*,s:o*,s:s*}", "why", why, "release",
                           number ? json_integer((json_int_t)number) : NULL, "arm", arm);
  if (!body) {
    fail(&err, E_INVALID_ARGUMENT, "the reason is not UTF-8");
    return cli_fail(cli, &err);
  }
  char *text = json_dumps(body, JSON_COMPACT);
  int rc = 0;
  json_decref(body);
  if (client_path(path, &err, fmt, model) != OK || client_new(&client, cli, &err) != OK) {
    ungrab(text);
    return cli_fail(cli, &err);
  }
  if (client_call(client, "POST", path, slice_str(text), 0, &answer, &err) != OK)
    rc = cli_fail(cli, &err);
  else if (cli->args.json)
    out_json(answer.json);
  else
    outcome_print(client, model, answer.json);
  answer_free(&answer);
  client_free(client);
  ungrab(text);
  return rc;
}

static int word_say(struct cli *cli, const char *fmt)
{
  int rc;
  return cli_args(cli, word_opts, 1, 1, &rc) ? word_send(cli, fmt, NULL) : rc;
}

int command_promote(struct cli *cli)
{
  static const struct opt opts[] = {
      {"why", 0, OPT_TEXT, "TEXT", "a reason, kept in the history"},
      {"release", 0, OPT_COUNT, "N", "only if this release is the one that runs"},
      {"arm", 0, OPT_TEXT, "NAME", "of several candidates the one that goes on (the winner)"},
      {"override-freeze", 0, OPT_SWITCH, NULL, "go on in a freeze; two people must say so"},
      {NULL, 0, OPT_SWITCH, NULL, NULL},
  };
  int rc;
  if (!cli_args(cli, opts, 1, 1, &rc)) return rc;
  return word_send(cli, args_given(&cli->args, "override-freeze")
                            ? "/api/v1/models/%s/release/override_freeze"
                            : "/api/v1/models/%s/release/promote",
                   args_text(&cli->args, "arm"));
}

int command_pause(struct cli *cli) { return word_say(cli, "/api/v1/models/%s/release/pause"); }
int command_resume(struct cli *cli) { return word_say(cli, "/api/v1/models/%s/release/resume"); }

int command_approve(struct cli *cli)
{
  static const struct opt opts[] = {
      {"why", 0, OPT_TEXT, "TEXT", "a reason, kept in the history"},
      {"release", 0, OPT_COUNT, "N", "only if this release is the one that runs"},
      {"arm", 0, OPT_TEXT, "NAME", "of several candidates the one that goes on (the winner)"},
      {NULL, 0, OPT_SWITCH, NULL, NULL},
  };
  int rc;
  if (!cli_args(cli, opts, 1, 1, &rc)) return rc;
  return word_send(cli, "/api/v1/models/%s/release/approve", args_text(&cli->args, "arm"));
}

int command_reject(struct cli *cli) { return word_say(cli, "/api/v1/models/%s/release/reject"); }
int command_abort(struct cli *cli) { return word_say(cli, "/api/v1/models/%s/release/abort"); }
