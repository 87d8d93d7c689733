/* pressure.c - names of sources and actions.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "world/guard/pressure.h"

const char *source_name(enum pressure_source source)
{
  static const char *const names[] = {"memory", "stall", "lag", "files"};
  return names[source];
}

static const struct {
  const char *name, *text;
} rows[ACTIONS] = {
#define ACTION(name, NAME, percent, sources, text) [ACTION_##NAME] = {#name, text},
#include "world/guard/pressure.def"
#undef ACTION
};

const char *action_name(enum pressure_action action) { return rows[action].name; }
const char *action_text(enum pressure_action action) { return rows[action].text; }
