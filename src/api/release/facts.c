/* facts.c - small things that handlers about releases share: facts of a command, times, who speaks.
 * Thread: desk.
 * SPDX-License-Identifier: MIT */
#include "api/release/release_int.h"
#include "base/clock.h"

struct slice ask_person(const struct ask *ask)
{
  return ask->letter->person.len ? ask->letter->person : ask->letter->actor;
}

void ask_facts_begin(struct ask *ask, struct ask_facts *facts)
{
  facts->n = 0;
  facts->at = arena_zero(&ask->arena, EVENT_FACTS_MAX, sizeof *facts->at);
  must(facts->at != NULL); /* the arena has room for a plan beside it */
}

void ask_fact_add(struct ask_facts *facts, const char *name, struct slice value)
{
  if (!value.len) return;
  must(facts->n < EVENT_FACTS_MAX);
  must(!facts->n || slice_order(facts->at[facts->n - 1].name, slice_str(name)) < 0);
  facts->at[facts->n++] = (struct event_fact){.name = slice_str(name), .value = value};
}

void ask_fact_add_int(struct ask *ask, struct ask_facts *facts, const char *name, int64_t value)
{
  char text[TEXT_NUMBER_MAX];
  struct slice copy = arena_copy(&ask->arena, slice_of(text, text_print_i64(text, value)));
  must(copy.at != NULL);
  ask_fact_add(facts, name, copy);
}

void ask_facts_give(const struct ask_facts *facts, struct event *event)
{
  event->facts = facts->at;
  event->n_facts = facts->n;
}

bool time_read(struct ask *ask, const char *field, const json_t *member, int64_t *wall_ms)
{
  int64_t number;
  if (!member || json_is_null(member)) return true;
  if (json_whole(member, &number) && number > 0) {
    *wall_ms = number;
    return true;
  }
  if (json_is_string(member) &&
      clock_read(slice_of(json_string_value(member), json_string_length(member)), wall_ms))
    return true;
  fail(&ask->err, E_INVALID_ARGUMENT,
       "'%s' is not a time like 2026-01-31T18:00Z or milliseconds since 1970", field);
  fail_at(&ask->err, "%s", field);
  return false;
}
