/* freeze.c - times in which nothing advances and nothing starts: set, lifted, listed.
 * Thread: desk.
 * Judging, rollback and abort go on during a freeze. Which freezes stand is read from the ledger;
 * what follows from them is control's.
 * SPDX-License-Identifier: MIT */
#include "api/release/release_int.h"
#include "base/clock.h"
#include "base/mem.h"

/* ---- set and lift ---- */

static enum desk_step frozen(struct ask *ask)
{
  const struct letter_command *command = &ask->command;
  if (command->err.code != OK) {
    ask->err = command->err;
    return ask_fail(ask);
  }
  const struct event *event = &command->event;
  int64_t until = event_fact_int(event, "until_ms", 0);
  return ask_json(ask, 200,
                  json_pack("{so,so,so,so,sb,so}", "scope",
                            json_slice(event_fact(event, "scope")), "model",
                            event->model.len ? json_slice(event->model) : json_null(), "from",
                            json_time(event_fact_int(event, "from_ms", 0)), "until",
                            json_time(until), "lifted", event_fact(event, "lift").len > 0, "seq",
                            json_u64(command->seq)));
}

/* Model, tenant or system: what the freeze is about. A model that is named says scope "model". */
static bool scope_read(struct ask *ask, struct slice *scope, struct slice *model)
{
  if (!scope->at) *scope = model->len ? SLICE("model") : SLICE("tenant");
  bool known = slice_eq(*scope, SLICE("model")) || slice_eq(*scope, SLICE("tenant")) ||
               slice_eq(*scope, SLICE("system"));
  if (!known || slice_eq(*scope, SLICE("model")) != (model->len > 0)) {
    fail(&ask->err, E_INVALID_ARGUMENT,
         "'%.*s' is not a scope here: model (with a model's name), tenant or system",
         SLICE_ARG(*scope));
    fail_at(&ask->err, "scope");
    return false;
  }
  if (slice_eq(*scope, SLICE("system")) && !role_may(ask->letter->role, ROLE_OPERATOR)) {
    fail(&ask->err, E_DENIED, "a freeze of all tenants needs the role %s; \"%.*s\" has %s",
         role_name(ROLE_OPERATOR), SLICE_ARG(ask->letter->actor), role_name(ask->letter->role));
    return false;
  }
  if (!model->len || (ask->tenant && world_model(ask->world, ask->tenant, *model))) return true;
  fail(&ask->err, E_MODEL_NOT_FOUND, "model '%.*s' is not known; 'slipway status' lists models",
       SLICE_ARG(*model));
  fail_at(&ask->err, "model");
  return false;
}

static bool times_are_sane(struct ask *ask, bool now, int64_t from, int64_t until,
                           struct slice weekly)
{
  if (until && until <= (from ? from : clock_wall_ms())) {
    fail(&ask->err, E_VALUE_OUT_OF_RANGE, "a freeze that ends before it begins freezes nothing");
    fail_at(&ask->err, "until");
    return false;
  }
  if (now || until || weekly.len) return true;
  fail(&ask->err, E_INVALID_ARGUMENT,
       "say for how long: until (a time), weekly, or now (until it is lifted)");
  fail_at(&ask->err, "until");
  return false;
}

