/* daemon.h - `slipway serve`: the wiring diagram, called by main.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#ifndef DAEMON_H
#define DAEMON_H

#include "base/buf.h"

#define SLIPWAY_VERSION "0.1.0"

/* Runs until SIGTERM or SIGINT; argv[0] is the first flag. Returns the exit code. */
int daemon_serve(int argc, char **argv);
/* The flags of `slipway serve`, for its help. */
void daemon_help(struct buf *to);

#endif
