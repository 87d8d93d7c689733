/* demo_int.h - what the parts of the demo share.
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#ifndef CLI_DEMO_DEMO_INT_H
#define CLI_DEMO_DEMO_INT_H

#include "cli/load/own.h"

enum { DEMO_LINE_MAX = 4096, DEMO_PATH_MAX = 1024 };

struct demo {
  struct cli *cli;
  struct own own;
  char examples[DEMO_PATH_MAX], url[128];
  int64_t first_ms; /* Unix time: the first versions answered */
  bool terminal;
};

/* Shows and runs one command of ours. a NULL-terminated list of words. */
enum code demo_step(struct demo *demo, struct err *err, const char *name,
                    const char *const *words);
/* Three releases of digits under load: one that is better, one that is wrong, one that is slow. */
enum code demo_releases(struct demo *demo, struct client *client, struct err *err);
/* A second tenant with a limit; who answered before the releases. */
enum code demo_tenants(struct demo *demo, struct client *client, struct err *err);

#endif
