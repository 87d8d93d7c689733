/* release_int.h - what the files about releases share. Room-internal.
 * Thread: desk.
 *
 *   start    a plan is read, checked and forecast, then control is asked to begin
 *   way_back is the version that it would go back to still in the store?
 *   say      a person's word on the running release
 *   show     how the running one stands
 *   list     what the ledger knows of releases, and what the judge saw of one
 *   freeze   times in which nothing advances
 * SPDX-License-Identifier: MIT */
#ifndef API_RELEASE_RELEASE_INT_H
#define API_RELEASE_RELEASE_INT_H

#include "api/handlers_int.h"

/* Who speaks: one name per human, whatever keys they hold. */
struct slice ask_person(const struct ask *ask);

/* Room for facts in the ask's arena, filled in ascending order of names; an empty value is left
 * out. False at the arena's cap. */
struct ask_facts {
  struct event_fact *at;
  uint32_t n;
};
void ask_facts_begin(struct ask *ask, struct ask_facts *facts);
void ask_fact_add(struct ask_facts *facts, const char *name, struct slice value);
void ask_fact_add_int(struct ask *ask, struct ask_facts *facts, const char *name, int64_t value);
void ask_facts_give(const struct ask_facts *facts, struct event *event);

/* Events of the caller's tenant, newest first: all of a model, or with the model empty those of
 * releases and freezes. fn ends the walk in
 * peace with E_CANCELLED. Bounded by LEDGER_WALK_US. */
enum { LEDGER_WALK_US = 2000000 };
CHECKED enum code ledger_walk(struct ask *ask, struct slice model, history_fn fn, void *arg);
/* A fact as JSON: what it holds where that is JSON, else its text; NULL when it is not said. */
json_t *fact_json(const struct event *event, const char *name);

/* Whether every file of the version to go back to is in the store as it was pushed; else false with
 * ask->err (E_ARTIFACT_CORRUPT). Reads up to 64 MiB. */
bool way_back_holds(struct ask *ask, const struct version *stable);

/* The second path parameter, a release's number. */
bool release_number_read(struct ask *ask, uint32_t *number);

/* The answer to GET .../history?at=TIME. */
enum desk_step history_at(struct ask *ask, struct slice time);

/* How often releases of the caller's tenant moved into each state (judge/step.h) since the process
 * started; kept up to date at the desk. NULL when the ledger cannot be read. */
const uint64_t *release_moves_count(struct ask *ask, int64_t start_ms);

/* A member or query value that names a time: RFC 3339 or milliseconds. */
bool time_read(struct ask *ask, const char *field, const json_t *member, int64_t *wall_ms);

#endif
