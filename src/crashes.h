/* crashes.h - versions that were running when the process died, three times in ten minutes, are
 * quarantined by the next start (control/registry/quarantine.h).
 * Thread: main.
 *
 * DATA/crashes has a line for each death of which it is known who ran: "UNIX_MS TENANT MODEL
 * VERSION" (infer/crash.h). It is emptied when who was to be quarantined is, and when it is long.
 * SPDX-License-Identifier: MIT */
#ifndef CRASHES_H
#define CRASHES_H

#include "control/control.h"
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
/* Before control runs: none of them is to be loaded, since a load that crashes would end the
 * process before anything is written. */
void crashes_bar(const struct crashes *crashes, struct control *control);
/* Once control runs: tells it. The newest signal that came meanwhile, or 0. */
int crashes_tell(struct crashes *crashes, const struct post *post);

#endif
