/* command.c - the table of commands, help, and how errors are told.
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#include "cli/command.h"

#include <stdio.h>
#include <string.h>

#include "cli/release/glossary.h"

static const struct command commands[] = {
#define COMMAND(name, usage, help, example) {#name, usage, help, example, command_##name, false},
#define DAEMON(name, usage, help, example)  {#name, usage, help, example, NULL, true},
#define LATER(name, usage, help)            {#name, usage, help, NULL, NULL, false},
#include "cli/commands.def"
#undef COMMAND
#undef DAEMON
#undef LATER
};

enum { N_COMMANDS = sizeof commands / sizeof *commands };

const struct command *command_at(size_t i) { return i < N_COMMANDS ? &commands[i] : NULL; }

const struct command *command_find(const char *name)
{
  for (size_t i = 0; i < N_COMMANDS; i++)
    if (strcmp(commands[i].name, name) == 0) return &commands[i];
  return NULL;
}

static const struct command *command_near(const char *name)
{
  const struct command *best = NULL;
  for (size_t i = 0; i < N_COMMANDS; i++)
    if (edit_is_near(name, commands[i].name) &&
        (!best || edit_distance(name, commands[i].name) < edit_distance(name, best->name)))
      best = &commands[i];
  return best;
}

/* ---- errors ---- */

int cli_fail(const struct cli *cli, const struct err *err)
{
  char json[ERR_JSON_MAX];
  if (cli->args.json)
    fprintf(stderr, "%.*s", (int)err_json(json, err, SLICE_NONE), json);
  else
    fprintf(stderr, "slipway: %s\n", err->text);
  return code_exit(err->code);
}

/* ---- help ---- */

void command_help_print(const struct command *row, const struct opt *opts)
{
  struct buf buf;
  buf_init(&buf, 64 << 10);
  buf_print(&buf, "usage: slipway %s%s%s\n\n%s%s\n", row->name, row->usage[0] ? " " : "",
            row->usage, row->help, row->example ? "" : " (not built yet)");
  if (opts) {
    buf_print(&buf, "\n");
    args_help(opts, &buf);
  }
  if (row->example) buf_print(&buf, "\nexample: %s\n", row->example);
  printf("%.*s", (int)buf.len, buf.at);
  buf_deinit(&buf);
}

static void list_print(FILE *to)
{
  fprintf(to, "usage: slipway COMMAND [ARGS]; every command takes --json and --help\n\n");
  for (size_t i = 0; i < N_COMMANDS; i++)
    if (commands[i].example) fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].help);
  size_t column = 0;
  for (size_t i = 0; i < N_COMMANDS; i++) {
    if (commands[i].example) continue;
    size_t len = strlen(commands[i].name) + 1;
    if (!column) column = (size_t)fprintf(to, "\nnot built yet:") - 1;
    if (column + len > 78) column = (size_t)fprintf(to, "\n ") - 1;
    fprintf(to, " %s", commands[i].name);
    column += len;
  }
  fprintf(to, "%s\n'slipway help COMMAND' has flags and an example for each; 'slipway help states' "
              "says\nwhat the words for a release mean\n",
          column ? "\n" : "");
}

static void list_print_json(void)
{
  struct buf buf;
  buf_init(&buf, 64 << 10);
  buf_print(&buf, "[");
  for (size_t i = 0; i < N_COMMANDS; i++) {
    buf_print(&buf, "%s{\"name\":\"%s\",\"usage\":", i ? "," : "", commands[i].name);
    buf_json(&buf, slice_str(commands[i].usage));
    buf_print(&buf, ",\"help\":");
    buf_json(&buf, slice_str(commands[i].help));
    buf_print(&buf, ",\"built\":%s}", commands[i].example ? "true" : "false");
  }
  printf("%.*s]\n", (int)buf.len, buf.at);
  buf_deinit(&buf);
}

