/* facts.c - kept in order as they come.
 * Thread: control. Pure.
 * SPDX-License-Identifier: MIT */
#include "control/release/facts.h"

#include "base/text.h"

void facts_init(struct facts *facts, struct arena *arena)
{
  *facts = (struct facts){.arena = arena};
}

void facts_add_of(struct facts *facts, struct slice key, struct slice value)
{
  uint32_t at = facts->n;
  if (!value.at) facts->full = facts->full || value.len;
  if (!value.len) return;
  must(facts->n < EVENT_FACTS_MAX);
  for (; at && slice_order(key, facts->at[at - 1].name) < 0; at--)
    facts->at[at] = facts->at[at - 1];
  facts->at[at] = (struct event_fact){key, value};
  facts->n++;
}

void facts_add(struct facts *facts, const char *name, struct slice value)
{
  facts_add_of(facts, slice_str(name), value);
}

void facts_number(struct facts *facts, const char *name, int64_t value)
{
  char text[TEXT_NUMBER_MAX];
  size_t len = text_print_i64(text, value);
  struct slice copy = arena_copy(facts->arena, slice_of(text, len));
  facts->full = facts->full || !copy.at;
  facts_add(facts, name, copy);
}

bool facts_give(struct facts *facts, struct event *event)
{
  struct event_fact *copy = arena_zero(facts->arena, facts->n, sizeof *copy);
  if (!copy || facts->full) return false;
  memcpy(copy, facts->at, facts->n * sizeof *copy);
  event->facts = copy;
  event->n_facts = facts->n;
  return true;
}
