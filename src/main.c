/* main.c - argv[1] picks a row of cli/commands.def.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "cli/command.h"

#define SLIPWAY_VERSION "0.1.0"

int main(int argc, char **argv)
{
  return cli_run(SLIPWAY_VERSION, argc > 1 ? argv[1] : NULL, argc > 2 ? argc - 2 : 0, argv + 2);
}
