/* keeper.h - what the main thread does while the others work: it waits for signals, writes the log,
 * and takes the letters that come home to it.
 * Thread: main. keeper_box may be written to by any.
 * SPDX-License-Identifier: MIT */
#ifndef KEEPER_H
#define KEEPER_H

#include "base/err.h"
#include "base/mail.h"

/* Opens DATA/log/slipway.jsonl below dir_fd, blocks the signals that end the process (so that
 * threads started later inherit that), and makes the mailbox. Logs go to the file, and to stderr
 * unless that is a terminal. The file is renamed to slipway.1.jsonl past 16 MiB. */
CHECKED enum code keeper_start(int dir_fd, struct err *err);
struct mailbox *keeper_box(void);
/* Waits for a signal (returned), letters (in *mail, oldest first), or deadline_us (returns 0). */
int keeper_wait(int64_t deadline_us, struct mail **mail);
void keeper_stop(void); /* writes what still waits */

#endif
