/* file.c - reading to the end or to the limit.
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#include "cli/file.h"

#include <errno.h>

bool file_drain(FILE *file, struct buf *to)
{
  char block[65536];
  size_t n;
  while (!to->full && (n = fread(block, 1, sizeof block, file)) > 0)
    buf_add(to, slice_of(block, n));
  bool good = !ferror(file);
  int error = errno;
  if (file != stdin) fclose(file);
  errno = error;
  return good;
}
