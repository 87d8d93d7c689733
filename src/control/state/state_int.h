/* state_int.h - a difference being found. Inside the folder only.
 * Thread: control. Pure.
 *
 *   state    the tenant itself, what is pruned, lines and events put together
 *   model    one model: made, its version, card, limits, aliases, what serves
 *   flags    the flag file, flag by flag
 *
 * Each part returns false with diff->err.
 * SPDX-License-Identifier: MIT */
#ifndef CONTROL_STATE_STATE_INT_H
#define CONTROL_STATE_STATE_INT_H

#include "control/quota.h"
#include "control/state/state.h"

struct diff {
  const struct catalog *catalog;
  const struct catalog_tenant *tenant; /* NULL: it is to be made */
  const struct letter_command *command;
  const struct state *state;
  struct arena *arena;  /* the state's */
  struct arena scratch; /* emptied by each part */
  struct err *err;
  struct event *events;
  uint32_t n_events, events_cap;
  struct state_edit *edits;
  uint32_t n_edits, edits_cap;
  struct digest digest;   /* of the edits, once all are there */
  struct quotas quotas;   /* the tenant's, as they will be */
  struct stock_more more; /* that comes to what there is */
  struct stock_more gone; /* that goes before it: models pruned */
};

/* A copy that lives as long as the state; false past STATE_ARENA_MAX. */
bool diff_keep(struct diff *diff, struct slice *text);
bool diff_full(struct diff *diff); /* fills err with that; returns false */
/* One more line; texts are kept. NULL past STATE_EDITS_MAX. */
struct state_edit *diff_edit(struct diff *diff, const char *what, struct slice model,
                             struct slice name, struct slice from, struct slice to);
/* One more event of the command's tenant and actor, the rest is the caller's; its texts must be
 * kept or the declaration's own. NULL past STATE_EVENTS_MAX. */
struct event *diff_event(struct diff *diff, enum event_kind kind, struct slice model);
/* One fact for an event without any. */
bool diff_fact(struct diff *diff, struct event *event, const char *name, struct slice value);
/* Lines for limits that change. *next: what will be said; *fact: the event's, empty: none. */
bool diff_quotas(struct diff *diff, const struct quotas *said, enum quota_scope scope,
                 struct slice wanted, struct slice model, struct quotas *next, struct slice *fact);

bool diff_model(struct diff *diff, const struct state_model *want);
bool diff_model_removed(struct diff *diff, struct catalog_model *model);
bool diff_flags(struct diff *diff);

#endif
