/* replay.h - what a start takes from the ledger before anything runs: the snapshot and the events
 * after it, the looks of releases that run, what webhooks are owed; and from
 * the files, what uploads wait.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#ifndef REPLAY_H
#define REPLAY_H

#include "control/control.h"
#include "store/ledger.h"

enum { SNAPSHOT_EVENTS = 20000 }; /* after so many control hands the scribe another snapshot */

CHECKED enum code replay_all(const struct datadir *dir, struct ledger *ledger,
                             struct control *control, struct err *err);

#endif
