/* command.h - the program's commands: a table, and what they share.
 * Thread: main (own process; a client of the API and nothing more).
 * Answers go to stdout, errors and progress to stderr. Exit codes come from base/err.def.
 * SPDX-License-Identifier: MIT */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "cli/args.h"

struct cli;

struct command {
  const char *name, *usage, *help, *example; /* example NULL: not built yet */
  int (*run)(struct cli *cli);               /* NULL: the daemon's, or not built yet */
  bool daemon;
};

struct cli {
  const struct command *row;
  const char *version; /* of slipway */
  int argc;            /* what follows the command's name */
  char **argv;
  struct args args;
  const char *flags_begun; /* cli_args prints the flags that begin like this, and that is all */
};

const struct command *command_find(const char *name); /* NULL when there is none */
const struct command *command_at(size_t i);           /* NULL past the last */

/* Picks the row called name and runs it; returns the exit code. Rows of the daemon are the caller's
 * to run. name NULL: prints the list to stderr, 2. */
int cli_run(const char *version, const char *name, int argc, char **argv);

/* ---- for commands */
/* Reads flags and words. False: there is nothing more to do, *rc is the exit code (help or what is
 * wrong was printed). */
bool cli_args(struct cli *cli, const struct opt *opts, uint32_t words_min, uint32_t words_max,
              int *rc);
/* Tells the error, as text or with --json as JSON, on stderr; returns its exit code. */
int cli_fail(const struct cli *cli, const struct err *err);
/* Usage, help, flags and example of a row. */
void command_help_print(const struct command *row, const struct opt *opts);

#define COMMAND(name, usage, help, example) int command_##name(struct cli *cli);
#define DAEMON(name, usage, help, example)
#define LATER(name, usage, help)
#include "cli/commands.def"
#undef COMMAND
#undef DAEMON
#undef LATER

#endif
