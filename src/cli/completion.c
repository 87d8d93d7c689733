/* completion.c - `slipway completion bash|zsh|fish`: a script for the shell that asks this program
 * back what may come next, so that new commands and flags need no new script.
 *
 *   slipway completion words de          deploy  demo
 *   slipway completion words deploy --   --strategy  --plan ...
 *   slipway completion words deploy ''   names of models, of the server if it answers in time
 *
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "cli/client.h"

enum { SECONDS_MAX = 1 }; /* a person has pressed a key and waits */

static const char bash_script[] =
    "# bash: source <(slipway completion bash), or keep it in a file of bash-completion\n"
    "_slipway() {\n"
    "  local cur=${COMP_WORDS[COMP_CWORD]}\n"
    "  mapfile -t COMPREPLY < <(\"${COMP_WORDS[0]}\" completion words \\\n"
    "    \"${COMP_WORDS[@]:1:COMP_CWORD-1}\" \"$cur\" 2>/dev/null)\n"
    "}\n"
    "complete -o default -F _slipway slipway\n";

static const char zsh_script[] =
    "#compdef slipway\n"
    "# zsh: source <(slipway completion zsh), or keep it as _slipway in a folder of fpath\n"
    "_slipway() {\n"
    "  local -a found\n"
    "  found=(${(f)\"$(\"${words[1]}\" completion words \\\n"
    "    \"${(@)words[2,CURRENT]}\" 2>/dev/null)\"})\n"
    "  if (( $#found )); then compadd -a found; else _files; fi\n"
    "}\n"
    "compdef _slipway slipway\n";

static const char fish_script[] =
    "# fish: slipway completion fish | source, or keep it in ~/.config/fish/completions\n"
    "complete -c slipway -a '(set -l w (commandline -opc); "
    "slipway completion words $w[2..-1] (commandline -ct) 2>/dev/null)'\n";

static const struct {
  const char *shell, *script;
} scripts[] = {{"bash", bash_script}, {"zsh", zsh_script}, {"fish", fish_script}};

enum { N_SCRIPTS = sizeof scripts / sizeof *scripts };

static void offer(const char *word, const char *begun)
{
  if (strncmp(word, begun, strlen(begun)) == 0) puts(word);
}

static void commands_offer(const char *begun)
{
  const struct command *row;
  for (size_t i = 0; (row = command_at(i)) != NULL; i++)
    if (row->example) offer(row->name, begun);
}

/* "add --role ROLE | list | revoke KEY" has the words add, list and revoke. */
static void words_offer(const char *usage, const char *begun)
{
  while (*usage) {
    char word[32];
    size_t len = strspn(usage, "abcdefghijklmnopqrstuvwxyz-");
    if (len > 0 && len < sizeof word && usage[0] != '-') {
      snprintf(word, sizeof word, "%.*s", (int)len, usage);
      offer(word, begun);
    }
    usage += strcspn(usage, "|");
    usage += strspn(usage, "| ");
  }
}

/* Nothing is said when there is no server, or it wants a key that is not here. */
static void models_offer(const struct cli *cli, const char *begun)
{
  struct err err;
  struct client *client;
  struct answer answer = {0};
  if (client_new(&client, cli, &err) != OK) return;
  if (client_call(client, "GET", "/v2/models", SLICE_NONE, SECONDS_MAX, &answer, &err) == OK) {
    size_t i;
    json_t *name;
    json_array_foreach(json_object_get(answer.json, "models"), i, name)
      if (json_is_string(name)) offer(json_string_value(name), begun);
  }
  answer_free(&answer);
  client_free(client);
}

/* argv: the words after the program's name; the last is the one being typed. */
static int next_offer(const struct cli *cli, int argc, char **argv)
{
  const char *begun = argc > 0 ? argv[argc - 1] : "";
  const struct command *row = argc > 1 ? command_find(argv[0]) : NULL;
  if (argc < 2) {
    commands_offer(begun);
  } else if (!row || !row->run) {
    return 0;
  } else if (begun[0] == '-') {
    struct cli inner = {.row = row, .version = cli->version, .flags_begun = begun};
    return row->run(&inner);
  } else if (argc == 2 && strcmp(row->name, "help") == 0) {
    commands_offer(begun);
  } else if (argc == 2 && row->usage[0] >= 'a' && row->usage[0] <= 'z') {
    words_offer(row->usage, begun);
  } else if (strstr(row->usage, "MODEL") && argv[argc - 2][0] != '-') {
    models_offer(cli, begun);
  }
  return 0;
}

int command_completion(struct cli *cli)
{
  static const struct opt opts[] = {{NULL, 0, OPT_SWITCH, NULL, NULL}};
  struct err err;
  int rc;
  if (!cli->flags_begun && cli->argc > 0 && strcmp(cli->argv[0], "words") == 0)
    return next_offer(cli, cli->argc - 1, cli->argv + 1);
  if (!cli_args(cli, opts, 1, 1, &rc)) return rc;
  for (size_t i = 0; i < N_SCRIPTS; i++)
    if (strcmp(cli->args.words[0], scripts[i].shell) == 0)
      return fputs(scripts[i].script, stdout), 0;
  fail(&err, E_INVALID_ARGUMENT, "'%.32s' is no shell that completion knows: bash, zsh or fish",
       cli->args.words[0]);
  return cli_fail(cli, &err);
}
