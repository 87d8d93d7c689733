/* card.c - what people say of models and versions: made, patched, removed.
 * Thread: desk.
 * A patch goes to control as it came: what a card may hold is decided there, once
 * (control/registry/card.h). Only who may touch a hold is asked here, by the caller's role.
 * SPDX-License-Identifier: MIT */
#include "api/registry/registry_int.h"
#include "base/mem.h"

/* The object as a patch, compact; a hold takes an admin. False: ask->err. */
static bool patch_read(struct ask *ask, const json_t *object, struct slice *patch)
{
  if (json_object_get(object, "hold") && !role_may(ask->letter->role, ROLE_ADMIN)) {
    fail(&ask->err, E_DENIED, "a hold is set and lifted by an admin; you have the role %s",
         role_name(ask->letter->role));
    fail_at(&ask->err, "hold");
    return false;
  }
  char *text = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
  *patch = arena_copy(&ask->arena, slice_str(text));
  ungrab(text);
  if (patch->at) return true;
  fail(&ask->err, E_BODY_TOO_LARGE, "the body is too large");
  return false;
}

bool card_take(struct ask *ask, const json_t *object, struct event *event)
{
  struct ask_facts facts;
  struct slice patch;
  if (!patch_read(ask, object, &patch)) return false;
  if (slice_eq(patch, SLICE("{}"))) return true;
  ask_facts_begin(ask, &facts);
  ask_fact_add(&facts, "patch", patch);
  ask_facts_give(&facts, event);
  return true;
}

enum desk_step registry_done(struct ask *ask)
{
  const struct letter_command *command = &ask->command;
  if (command->err.code != OK) {
    ask->err = command->err;
    return ask_fail(ask);
  }
  json_t *tree = json_pack("{so,so}", "model", json_slice(command->event.model), "seq",
                           json_u64(command->seq));
  struct slice alias = event_fact(&command->event, "alias");
  if (command->version) json_object_set_new(tree, "version", json_integer(command->version));
  if (alias.len) json_object_set_new(tree, "alias", json_slice(alias));
  const struct model *model =
      ask->tenant ? world_model(ask->world, ask->tenant, command->event.model) : NULL;
  if (model) ask_etag(ask, model);
  return ask_json(ask, command->kind == COMMAND_MODEL_ADD ? 201 : 200, tree);
}

enum desk_step model_add(struct ask *ask)
{
  struct event *event = &ask->command.event;
  struct slice name = SLICE_NONE;
  *event = (struct event){.kind = EVENT_MODEL_CREATED};
  if (!ask_body(ask) || !member_str(ask, ask->body, "name", ASK_MEMBER_MAX, &name))
    return ask_fail(ask);
  event->model = arena_copy(&ask->arena, name);
  if (model_name_check(event->model, &ask->err) != OK) {
    fail_at(&ask->err, "name");
    return ask_fail(ask);
  }
  json_object_del(ask->body, "name");
  if (!card_take(ask, ask->body, event)) return ask_fail(ask);
  ask->command.kind = COMMAND_MODEL_ADD;
  return ask_command(ask, registry_done);
}

enum desk_step model_set(struct ask *ask)
{
  struct event *event = &ask->command.event;
  *event = (struct event){.kind = EVENT_MODEL_SET, .model = ask->letter->params[0]};
  if (!ask_model(ask, 0) || !ask_body(ask) || !card_take(ask, ask->body, event))
    return ask_fail(ask);
  if (!event->n_facts) {
    fail(&ask->err, E_INVALID_ARGUMENT,
         "say what is to change: description, tags, hold; null takes a member away");
    return ask_fail(ask);
  }
  ask->command.kind = COMMAND_MODEL_SET;
  return ask_command(ask, registry_done);
}

const struct version *registry_version(struct ask *ask)
{
  const struct model *model = ask_model(ask, 0);
  return model ? ask_version(ask, model, ask->letter->params[1]) : NULL;
}

enum desk_step version_set(struct ask *ask)
{
  struct event *event = &ask->command.event;
  const struct version *version = registry_version(ask);
  if (!version) return ask_fail(ask);
  *event = (struct event){.kind = EVENT_VERSION_SET,
                          .model = ask->letter->params[0],
                          .version = version->number};
  if (!ask_body(ask) || !card_take(ask, ask->body, event)) return ask_fail(ask);
  if (!event->n_facts) {
    fail(&ask->err, E_INVALID_ARGUMENT,
         "say what is to change: description, tags, run, data, parent, hold; null takes a member "
         "away");
    return ask_fail(ask);
  }
  ask->command.kind = COMMAND_VERSION_SET;
  return ask_command(ask, registry_done);
}

enum desk_step model_remove(struct ask *ask)
{
  ask->command.kind = COMMAND_MODEL_REMOVE;
  ask->command.event =
      (struct event){.kind = EVENT_MODEL_REMOVED, .model = ask->letter->params[0]};
  return ask_command(ask, registry_done);
}

/* By number only: whoever removes says what, and not what a name points at by then. */
enum desk_step version_remove(struct ask *ask)
{
  uint32_t number;
  if (!ask_version_number(ask, 1, &number)) return ask_fail(ask);
  ask->command.kind = COMMAND_VERSION_REMOVE;
  ask->command.event = (struct event){
      .kind = EVENT_VERSION_REMOVED, .model = ask->letter->params[0], .version = number};
  return ask_command(ask, registry_done);
}

enum desk_step version_clear(struct ask *ask)
{
  uint32_t number;
  if (!ask_version_number(ask, 1, &number)) return ask_fail(ask);
  ask->command.kind = COMMAND_VERSION_CLEAR;
  ask->command.event = (struct event){
      .kind = EVENT_VERSION_CLEARED, .model = ask->letter->params[0], .version = number};
  return ask_command(ask, registry_done);
}
