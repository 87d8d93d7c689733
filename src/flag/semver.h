/* semver.h - versions in order.
 * Thread: any, pure.
 * Source: semver.org 2.0.0; as flagd reads them: a leading v is dropped, "1" and "1.2" are filled
 * up with zeros, nothing else is repaired.
 * SPDX-License-Identifier: MIT */
#ifndef FLAG_SEMVER_H
#define FLAG_SEMVER_H

#include "base/slice.h"

struct semver {
  uint64_t parts[3]; /* major, minor, patch */
  struct slice pre;  /* "rc.1"; empty: a release */
};

bool semver_read(struct slice text, struct semver *to);
/* -1, 0, 1; build metadata does not count. */
int semver_compare(const struct semver *a, const struct semver *b);

#endif
