/* arm.c - the names of arms.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "stat/arm.h"

#include "base/err.h"

static const char *const names[ARMS_MAX] = {"candidate",   "stable",      "candidate-2",
                                            "candidate-3", "candidate-4", "candidate-5",
                                            "candidate-6", "candidate-7"};

const char *arm_name(uint32_t arm)
{
  must(arm < ARMS_MAX);
  return names[arm];
}

bool arm_named(struct slice name, uint32_t *arm)
{
  for (uint32_t i = 0; i < ARMS_MAX; i++)
    if (slice_eq(name, slice_str(names[i]))) {
      *arm = i;
      return true;
    }
  return false;
}
