/* tenant.c - tenants decided, set and removed.
 * Thread: control (main before it starts). Pure.
 * SPDX-License-Identifier: MIT */
#include "control/tenant.h"

#include "base/mem.h"
#include "control/catalog_int.h"
#include "control/command.h"
#include "control/quota.h"
#include "control/release/fold.h"

/* --- the fold --------------------------------------------------------------------------------- */

static void removed(struct catalog *catalog, struct catalog_tenant *tenant,
                    const struct event *event)
{
  if (event_says(event, "freezes")) freezes_drop(catalog, tenant);
  tenant->removed_seq = event->seq;
  for (uint32_t i = 0; i < tenant->n_models; i++) {
    struct catalog_model *model = tenant->models[i];
    if (!model->serving) continue;
    model_switch(model, 0, event);
    release_overtaken(model);
  }
  keyring_revoke(&tenant->keyring, event->seq);
  ungrab(tenant->flags_text);
  tenant->flags_text = NULL;
  tenant->flags = SLICE_NONE;
  tenant->flags_seq = event->seq;
}

enum code tenant_fold(struct catalog *catalog, struct catalog_tenant *tenant,
                      const struct event *event, struct err *err)
{
  if (event->kind == EVENT_TENANT_REMOVED) {
    for (uint32_t i = 0; i < tenant->n_models; i++)
      if (release_is_on(tenant->models[i]) || tenant->models[i]->asked)
        return catalog_misfit(event, err, "something of it is under way");
    removed(catalog, tenant, event);
    return OK;
  }
  if (event_says(event, "quotas") &&
      quota_fold(catalog, &tenant->quotas, QUOTA_TENANT, event_fact(event, "quotas"), err))
    return catalog_misfit(event, err, "its quotas are none");
  if (event_says(event, "about")) tenant->about = catalog_keep(catalog, event_fact(event, "about"));
  return OK;
}

void tenant_digest(const struct catalog_tenant *tenant, struct sha256 *sha)
{
  if (tenant->about.len) digest_text(sha, tenant->about);
  quota_digest(tenant->quotas, sha);
  if (tenant->removed_seq) digest_number(sha, tenant->removed_seq);
}

/* --- commands --------------------------------------------------------------------------------- */

bool tenant_command_is(const struct letter_command *command)
{
  return command->kind == COMMAND_TENANT_ADD || command->kind == COMMAND_TENANT_SET ||
         command->kind == COMMAND_TENANT_REMOVE;
}

static struct event *append(const struct letter_command *command, enum event_kind kind,
                            struct decision *decision)
{
  struct event *event = &decision->events[decision->n_events++];
  decision->kind = DECISION_APPEND;
  *event = command->event;
  event->kind = kind;
  return event;
}

static void add_decide(const struct catalog *catalog, const struct letter_command *command,
                       struct decision *decision)
{
  const struct event *wish = &command->event;
  const struct catalog_tenant *known = catalog_tenant_ever(catalog, wish->tenant);
  struct err *err = &decision->err;
  if (tenant_name_check(wish->tenant, err) ||
      event_text_check("what it is for", wish->note, TENANT_ABOUT_MAX, err)) {
    decision_refuse(decision);
  } else if (known || slice_eq(wish->tenant, SLICE(TENANT_DEFAULT))) { /* that makes itself */
    fail(err, E_CONFLICT,
         known && known->removed_seq ? "tenant '%.*s' was removed; a name is never given twice"
                                     : "there is a tenant '%.*s' already",
         SLICE_ARG(wish->tenant));
    decision_refuse(decision);
  } else if (wish->n_facts && key_event_check(catalog, wish, err)) {
    decision_refuse(decision);
  } else {
    struct event *created = append(command, EVENT_TENANT_CREATED, decision);
    created->facts = NULL;
    created->n_facts = 0;
    if (!wish->n_facts) return;
    struct event *key = append(command, EVENT_KEY_ADDED, decision);
    key->note = SLICE("made with the tenant");
    key->idempotency = SLICE_NONE;
  }
}

static bool something_serves(const struct catalog_tenant *tenant, struct err *err)
{
  for (uint32_t i = 0; i < tenant->n_models; i++) {
    const struct catalog_model *model = tenant->models[i];
    if (!model->serving) continue;
    fail(err, E_CONFLICT,
         "model '%.*s' of tenant '%.*s' serves; unload it, or remove the tenant with --force "
         "(?force=true): what is under way is then answered, and all goes",
         SLICE_ARG(model->name), SLICE_ARG(tenant->name));
    return true;
  }
  return false;
}

