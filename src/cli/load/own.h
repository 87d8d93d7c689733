/* own.h - a server of our own: a child process on a folder of its own, both gone at the end.
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#ifndef CLI_LOAD_OWN_H
#define CLI_LOAD_OWN_H

#include <sys/types.h>

#include "cli/client.h"

struct own {
  char data[64], url[128], listen[96];
  pid_t pid; /* 0: it has ended */
};

/* Starts it: on listen, or where that is NULL on a free port of loopback. what: a word in the
 * folder's name. Ends with this process at the latest. */
CHECKED enum code own_start(struct own *own, const char *what, const char *listen, struct err *err);
/* Until it is ready; E_UNAVAILABLE with its last words when it has ended, or after 10 s. */
CHECKED enum code own_await(struct own *own, struct client *client, struct err *err);
/* SIGTERM, waits, removes the folder. A zeroed one is fine. */
void own_end(struct own *own);

#endif
