/* file.h - a file that somebody named, whole.
 * A file that is not there, or cannot be read, is E_NOT_FOUND with every command, as other things
 * that a command names: exit 4. What is in it is another matter.
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
