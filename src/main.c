/* main.c - argv[1] picks a row of cli/commands.def. The one row that is the daemon's runs it here;
 * the others are clients of a daemon.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "archive.h"
#include "cli/command.h"
#include "daemon.h"
#include "jobs/inspect/child.h"

static bool help_wanted(int argc, char **argv)
{
  for (int i = 0; i < argc; i++)
    if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) return true;
  return false;
}

static int serve_help(void)
{
  struct buf flags;
  buf_init(&flags, 64 << 10);
  daemon_help(&flags);
  command_help_print(command_find("serve"), NULL);
  printf("\n%.*s", (int)flags.len, flags.at);
  printf("  %-32s %s\n", "--config FILE", "a YAML file with any of these, names with '_' for '-'");
  printf("  %-32s %s\n", "--print-config", "print every setting and where it came from, then exit");
  printf("  %-32s %s\n", "--check", "say whether the configuration is good, then exit");
  printf("\nSettings with * follow the file when the process gets SIGHUP: kill -HUP PID. A file\n"
         "that is not right changes nothing, and the log says where.\n");
  buf_deinit(&flags);
  return 0;
}

int main(int argc, char **argv)
{
  const char *name = argc > 1 ? argv[1] : NULL;
  int rest = argc > 2 ? argc - 2 : 0;
  char **words = argv + (argc > 2 ? 2 : argc);
  if (argc == 2 && strcmp(name, CHILD_WORD) == 0) return child_main();
  bool serve = name && strcmp(name, "serve") == 0;
  if (serve && help_wanted(rest, words)) return serve_help();
  if (serve) return daemon_serve(rest, words);
  if (name && !help_wanted(rest, words)) {
    if (strcmp(name, "backup") == 0) return archive_backup(rest, words);
    if (strcmp(name, "restore") == 0) return archive_restore(rest, words);
  } else if (name && (strcmp(name, "backup") == 0 || strcmp(name, "restore") == 0)) {
    command_help_print(command_find(name), NULL);
    return 0;
  }
  if (name && strcmp(name, "help") == 0 && rest == 1 && strcmp(words[0], "serve") == 0)
    return serve_help();
  return cli_run(SLIPWAY_VERSION, name, rest, words);
}
