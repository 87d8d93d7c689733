/* decide.c - checking commands about the registry.
 * Thread: control. Pure.
 * SPDX-License-Identifier: MIT */
#include "control/registry/decide.h"

#include <stdio.h>

#include "base/blob.h"
#include "control/quota.h"
#include "control/registry/card.h"
#include "control/registry/fold.h"
#include "control/release/facts.h"
#include "control/release/fold.h"
#include "world/model.h"

bool registry_command_is(enum command_kind kind)
{
  return kind >= COMMAND_MODEL_ADD && kind <= COMMAND_VERSION_CLEAR;
}

bool registry_key_fits(enum command_kind command, enum event_kind event)
{
  switch (command) {
    case COMMAND_MODEL_ADD: return event == EVENT_MODEL_CREATED || event == EVENT_MODEL_SET;
    case COMMAND_MODEL_SET: return event == EVENT_MODEL_SET;
    case COMMAND_VERSION_SET: return event == EVENT_VERSION_SET;
    case COMMAND_ALIAS_SET: return event == EVENT_ALIAS_SET;
    case COMMAND_ALIAS_REMOVE: return event == EVENT_ALIAS_REMOVED;
    case COMMAND_MODEL_REMOVE: return event == EVENT_MODEL_REMOVED;
    case COMMAND_VERSION_REMOVE: return event == EVENT_VERSION_REMOVED;
    default: return false;
  }
}

enum code registry_if_match(const struct catalog_model *model, const struct letter_command *command,
                            struct err *err)
{
  bool fits = command->n_seqs_wanted == 0;
  for (uint32_t i = 0; i < command->n_seqs_wanted; i++)
    fits = fits || command->seqs_wanted[i] == model->changed_seq;
  if (fits) return OK;
  fail(err, E_PRECONDITION_FAILED,
       "model '%.*s' has changed since you looked (it is at \"m%llu\"); look again, then decide",
       SLICE_ARG(model->name), (unsigned long long)model->changed_seq);
  return fail_at(err, "If-Match");
}

/* --- cards ------------------------------------------------------------------------------------ */

/* The facts that a card leaves in an event: from what there is and what is asked for. */
static bool card_facts(struct slice card, enum card_of of, const struct catalog_model *model,
                       const struct letter_command *command, struct event *event, struct err *err)
{
  struct slice next;
  struct card_said said;
  struct facts facts;
  struct slice patch = event_fact(&command->event, "patch");
  if (card_patch(card, patch, of, command->arena, &next, &said, err)) return false;
  uint32_t from = said.parent;
  if (from && (!model || !catalog_version(model, from) || from == event->version)) {
    fail(err, E_VERSION_NOT_FOUND, "there is no version %u that this one could come from", from);
    fail_at(err, "parent");
    return false;
  }
  const struct event *wish = &command->event; /* what else it says is kept as it is */
  facts_init(&facts, command->arena);
  for (uint32_t i = 0; i < wish->n_facts; i++) {
    struct slice name = wish->facts[i].name;
    if (slice_eq(name, SLICE("card")) || slice_eq(name, SLICE("hold")) ||
        slice_eq(name, SLICE("pin")))
      continue;
    facts_add_of(&facts, name, wish->facts[i].value);
  }
  facts_add(&facts, "card", next);
  facts_add(&facts, "hold", said.hold);
  facts_add(&facts, "pin", said.pin);
  if (facts_give(&facts, event)) return true;
  fail(err, E_OUT_OF_MEMORY, "the card takes too much memory");
  return false;
}

static struct event *event_add(struct decision *decision, const struct letter_command *command,
                               enum event_kind kind)
{
  const struct event *wish = &command->event;
  struct event *event = &decision->events[decision->n_events++];
  *event = (struct event){.kind = kind,
                          .tenant = wish->tenant,
                          .model = wish->model,
                          .version = wish->version,
                          .actor = wish->actor,
                          .note = wish->note,
                          .facts = wish->facts,
                          .n_facts = wish->n_facts,
                          .idempotency = wish->idempotency};
  decision->kind = DECISION_APPEND;
  decision->version = wish->version;
  return event;
}

static void add_decide(const struct catalog_tenant *tenant, const struct letter_command *command,
                       struct decision *decision)
{
  const struct event *wish = &command->event;
  const struct catalog_model *there = catalog_model_like(tenant, wish->model);
  struct err *err = &decision->err;
  bool same = there && slice_eq(there->name, wish->model);
  if (model_name_check(wish->model, err)) {
    decision_refuse(decision);
  } else if (there && (!same || !there->removed)) {
    fail(err, E_CONFLICT,
         same ? "there is a model '%.*s' already"
              : "model '%.*s' differs from one there is (or was) in case only",
         SLICE_ARG(wish->model));
    decision_refuse(decision);
  } else if (quota_stock_check(tenant, NULL, 0, 0, 0, err)) {
    decision_refuse(decision);
  } else {
    struct event *made = event_add(decision, command, EVENT_MODEL_CREATED);
    made->facts = NULL;
    made->n_facts = 0;
    if (!event_fact(wish, "patch").len) return;
    made->idempotency = SLICE_NONE;
    struct event *set = event_add(decision, command, EVENT_MODEL_SET);
    if (!card_facts(SLICE_NONE, CARD_OF_MODEL, NULL, command, set, err)) decision_refuse(decision);
  }
}

