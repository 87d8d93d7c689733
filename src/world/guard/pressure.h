/* pressure.h - how short the process is of what it stands on, and what is done about it.
 * Thread: any; control decides (control/guard/pressure.h), worlds tell.
 *
 * Each source is a percentage of where it hurts:
 *   memory  used of the budget: the cgroup's, or resident bytes of what was said or is there
 *   stall   memory stalls: 80 is 5 % of the last 10 s, five more for each doubling, 95 at most
 *   lag     turns of a loop: 80 is 20 ms at the 99th percentile, five more for each doubling, 90 at
 *           most: a slow turn is no reason to refuse
 *   files   descriptors open of those allowed
 * SPDX-License-Identifier: MIT */
#ifndef WORLD_GUARD_PRESSURE_H
#define WORLD_GUARD_PRESSURE_H

#include <stdint.h>

enum pressure_source { SOURCE_MEMORY, SOURCE_STALL, SOURCE_LAG, SOURCE_FILES };
enum { SOURCES = SOURCE_FILES + 1 };

enum pressure_action {
#define ACTION(name, NAME, ...) ACTION_##NAME,
#include "world/guard/pressure.def"
#undef ACTION
  ACTIONS
};
#define ACTION_BIT(action) (1u << (action))

struct pressure_readings {
  uint8_t percent[SOURCES]; /* lag: what loops told is control's; here only for tests */
  uint64_t memory_used, memory_max;
  const char *memory_from; /* "option", "cgroup", "machine"; NULL: not read yet */
};

/* As it is now. */
struct pressure {
  struct pressure_readings last;
  uint32_t actions; /* bits */
};

const char *source_name(enum pressure_source source); /* "memory" */
const char *action_name(enum pressure_action action); /* "no_shadow" */
const char *action_text(enum pressure_action action);

#endif
