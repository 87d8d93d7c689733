/* command.c - checking commands.
 * Thread: control. Pure.
 * SPDX-License-Identifier: MIT */
#include "control/command.h"

#include "control/flag.h"
#include "control/quota.h"
#include "control/registry/decide.h"
#include "control/registry/fold.h"
#include "control/release/decide.h"
#include "control/state/state.h"
#include "control/tenant.h"
#include "world/model.h"

void decision_refuse(struct decision *decision)
{
  decision->kind = DECISION_ANSWER;
  must(decision->err.code != OK);
}

/* --- keys that were used before --------------------------------------------------------------- */

static bool key_kind_fits(enum command_kind command, enum event_kind event)
{
  switch (command) {
    case COMMAND_PUSH: return event == EVENT_VERSION_PUSHED;
    case COMMAND_RETIRE: return event == EVENT_VERSION_RETIRED;
    case COMMAND_DEPLOY:
      return event == EVENT_VERSION_DEPLOYED || event == EVENT_DEPLOY_ASKED ||
             event == EVENT_VERSION_REFUSED;
    case COMMAND_ROLLBACK:
      return event == EVENT_ROLLED_BACK || event == EVENT_ROLLBACK_ASKED ||
             event == EVENT_VERSION_REFUSED || event == EVENT_RELEASE_MOVED;
    case COMMAND_RELEASE: return event == EVENT_RELEASE_STARTED;
    case COMMAND_SAY: return event == EVENT_RELEASE_MOVED || event == EVENT_RELEASE_APPROVED;
    case COMMAND_FREEZE: return event == EVENT_FREEZE_SET || event == EVENT_FREEZE_LIFTED;
    case COMMAND_KEY_ADD: return event == EVENT_KEY_ADDED;
    case COMMAND_KEY_REVOKE: return event == EVENT_KEY_REVOKED;
    case COMMAND_KEY_ROTATE: return event == EVENT_KEY_ADDED;
    case COMMAND_FLAG_SET: return event == EVENT_FLAGS_SET;
    case COMMAND_FLAG_REMOVE: return event == EVENT_FLAG_REMOVED;
    case COMMAND_TENANT_ADD:
    case COMMAND_TENANT_SET:
    case COMMAND_TENANT_REMOVE: return false; /* tenant_decide looks by itself */
    case COMMAND_STATE: return false;         /* its key always stands with its request */
    default: return registry_key_fits(command, event);
  }
}

static bool key_fits(const struct catalog *catalog, const struct once_key *key,
                     const struct letter_command *command)
{
  const struct event *event = &command->event;
  bool same = true, told = once_compare(key, event, &same);
  if (!same) return false;
  if (told && !key_command_is(command)) return true;
  if (!key_kind_fits(command->kind, key->kind)) return false;
  if (key_command_is(command)) return key_command_replays(catalog, command, key->seq);
  if (!slice_eq(key->model ? key->model->name : SLICE_NONE, event->model)) return false;
  if (registry_asked(event) != key->asked) return false;
  if (command->kind != COMMAND_PUSH) return !event->version || event->version == key->version;
  const struct catalog_version *version = &key->model->versions[key->version - 1];
  struct digest digest = event_manifest(event);
  return slice_eq(version->engine, event->engine) && slice_eq(version->note, event->note) &&
         memcmp(&version->digest, &digest, sizeof digest) == 0;
}

bool command_same(const struct letter_command *one, const struct letter_command *other)
{
  const struct event *a = &one->event, *b = &other->event;
  if (one->kind != other->kind || !slice_eq(a->model, b->model)) return false;
  if (a->request.len && b->request.len) return slice_eq(a->request, b->request);
  return one->kind != COMMAND_PUSH && (!b->version || !a->version || a->version == b->version);
}

/* True when the key decides it. */
static bool key_decide(const struct catalog *catalog, const struct catalog_tenant *tenant,
                       const struct letter_command *command, struct decision *decision)
{
  const struct once_key *key = once_find(catalog, tenant, command->event.idempotency);
  if (!key) return false;
  decision->kind = DECISION_ANSWER;
  if (!key_fits(catalog, key, command)) {
    fail(&decision->err, E_IDEMPOTENCY_MISMATCH,
         "the Idempotency-Key '%.*s' was used for another request; use a fresh one",
         SLICE_ARG(key->key));
    return true;
  }
  decision->version = key->version;
  decision->release = key->release;
  decision->seq = key->seq;
  if (key->kind == EVENT_VERSION_REFUSED)
    fail(&decision->err, key->code ? key->code : E_MODEL_LOAD_FAILED, "%.*s", (int)key->reason.len,
         key->reason.at ? key->reason.at : "");
  return true;
}

