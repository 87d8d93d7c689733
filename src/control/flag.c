/* flag.c - flags decided and folded.
 * Thread: control.
 * The event carries the whole file, so that a ledger folds to the same flags whatever later rules
 * of reading them say. A tenant has one file: it is replaced, not kept (catalog.h keeps all else).
 * SPDX-License-Identifier: MIT */
#include "control/flag.h"

#include "base/clock.h"
#include "base/mem.h"
#include "control/release/freeze.h"
#include "flag/edit.h"

enum { FACTS = 2 };

static enum code file_next(const struct catalog_tenant *tenant,
                           const struct letter_command *command, struct slice *file,
                           struct err *err)
{
  const struct event *wish = &command->event;
  struct slice key = event_fact(wish, "flag"), whole = event_fact(wish, "flags");
  if (command->kind == COMMAND_FLAG_REMOVE)
    return flags_drop(tenant->flags, key, command->arena, file, err);
  if (!whole.at)
    return flags_put(tenant->flags, key, event_fact(wish, "definition"), command->arena, file, err);
  *file = whole;
  if (whole.len <= FLAG_FILE_MAX) return OK;
  return fail(err, E_LIMIT_EXCEEDED, "the flag file is longer than %d bytes", FLAG_FILE_MAX);
}

static const struct catalog_freeze *freeze_now(const struct catalog *catalog,
                                               const struct catalog_tenant *tenant, int64_t wall_ms)
{
  for (uint32_t i = 0; i < catalog->n_freezes; i++) {
    const struct catalog_freeze *freeze = &catalog->freezes[i];
    bool mine = freeze->scope == FREEZE_SYSTEM ||
                (freeze->scope == FREEZE_TENANT && freeze->tenant == tenant);
    if (mine && freeze_holds(freeze, wall_ms)) return freeze;
  }
  return NULL;
}

bool flags_frozen(const struct catalog *catalog, const struct catalog_tenant *tenant,
                  const struct letter_command *command, struct slice file, struct err *err)
{
  const struct event *wish = &command->event;
  const struct catalog_freeze *freeze = freeze_now(catalog, tenant, wish->wall_ms);
  struct slice key = event_fact(wish, "flag"), off;
  if (!freeze) return false;
  if (key.len && flags_disable(tenant->flags, key, command->arena, &off, err) == OK &&
      slice_eq(file, off))
    return false;
  char until[25] = "it is lifted";
  if (freeze->until_ms) clock_text(freeze->until_ms, until);
  fail(err, E_CONFLICT, "flags are frozen until %s (%.*s); one may only be disabled", until,
       SLICE_ARG(freeze->why.len ? freeze->why : freeze->actor));
  return true;
}

void flag_decide(const struct catalog *catalog, const struct catalog_tenant *tenant,
                 const struct letter_command *command, struct decision *decision)
{
  const struct event *wish = &command->event;
  struct event *event = &decision->events[0];
  struct slice file = SLICE_NONE, key = event_fact(wish, "flag");
  bool set = command->kind == COMMAND_FLAG_SET;
  decision->kind = DECISION_ANSWER;
  if (file_next(tenant, command, &file, &decision->err)) return;
  if (slice_eq(file, tenant->flags)) { /* true already */
    decision->seq = tenant->flags_seq;
    return;
  }
  if (flags_frozen(catalog, tenant, command, file, &decision->err)) return;
  struct event_fact *facts = arena_zero(command->arena, FACTS, sizeof *facts);
  if (!facts) {
    fail(&decision->err, E_OUT_OF_MEMORY, "the flags take too much memory");
    return;
  }
  uint32_t n = 0;
  if (key.len) facts[n++] = (struct event_fact){SLICE("flag"), key};
  facts[n++] = (struct event_fact){SLICE("flags"), file};
  decision->kind = DECISION_APPEND;
  decision->n_events = 1;
  *event = (struct event){.kind = set ? EVENT_FLAGS_SET : EVENT_FLAG_REMOVED,
                          .tenant = wish->tenant,
                          .actor = wish->actor,
                          .note = wish->note,
                          .facts = facts,
                          .n_facts = n};
}

enum code flag_fold(struct catalog_tenant *tenant, const struct event *event, struct err *err)
{
  struct slice file = event_fact(event, "flags");
  if (!file.len) return fail(err, E_INTERNAL, "an event about flags holds no flags");
  tenant->flags_text = grab_more(tenant->flags_text, file.len);
  memcpy(tenant->flags_text, file.at, file.len);
  tenant->flags = slice_of(tenant->flags_text, file.len);
  tenant->flags_seq = event->seq;
  tenant->flags_ms = event->wall_ms;
  return OK;
}
