/* facts.h - building the facts of an event: any order in, ascending names out.
 * Thread: control. Pure; texts lie in the arena or are views of what outlives the event.
 * SPDX-License-Identifier: MIT */
#ifndef CONTROL_RELEASE_FACTS_H
#define CONTROL_RELEASE_FACTS_H

#include "world/event.h"

struct facts {
  struct arena *arena;
  struct event_fact at[EVENT_FACTS_MAX];
  uint32_t n;
  bool full; /* the arena's cap: the event must not be written */
};

void facts_init(struct facts *facts, struct arena *arena);
/* An empty value is left out. name: a literal. */
void facts_add(struct facts *facts, const char *name, struct slice value);
void facts_add_of(struct facts *facts, struct slice name, struct slice value);
void facts_number(struct facts *facts, const char *name, int64_t value);
/* Into the event; false when something did not fit. */
bool facts_give(struct facts *facts, struct event *event);

#endif