enum desk_step freeze_set(struct ask *ask)
{
  struct slice model = SLICE_NONE, scope = SLICE_NONE, weekly = SLICE_NONE, why = SLICE_NONE;
  int64_t from = 0, until = 0;
  bool now = false;
  struct ask_facts facts;
  if (!ask_body(ask) ||
      !ask_members(ask, "model", "scope", "from", "until", "now", "weekly", "why", NULL) ||
      !member_str(ask, ask->body, "model", EVENT_TEXT_MAX, &model) ||
      !member_str(ask, ask->body, "scope", 16, &scope) ||
      !time_read(ask, "from", json_object_get(ask->body, "from"), &from) ||
      !time_read(ask, "until", json_object_get(ask->body, "until"), &until) ||
      !member_bool(ask, ask->body, "now", &now) ||
      !member_str(ask, ask->body, "weekly", REASON_MAX, &weekly) ||
      !member_str(ask, ask->body, "why", REASON_MAX, &why) || !scope_read(ask, &scope, &model) ||
      !times_are_sane(ask, now, from, until, weekly))
    return ask_fail(ask);
  ask_facts_begin(ask, &facts);
  if (from) ask_fact_add_int(ask, &facts, "from_ms", from);
  ask_fact_add(&facts, "person", ask_person(ask));
  ask_fact_add(&facts, "role", slice_str(role_name(ask->letter->role)));
  ask_fact_add(&facts, "scope", scope);
  if (until) ask_fact_add_int(ask, &facts, "until_ms", until);
  ask_fact_add(&facts, "weekly", weekly);
  ask_fact_add(&facts, "why", why);
  ask->command.kind = COMMAND_FREEZE;
  ask->command.event = (struct event){.kind = EVENT_FREEZE_SET, .model = model, .note = why};
  ask_facts_give(&facts, &ask->command.event);
  return ask_command(ask, frozen);
}

enum desk_step freeze_lift(struct ask *ask)
{
  struct slice model, scope, why;
  struct ask_facts facts;
  if (!ask_query(ask, "model", &model) || !ask_query(ask, "scope", &scope) ||
      !ask_query(ask, "why", &why) || !scope_read(ask, &scope, &model))
    return ask_fail(ask);
  ask_facts_begin(ask, &facts);
  ask_fact_add(&facts, "lift", SLICE("true"));
  ask_fact_add(&facts, "person", ask_person(ask));
  ask_fact_add(&facts, "role", slice_str(role_name(ask->letter->role)));
  ask_fact_add(&facts, "scope", scope);
  ask_fact_add(&facts, "why", why);
  ask->command.kind = COMMAND_FREEZE;
  ask->command.event = (struct event){.kind = EVENT_FREEZE_LIFTED, .model = model, .note = why};
  ask_facts_give(&facts, &ask->command.event);
  return ask_command(ask, frozen);
}

/* ---- list ---- */

/* The newest word on each scope stands. */
struct freezes {
  json_t *seen; /* "scope/model" -> true */
  json_t *list;
  int64_t now_ms;
};

static enum code freeze_met(void *arg, const struct event *event, const struct digest *hash,
                            struct err *err)
{
  struct freezes *freezes = arg;
  struct slice scope = event_fact(event, "scope"), weekly = event_fact(event, "weekly");
  (void)hash, (void)err;
  if (event->kind != EVENT_FREEZE_SET && event->kind != EVENT_FREEZE_LIFTED) return OK;
  json_t *key = json_sprintf("%.*s/%.*s", (int)scope.len, scope.at ? scope.at : "",
                             (int)event->model.len, event->model.at ? event->model.at : "");
  bool known = json_object_get(freezes->seen, json_string_value(key)) != NULL;
  json_object_set_new(freezes->seen, json_string_value(key), json_true());
  json_decref(key);
  int64_t from = event_fact_int(event, "from_ms", event->wall_ms);
  int64_t until = event_fact_int(event, "until_ms", 0);
  if (known || event->kind == EVENT_FREEZE_LIFTED || (until && until <= freezes->now_ms)) return OK;
  json_array_append_new(
      freezes->list,
      json_pack("{so,so,so,so,so,so,so,so}", "scope", json_slice(scope), "model",
                event->model.len ? json_slice(event->model) : json_null(), "from", json_time(from),
                "until", json_time(until), "weekly", weekly.len ? json_slice(weekly) : json_null(),
                "why", json_slice(event_fact(event, "why")), "who", json_slice(event->actor),
                "set_at", json_time(event->wall_ms)));
  return OK;
}

enum desk_step freeze_list(struct ask *ask)
{
  struct freezes freezes = {
      .seen = json_object(), .list = json_array(), .now_ms = clock_wall_ms()};
  enum code code = ledger_walk(ask, SLICE_NONE, freeze_met, &freezes);
  json_decref(freezes.seen);
  if (code == OK) return ask_json(ask, 200, json_pack("{so}", "freezes", freezes.list));
  json_decref(freezes.list);
  return ask_fail(ask);
}