/* --- what a row can hold ---------------------------------------------------------------------- */

static enum code texts_check(const struct event *event, struct err *err)
{
  if (event_text_check("the note", event->note, NOTE_MAX, err) ||
      event_text_check("the engine", event->engine, EVENT_TEXT_MAX, err) ||
      event_text_check("the actor", event->actor, EVENT_TEXT_MAX, err) ||
      event_text_check("the Idempotency-Key", event->idempotency, EVENT_TEXT_MAX, err))
    return err->code;
  for (uint32_t i = 0; i < event->n_files && i < EVENT_FILES_MAX; i++)
    if (event_text_check("a file's name", event->files[i].name, EVENT_FILE_NAME_MAX, err))
      return err->code;
  return OK;
}

/* --- each kind -------------------------------------------------------------------------------- */

static enum code files_check(const struct event *event, struct err *err)
{
  if (event->n_files < 1 || event->n_files > EVENT_FILES_MAX)
    return fail(err, E_INVALID_ARGUMENT, "a version has 1 to %d files, got %u", EVENT_FILES_MAX,
                event->n_files);
  for (uint32_t i = 0; i < event->n_files; i++) {
    struct slice name = event->files[i].name;
    if (!name.len || memchr(name.at, '/', name.len) || memchr(name.at, 0, name.len) ||
        slice_eq(name, SLICE(".")) || slice_eq(name, SLICE("..")))
      return fail(err, E_INVALID_ARGUMENT, "'%.*s' is no plain file name", SLICE_ARG(name));
    for (uint32_t k = 0; k < i; k++)
      if (slice_eq(event->files[k].name, name))
        return fail(err, E_INVALID_ARGUMENT, "two files are called '%.*s'", SLICE_ARG(name));
  }
  return OK;
}

static void push_decide(const struct catalog_tenant *tenant, const struct letter_command *command,
                        struct decision *decision)
{
  const struct event *wish = &command->event;
  struct err *err = &decision->err;
  if (model_name_check(wish->model, err) || files_check(wish, err)) {
    decision_refuse(decision);
    return;
  }
  const struct catalog_model *model = catalog_model_like(tenant, wish->model);
  bool there = model && !model->removed;
  if (there && registry_if_match(model, command, err)) {
    decision_refuse(decision);
    return;
  }
  if (model && !slice_eq(model->name, wish->model)) {
    fail(err, E_CONFLICT, "model '%.*s' differs from '%.*s' in case only; use that name",
         SLICE_ARG(wish->model), SLICE_ARG(model->name));
    decision_refuse(decision);
    return;
  }
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < wish->n_files; i++) bytes += wish->files[i].bytes;
  if (quota_stock_check(tenant, model, 1, bytes, command->waiting, err)) {
    decision_refuse(decision);
    return;
  }
  decision->kind = DECISION_APPEND;
  decision->version = model ? model->n_versions + 1 : 1;
  if (!there)
    decision->events[decision->n_events++] = (struct event){.kind = EVENT_MODEL_CREATED,
                                                            .tenant = wish->tenant,
                                                            .model = wish->model,
                                                            .actor = wish->actor};
  struct event *pushed = &decision->events[decision->n_events++];
  *pushed = *wish;
  pushed->kind = EVENT_VERSION_PUSHED;
  pushed->version = decision->version;
  pushed->reason = SLICE_NONE;
  pushed->code = OK;
  registry_push_dress(there ? model : NULL, command, pushed, decision);
}

