/* replay.h - `slipway release replay`: what was decided is decided again.
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#ifndef CLI_RELEASE_REPLAY_H
#define CLI_RELEASE_REPLAY_H

#include "cli/command.h"

/* path: of the release, "/api/v1/releases/fraud/17"; name: "fraud/17". Returns 0 when every
 * recorded verdict came out the same bit for bit, 8 when one did not, else the code of what went
 * wrong. */
int replay_release(const struct cli *cli, const char *path, const char *name);

#endif
