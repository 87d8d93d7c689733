/* inspect.c - files are looked at before they are a version: a letter to the inspector, and what it
 * found as facts of the push.
 * Thread: desk.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "api/handlers_int.h"
#include "api/manifest_int.h"
#include "api/registry/registry_int.h"

enum desk_step ask_inspect(struct ask *ask, ask_then then)
{
  struct letter_inspect *letter = &ask->inspect;
  const struct post *post = ask->desk->post;
  const struct event *event = &ask->command.event;
  if (!post->inspector) return then(ask);
  if (!control_listens(ask)) return ask_fail(ask);
  *letter = (struct letter_inspect){.mail.kind = LETTER_INSPECT,
                                    .home = &ask->desk->box,
                                    .tenant = ask->letter->tenant,
                                    .engine = event->engine,
                                    .files = event->files,
                                    .n_files = event->n_files,
                                    .fresh = letter->fresh,
                                    .desk_state = ask};
  ask->inspect_then = then;
  ask->letters_out++;
  mail_send(post->inspector, &letter->mail);
  return DESK_LATER;
}

/* Among the others, by name; a fact of that name is replaced. */
static void fact_set(struct ask *ask, const char *name, struct slice value)
{
  struct event *event = &ask->command.event;
  struct event_fact *facts = arena_zero(&ask->arena, event->n_facts + 1, sizeof *facts);
  uint32_t n = 0, i = 0;
  must(facts && value.at);
  while (i < event->n_facts && slice_order(event->facts[i].name, slice_str(name)) < 0)
    facts[n++] = event->facts[i++];
  facts[n++] = (struct event_fact){slice_str(name), value};
  for (; i < event->n_facts; i++)
    if (!slice_eq(event->facts[i].name, slice_str(name))) facts[n++] = event->facts[i];
  event->facts = facts;
  event->n_facts = n;
}

static void fact_number(struct ask *ask, const char *name, uint64_t value)
{
  fact_set(ask, name, slice_str(arena_print(&ask->arena, "%llu", (unsigned long long)value)));
}

void inspect_home(struct letter_inspect *letter)
{
  struct ask *ask = letter->desk_state;
  must(letter == &ask->inspect && ask->letters_out > 0);
  ask->letters_out--;
  ask_look(ask);
  if (letter->err.code != OK && letter->n_files) {
    ask->err = letter->err;
    if (ask->inspect_of.len) fail_at(&ask->err, "models.%.*s", SLICE_ARG(ask->inspect_of));
    ask_stepped(ask, ask_fail(ask));
    return;
  }
  if (letter->n_files) {
    fact_set(ask, "inspected", slice_str(letter->found.stamp));
    fact_number(ask, "memory_bytes", letter->found.memory_bytes);
    fact_number(ask, "memory_peak_bytes", letter->found.memory_peak_bytes);
  }
  ask_stepped(ask, ask->inspect_then(ask));
}

json_t *inspected_json(const struct ask *ask)
{
  const struct inspected *found = &ask->inspect.found;
  if (!found->engine[0]) return NULL;
  return json_pack("{ss,so,so,so,so,so}", "engine", found->engine, "memory_bytes",
                   json_u64(found->memory_bytes), "memory_peak_bytes",
                   json_u64(found->memory_peak_bytes), "load_us", json_integer(found->load_us),
                   "run_ns", json_integer(found->run_ns), "golden", json_integer(found->n_golden));
}

/* ---- `slipway check`: the look alone ---- */

static enum desk_step check_told(struct ask *ask)
{
  json_t *found = inspected_json(ask);
  if (!found) {
    fail(&ask->err, E_NOT_IMPLEMENTED, "nobody looks at models here");
    return ask_fail(ask);
  }
  json_object_set_new(found, "ok", json_true());
  json_object_set_new(found, "stamp", json_string(ask->inspect.found.stamp));
  return ask_json(ask, 200, found);
}

enum desk_step check_files(struct ask *ask)
{
  struct event *event = &ask->command.event;
  *event = (struct event){0};
  if (!ask_body(ask) || !ask_members(ask, "files", "engine", NULL) ||
      !member_str(ask, ask->body, "engine", ASK_MEMBER_MAX, &event->engine) ||
      !engine_name_check(ask, event->engine) || !manifest_files_read(ask, ask->body, true, event))
    return ask_fail(ask);
  ask->inspect.fresh = true;
  return ask_inspect(ask, check_told);
}

enum desk_step check_version(struct ask *ask)
{
  struct event *event = &ask->command.event;
  const struct version *version = registry_version(ask);
  if (!version || !manifest_event_read(ask, version, event)) return ask_fail(ask);
  ask->inspect.fresh = true;
  return ask_inspect(ask, check_told);
}
