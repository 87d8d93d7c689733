/* archive.h - `slipway backup` and `slipway restore`: commands that work on a data directory
 * itself, not through a server. Who may read the folder may run them.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#ifndef ARCHIVE_H
#define ARCHIVE_H

int archive_backup(int argc, char **argv);
int archive_restore(int argc, char **argv);

#endif