static int unknown_fail(const struct cli *cli, const char *name)
{
  struct err err;
  const struct command *near = command_near(name);
  if (near)
    fail(&err, E_INVALID_ARGUMENT, "'%.64s' is not a command; did you mean '%s'?", name,
         near->name);
  else
    fail(&err, E_INVALID_ARGUMENT, "'%.64s' is not a command; see 'slipway help'", name);
  return cli_fail(cli, &err);
}

static int later_fail(struct cli *cli)
{
  struct err err;
  for (int i = 0; i < cli->argc; i++)
    if (strcmp(cli->argv[i], "--json") == 0) cli->args.json = true;
  fail(&err, E_NOT_IMPLEMENTED, "'%s' is not built yet; 'slipway help' lists what is",
       cli->row->name);
  return cli_fail(cli, &err);
}

/* `help NAME` is `NAME --help`: the command itself knows its flags. */
int command_help(struct cli *cli)
{
  static const struct opt opts[] = {{NULL, 0, OPT_SWITCH, NULL, NULL}};
  int rc;
  if (!cli_args(cli, opts, 0, 1, &rc)) return rc;
  if (!cli->args.n_words) {
    if (cli->args.json)
      list_print_json();
    else
      list_print(stdout);
    return 0;
  }
  if (strcmp(cli->args.words[0], "states") == 0) {
    glossary_print(cli->args.json);
    return 0;
  }
  const struct command *row = command_find(cli->args.words[0]);
  if (!row) return unknown_fail(cli, cli->args.words[0]);
  if (!row->run) {
    command_help_print(row, NULL);
    return 0;
  }
  char flag[] = "--help", *argv[] = {flag};
  struct cli inner = {.row = row, .version = cli->version, .argc = 1, .argv = argv};
  return row->run(&inner);
}

int command_version(struct cli *cli)
{
  static const struct opt opts[] = {{NULL, 0, OPT_SWITCH, NULL, NULL}};
  int rc;
  if (!cli_args(cli, opts, 0, 0, &rc)) return rc;
  if (cli->args.json)
    printf("{\"name\":\"slipway\",\"version\":\"%s\"}\n", cli->version);
  else
    printf("slipway %s\n", cli->version);
  return 0;
}

/* ---- running ---- */

static void flags_offer(const struct opt *opts, const char *begun)
{
  static const struct opt common[] = {{.name = "json"}, {.name = "url"}, {.name = "help"}, {0}};
  size_t dashes = strspn(begun, "-"), len = strlen(begun + dashes);
  const struct opt *lists[] = {opts, common};
  for (size_t i = 0; i < 2; i++)
    for (const struct opt *opt = lists[i]; opt->name; opt++)
      if (dashes <= 2 && strncmp(opt->name, begun + dashes, len) == 0) printf("--%s\n", opt->name);
}

bool cli_args(struct cli *cli, const struct opt *opts, uint32_t words_min, uint32_t words_max,
              int *rc)
{
  struct err err;
  if (cli->flags_begun) {
    flags_offer(opts, cli->flags_begun);
    *rc = 0;
    return false;
  }
  if (args_read(&cli->args, opts, words_min, words_max, cli->argc, cli->argv, &err) != OK) {
    *rc = cli_fail(cli, &err);
    if (!cli->args.json)
      fprintf(stderr, "usage: slipway %s%s%s\n", cli->row->name, cli->row->usage[0] ? " " : "",
              cli->row->usage);
    return false;
  }
  if (!cli->args.help) return true;
  command_help_print(cli->row, opts);
  *rc = 0;
  return false;
}

int cli_run(const char *version, const char *name, int argc, char **argv)
{
  struct cli cli = {.version = version, .argc = argc, .argv = argv};
  if (!name) {
    list_print(stderr);
    return code_exit(E_INVALID_ARGUMENT);
  }
  if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) name = "help";
  if (strcmp(name, "--version") == 0) name = "version";
  cli.row = command_find(name);
  if (!cli.row) return unknown_fail(&cli, name);
  if (cli.row->run) return cli.row->run(&cli);
  if (argc > 0 && strcmp(argv[0], "--help") == 0) {
    command_help_print(cli.row, NULL);
    return 0;
  }
  return later_fail(&cli);
}