static bool something_moves(const struct catalog_tenant *tenant, struct err *err)
{
  for (uint32_t i = 0; i < tenant->n_models; i++) {
    const struct catalog_model *model = tenant->models[i];
    if (!release_is_on(model) && !model->asked) continue;
    fail(err, E_CONFLICT, "a release of model '%.*s' of tenant '%.*s' is running; abort it first",
         SLICE_ARG(model->name), SLICE_ARG(tenant->name));
    return true;
  }
  return false;
}

/* Force does not help: a hold is somebody else's word. */
static bool something_is_held(const struct catalog_tenant *tenant, struct err *err)
{
  for (uint32_t i = 0; i < tenant->n_models; i++) {
    const struct catalog_model *model = tenant->models[i];
    if (!model->held && !model->n_held) continue;
    fail(err, E_CONFLICT, "model '%.*s' of tenant '%.*s' is on hold; its admin lifts that first",
         SLICE_ARG(model->name), SLICE_ARG(tenant->name));
    return true;
  }
  return false;
}

static void remove_decide(const struct catalog_tenant *tenant, const struct letter_command *command,
                          struct decision *decision)
{
  static const struct event_fact lifted[] = {{{"freezes", 7}, {"lifted", 6}}};
  struct err *err = &decision->err;
  bool force = slice_eq(event_fact(&command->event, "force"), SLICE("true"));
  if (slice_eq(tenant->name, SLICE(TENANT_DEFAULT))) {
    fail(err, E_CONFLICT,
         "tenant '" TENANT_DEFAULT
         "' stays: it is whose "
         "everything is that nobody says a tenant for");
    decision_refuse(decision);
  } else if (something_moves(tenant, err) || something_is_held(tenant, err) ||
             (!force && something_serves(tenant, err))) {
    decision_refuse(decision);
  } else {
    struct event *event = append(command, EVENT_TENANT_REMOVED, decision);
    event->facts = lifted;
    event->n_facts = 1;
  }
}

static enum code set_check(const struct catalog_tenant *tenant, const struct event *wish,
                           struct err *err)
{
  if (!wish->n_facts)
    return fail(err, E_INVALID_ARGUMENT, "say what is to be set about the tenant");
  if (quota_fact_check(tenant->quotas, QUOTA_TENANT, event_fact(wish, "quotas"), err))
    return err->code;
  return event_text_check("what it is for", event_fact(wish, "about"), TENANT_ABOUT_MAX, err);
}

/* True when the key decides it: the same request again, or another one with its key. */
static bool key_decides(const struct catalog *catalog, const struct letter_command *command,
                        struct decision *decision)
{
  const struct event *wish = &command->event;
  const struct catalog_tenant *ever = catalog_tenant_ever(catalog, wish->tenant);
  const struct once_key *key = ever ? once_find(catalog, ever, wish->idempotency) : NULL;
  if (!key) return false;
  bool same =
      (command->kind == COMMAND_TENANT_SET && key->kind == EVENT_TENANT_SET) ||
      (command->kind == COMMAND_TENANT_REMOVE && key->kind == EVENT_TENANT_REMOVED) ||
      (command->kind == COMMAND_TENANT_ADD && key->kind == EVENT_TENANT_CREATED && !wish->n_facts);
  bool equal = true;
  decision->kind = DECISION_ANSWER;
  decision->seq = key->seq;
  if (!same || (once_compare(key, wish, &equal) && !equal))
    fail(&decision->err, E_IDEMPOTENCY_MISMATCH,
         "the Idempotency-Key '%.*s' was used before; use a fresh one", SLICE_ARG(key->key));
  return true;
}

void tenant_decide(const struct catalog *catalog, const struct letter_command *command,
                   struct decision *decision)
{
  const struct event *wish = &command->event;
  const struct catalog_tenant *tenant = catalog_tenant(catalog, wish->tenant);
  struct err *err = &decision->err;
  if (key_decides(catalog, command, decision)) return;
  if (command->kind == COMMAND_TENANT_ADD) {
    add_decide(catalog, command, decision);
  } else if (!tenant) {
    fail(err, E_TENANT_NOT_FOUND, "there is no tenant '%.*s'", SLICE_ARG(wish->tenant));
    decision_refuse(decision);
  } else if (command->kind == COMMAND_TENANT_REMOVE) {
    remove_decide(tenant, command, decision);
  } else if (set_check(tenant, wish, err)) {
    decision_refuse(decision);
  } else {
    append(command, EVENT_TENANT_SET, decision);
  }
}