bool registry_push_dress(const struct catalog_model *model, const struct letter_command *command,
                         struct event *pushed, struct decision *decision)
{
  if (!event_fact(&command->event, "patch").len) return true;
  if (card_facts(SLICE_NONE, CARD_OF_VERSION, model, command, pushed, &decision->err)) return true;
  decision_refuse(decision);
  return false;
}

static void limit_decide(const struct catalog_model *model, const struct letter_command *command,
                         struct decision *decision)
{
  struct slice fact = event_fact(&command->event, "quotas");
  if (quota_fact_check(model->quotas, QUOTA_MODEL, fact, &decision->err))
    decision_refuse(decision);
  else
    event_add(decision, command, EVENT_MODEL_SET);
}

static void set_decide(const struct catalog_model *model, const struct catalog_version *version,
                       const struct letter_command *command, struct decision *decision)
{
  bool whole = command->kind == COMMAND_MODEL_SET;
  const struct blob *card = whole ? model->card : version->card;
  struct event *event = event_add(decision, command, whole ? EVENT_MODEL_SET : EVENT_VERSION_SET);
  if (!card_facts(blob_lend(card), whole ? CARD_OF_MODEL : CARD_OF_VERSION, model, command, event,
                  &decision->err)) {
    decision_refuse(decision);
    return;
  }
  if (!slice_eq(event_fact(event, "card"), blob_lend(card))) return;
  decision->kind = DECISION_ANSWER; /* it says so already */
  decision->seq = model->changed_seq;
}

/* --- aliases ---------------------------------------------------------------------------------- */

static void alias_decide(const struct catalog_model *model, const struct letter_command *command,
                         struct decision *decision)
{
  struct slice name = event_fact(&command->event, "alias");
  const struct catalog_alias *alias = catalog_alias(model, name);
  struct err *err = &decision->err;
  if (command->kind == COMMAND_ALIAS_REMOVE) {
    if (!alias) {
      fail(err, E_NOT_FOUND, "model '%.*s' has no alias '%.*s'", SLICE_ARG(model->name),
           SLICE_ARG(name));
      decision_refuse(decision);
      return;
    }
    event_add(decision, command, EVENT_ALIAS_REMOVED)->version = alias->version;
    decision->version = alias->version;
  } else if (alias_name_check(name, err)) {
    decision_refuse(decision);
  } else if (alias && alias->version == command->event.version) {
    decision->kind = DECISION_ANSWER; /* it points there already */
    decision->version = alias->version;
    decision->seq = alias->seq;
  } else if (!alias && model->n_aliases >= ALIASES_MAX) {
    fail(err, E_LIMIT_EXCEEDED, "model '%.*s' has %d aliases, the most there may be",
         SLICE_ARG(model->name), ALIASES_MAX);
    decision_refuse(decision);
  } else {
    event_add(decision, command, EVENT_ALIAS_SET);
  }
}

/* --- removing --------------------------------------------------------------------------------- */

static enum code needed(const struct catalog_model *model, uint32_t number, const char *by,
                        const char *way_out, struct err *err)
{
  if (number)
    fail(err, E_CONFLICT, "version %u of model '%.*s' %s; %s", number, SLICE_ARG(model->name), by,
         way_out);
  else
    fail(err, E_CONFLICT, "model '%.*s' %s; %s", SLICE_ARG(model->name), by, way_out);
  return err->code;
}

static enum code release_needs(const struct catalog_model *model, uint32_t number, struct err *err)
{
  const struct catalog_release *release = model->release;
  char by[64];
  if (!release_is_on(model)) return OK;
  if (number && !release_has(release, number)) return OK;
  snprintf(by, sizeof by, "is in release %u, which runs", release->number);
  needed(model, number, by, "wait for its end, or abort it", err);
  return fail_at(err, "release/%u", release->number);
}

/* What both ways of removing ask. number 0: the whole model. */
static enum code unneeded(const struct catalog_model *model, uint32_t number, struct err *err)
{
  if (model->serving && (!number || model->serving == number)) {
    char way_out[ERR_TEXT_MAX];
    struct slice tenant = model->tenant->name;
    bool first = slice_eq(tenant, SLICE(TENANT_DEFAULT));
    snprintf(way_out, sizeof way_out, "first %sunload it: slipway model unload %.*s%s%.*s",
             number ? "deploy another version, or " : "", SLICE_ARG(model->name),
             first ? "" : " --tenant ", first ? 0 : (int)tenant.len, tenant.at);
    needed(model, number, "serves", way_out, err);
    return fail_at(err, "serving/%u", model->serving);
  }
  if (model->asked && (!number || model->asked == number)) {
    needed(model, number, "is being deployed", "wait for that", err);
    return fail_at(err, "deploy/%u", model->asked);
  }
  if (release_needs(model, number, err)) return err->code;
  if (model->held) {
    needed(model, number, "is on hold", "an admin lifts it: slipway model set MODEL --hold ''",
           err);
    return fail_at(err, "hold");
  }
  return OK;
}

