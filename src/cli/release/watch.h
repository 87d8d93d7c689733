/* watch.h - following a release until it has ended.
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#ifndef CLI_RELEASE_WATCH_H
#define CLI_RELEASE_WATCH_H

#include "cli/client.h"

/* Prints progress to stderr (one line on a terminal, else a line for each change), then the outcome
 * to stdout (with --json the release as it ended). Returns 0 when the candidate won, 8 when it was
 * rolled back, aborted or refused, else the exit code of what went wrong. */
int watch_release(const struct cli *cli, struct client *client, const char *model,
                  uint64_t number);

#endif