static void switch_decide(const struct letter_command *command, struct decision *decision)
{
  struct catalog_model *model = decision->model;
  uint32_t version = command->event.version;
  bool back = command->kind == COMMAND_ROLLBACK;
  struct err *err = &decision->err;
  if (!version) version = back ? catalog_previous(model) : catalog_newest(model);
  if (!version && back) {
    fail(err, E_CONFLICT, "model '%.*s' has no version to go back to; name one with --to",
         SLICE_ARG(model->name));
    decision_refuse(decision);
    return;
  }
  if (!catalog_version(model, version)) {
    fail(err, E_VERSION_NOT_FOUND,
         "model '%.*s' has no version %u; 'slipway status %.*s' lists them", SLICE_ARG(model->name),
         version, SLICE_ARG(model->name));
    decision_refuse(decision);
    return;
  }
  if (version_may_run(model, version, err)) {
    decision_refuse(decision);
    return;
  }
  decision->kind = DECISION_SWITCH;
  decision->version = version;
  decision->effect = back ? EVENT_ROLLED_BACK : EVENT_VERSION_DEPLOYED;
  if (model->serving != version) return;
  decision->effect = EVENT_NONE;
  decision->seq = model->switched_seq;
}

static void retire_decide(const struct letter_command *command, struct decision *decision)
{
  const struct catalog_model *model = decision->model;
  const struct event *wish = &command->event;
  if (wish->version && !catalog_version(model, wish->version)) {
    fail(&decision->err, E_VERSION_NOT_FOUND, "model '%.*s' has no version %u",
         SLICE_ARG(model->name), wish->version);
    decision_refuse(decision);
    return;
  }
  if (!model->serving || (wish->version && wish->version != model->serving)) {
    decision->kind = DECISION_ANSWER; /* true already */
    decision->version = wish->version;
    decision->seq = model->switched_seq;
    return;
  }
  decision->kind = DECISION_APPEND;
  decision->version = model->serving;
  decision->events[decision->n_events++] = (struct event){.kind = EVENT_VERSION_RETIRED,
                                                          .tenant = wish->tenant,
                                                          .model = wish->model,
                                                          .actor = wish->actor,
                                                          .version = model->serving,
                                                          .idempotency = wish->idempotency};
}

void command_decide(const struct catalog *catalog, const struct letter_command *command,
                    struct decision *decision)
{
  const struct event *wish = &command->event;
  *decision = (struct decision){.kind = DECISION_ANSWER};
  const struct catalog_tenant *tenant = catalog_tenant(catalog, wish->tenant);
  if (tenant_command_is(command)) {
    if (texts_check(wish, &decision->err))
      decision_refuse(decision);
    else
      tenant_decide(catalog, command, decision);
    return;
  }
  if (!tenant && command->kind != COMMAND_STATE) {
    fail(&decision->err, E_NOT_FOUND, "there is no tenant '%.*s'", SLICE_ARG(wish->tenant));
    decision_refuse(decision);
    return;
  }
  if (texts_check(wish, &decision->err)) {
    decision_refuse(decision);
    return;
  }
  if (tenant && key_decide(catalog, tenant, command, decision)) return;
  if (command->kind == COMMAND_STATE) {
    state_decide(catalog, command, decision);
    return;
  }
  if (command->kind == COMMAND_FLAG_SET || command->kind == COMMAND_FLAG_REMOVE) {
    flag_decide(catalog, tenant, command, decision);
    return;
  }
  if (key_command_is(command)) {
    key_command_decide(tenant, catalog, command, decision);
    return;
  }
  if (command->kind == COMMAND_PUSH) {
    push_decide(tenant, command, decision);
    return;
  }
  if (registry_command_is(command->kind)) {
    registry_decide(tenant, command, decision);
    return;
  }
  if (command->kind == COMMAND_FREEZE) {
    freeze_decide(catalog, tenant, command, decision);
    return;
  }
  decision->model = catalog_model(tenant, wish->model);
  if (!decision->model) {
    fail(&decision->err, E_MODEL_NOT_FOUND, "there is no model '%.*s'; 'slipway status' lists them",
         SLICE_ARG(wish->model));
    decision_refuse(decision);
    return;
  }
  if (registry_if_match(decision->model, command, &decision->err))
    decision_refuse(decision);
  else if (command->kind == COMMAND_RELEASE)
    release_decide(catalog, decision->model, command, decision);
  else if (command->kind == COMMAND_SAY)
    say_decide(decision->model, command, decision);
  else if (switch_decide_held(catalog, decision->model, command, decision))
    return;
  else if (command->kind == COMMAND_RETIRE)
    retire_decide(command, decision);
  else
    switch_decide(command, decision);
}
