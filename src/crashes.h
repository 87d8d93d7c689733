/* crashes.h - versions that were running when the process died, three times in ten minutes, are
 * quarantined by the next start (control/registry/quarantine.h).
 * Thread: main.
 *
 * DATA/crashes has a line for each death of which it is known who ran: "UNIX_MS TENANT MODEL
 * VERSION" (infer/crash.h). It is emptied when somebody was quarantined, and when it is long.
 * SPDX-License-Identifier: MIT */
#ifndef CRASHES_H
#define CRASHES_H

#include "store/datadir.h"
#include "world/letters.h"

enum { CRASHES_TOLD_MAX = 16, CRASH_WHO_MAX = 256 };

struct crashes {
  int fd;
  uint32_t n; /* who is to be quarantined: "TENANT MODEL VERSION" */
  char who[CRASHES_TOLD_MAX][CRASH_WHO_MAX];
};

/* Reads what there is and has new ones written there. */
CHECKED enum code crashes_open(struct crashes *crashes, const struct datadir *dir,
                               struct err *err);
/* Once control runs: tells it. The newest signal that came meanwhile, or 0. */
int crashes_tell(struct crashes *crashes, const struct post *post);

#endif
