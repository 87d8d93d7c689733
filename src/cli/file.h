/* file.h - a file that somebody named, whole.
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#ifndef CLI_FILE_H
#define CLI_FILE_H

#include <stdio.h>

#include "base/buf.h"

/* What is in the file, up to the most that *to takes: to->full where there is more, and the rest is
 * not read, so an endless one ends, too. The file is closed, but not stdin. False and errno: it
 * cannot be read to its end. */
bool file_drain(FILE *file, struct buf *to);

#endif