static void version_remove_decide(struct catalog_model *model,
                                  const struct catalog_version *version,
                                  const struct letter_command *command, struct decision *decision)
{
  struct err *err = &decision->err;
  uint32_t number = version->number;
  if (unneeded(model, number, err)) {
    decision_refuse(decision);
    return;
  }
  for (uint32_t i = 0; i < model->n_aliases && !err->code; i++) {
    const struct catalog_alias *alias = &model->aliases[i];
    char by[96];
    if (alias->version != number) continue;
    snprintf(by, sizeof by, "is what alias '%.*s' points at", SLICE_ARG(alias->name));
    needed(model, number, by, "move or remove the alias first", err);
    fail_at(err, "alias/%.*s", SLICE_ARG(alias->name));
  }
  if (!err->code && version->held) {
    needed(model, number, "is on hold", "an admin lifts it: slipway model set MODEL@V --hold ''",
           err);
    fail_at(err, "hold");
  }
  if (!err->code && catalog_previous(model) == number) {
    needed(model, number, "is what a rollback goes back to", "deploy another version first", err);
    fail_at(err, "rollback/%u", number);
  }
  if (err->code) {
    decision_refuse(decision);
    return;
  }
  decision->model = model;
  event_add(decision, command, EVENT_VERSION_REMOVED);
}

enum code registry_model_needed(const struct catalog_model *model, struct err *err)
{
  if (unneeded(model, 0, err)) return err->code;
  if (!model->n_held) return OK;
  needed(model, 0, "has a version on hold", "an admin lifts it first", err);
  return fail_at(err, "hold");
}

static void model_remove_decide(struct catalog_model *model, const struct letter_command *command,
                                struct decision *decision)
{
  if (registry_model_needed(model, &decision->err)) {
    decision_refuse(decision);
    return;
  }
  decision->model = model;
  event_add(decision, command, EVENT_MODEL_REMOVED);
}

/* --- what a scrub found ----------------------------------------------------------------------- */

static void scrub_decide(const struct catalog_version *version,
                         const struct letter_command *command, struct decision *decision)
{
  bool corrupt = command->kind == COMMAND_VERSION_CORRUPT;
  if (corrupt == (version->corrupt != 0)) return; /* known */
  event_add(decision, command, corrupt ? EVENT_VERSION_CORRUPT : EVENT_VERSION_SOUND)->reason =
      command->event.reason;
}

/* --- quarantine ------------------------------------------------------------------------------- */

static void quarantine_decide(const struct catalog_version *version,
                              const struct letter_command *command, struct decision *decision)
{
  bool in = command->kind == COMMAND_VERSION_QUARANTINE;
  if (in != (version->quarantined != 0))
    event_add(decision, command, in ? EVENT_VERSION_QUARANTINED : EVENT_VERSION_CLEARED)->reason =
        command->event.reason;
}

/* --- all -------------------------------------------------------------------------------------- */

void registry_decide(const struct catalog_tenant *tenant, const struct letter_command *command,
                     struct decision *decision)
{
  const struct event *wish = &command->event;
  struct err *err = &decision->err;
  if (command->kind == COMMAND_MODEL_ADD) {
    add_decide(tenant, command, decision);
    return;
  }
  struct catalog_model *model = catalog_model(tenant, wish->model);
  const struct catalog_version *version = model ? catalog_version(model, wish->version) : NULL;
  bool of_version = command->kind == COMMAND_VERSION_SET || command->kind == COMMAND_ALIAS_SET ||
                    command->kind >= COMMAND_VERSION_REMOVE;
  if (!model)
    fail(err, E_MODEL_NOT_FOUND, "there is no model '%.*s'; 'slipway model list' shows all",
         SLICE_ARG(wish->model));
  else if (of_version && !version)
    fail(err, E_VERSION_NOT_FOUND,
         "model '%.*s' has no version %u; 'slipway status %.*s' lists them", SLICE_ARG(model->name),
         wish->version, SLICE_ARG(model->name));
  if (err->code || registry_if_match(model, command, err)) {
    decision_refuse(decision);
    return;
  }
  switch (command->kind) {
    case COMMAND_MODEL_SET:
      if (event_says(wish, "quotas")) {
        limit_decide(model, command, decision);
        return;
      }
      set_decide(model, version, command, decision);
      return;
    case COMMAND_VERSION_SET: set_decide(model, version, command, decision); return;
    case COMMAND_ALIAS_SET:
    case COMMAND_ALIAS_REMOVE: alias_decide(model, command, decision); return;
    case COMMAND_VERSION_REMOVE: version_remove_decide(model, version, command, decision); return;
    case COMMAND_VERSION_CORRUPT:
    case COMMAND_VERSION_SOUND: scrub_decide(version, command, decision); return;
    case COMMAND_VERSION_QUARANTINE:
    case COMMAND_VERSION_CLEAR: quarantine_decide(version, command, decision); return;
    case COMMAND_MODEL_REMOVE: model_remove_decide(model, command, decision); return;
    default: must(!"no command about the registry");
  }
}
