/* intake.c - commands as they come: each waits, joins another, is answered, or becomes a change.
 * Thread: control.
 * SPDX-License-Identifier: MIT */
#include "base/log.h"
#include "control/control_int.h"
#include "control/quota.h"

enum { SLOW_US = 2000000 }; /* a change that the scribe has not written by then */

/* --- answering -------------------------------------------------------------------------------- */

void command_answer(struct letter_command *command, const struct err *err, uint32_t version,
                    uint64_t seq)
{
  command->err = *err;
  command->version = version;
  command->seq = seq;
  command->mail.kind = LETTER_COMMAND_HOME;
  mail_send(command->home, &command->mail);
}

static void command_refuse(struct letter_command *command, enum code code, const char *text)
{
  struct err err = {0};
  fail(&err, code, "%s", text);
  command_answer(command, &err, 0, 0);
}

/* --- waiting and joining ---------------------------------------------------------------------- */

/* Whether the command has to wait for what this change is having written. */
static bool in_the_way(const struct change *change, const struct letter_command *command)
{
  if (!change_at_scribe(change)) return false;
  const struct event *written = change_first(change), *wish = &command->event;
  if (!slice_eq(written->tenant, wish->tenant)) return false;
  return change->append.many || command->kind == COMMAND_STATE ||
         written->kind == EVENT_TENANT_CREATED || written->kind == EVENT_TENANT_REMOVED ||
         command->kind == COMMAND_TENANT_REMOVE || slice_eq_nocase(written->model, wish->model) ||
         (wish->idempotency.len && slice_eq(change->key, wish->idempotency));
}

static struct change *way_blocked(const struct control *control,
                                  const struct letter_command *command)
{
  for (struct link *link = control->changes.next; link != &control->changes; link = link->next) {
    struct change *change = LIST_OF(link, struct change, link);
    if (in_the_way(change, command)) return change;
    if (change_at_scribe(change) &&
        quota_in_line(control->catalog, command, change_first(change)))
      return change;
  }
  return NULL;
}

static void wait_behind(struct change *change, struct mail *first, struct mail **end)
{
  *change->behind_end = first;
  change->behind_end = end;
}

/* What takes traffic, a right or a lie away is never refused for want of speed. */
static bool protects(const struct letter_command *command)
{
  switch (command->kind) {
    case COMMAND_ROLLBACK:
    case COMMAND_RETIRE:
    case COMMAND_SAY:
    case COMMAND_FREEZE:
    case COMMAND_KEY_REVOKE:
    case COMMAND_VERSION_QUARANTINE:
    case COMMAND_VERSION_CORRUPT:
    case COMMAND_VERSION_SOUND: return true;
    default: return false;
  }
}

static bool is_slow(const struct control *control, const struct change *change)
{
  return change_at_scribe(change) && control->now_us - change->sent_us >= SLOW_US;
}

static void command_shed(struct letter_command *command)
{
  command_refuse(command, E_OVERLOADED,
                 "the disk is slow: a change before this one waits for it; nothing was changed, "
                 "try again");
}

void commands_shed(struct control *control, struct change *change)
{
  struct mail *first = change->behind;
  int64_t n = 0;
  if (!first || !is_slow(control, change)) return;
  change->behind = NULL;
  change->behind_end = &change->behind;
  for (struct mail *next; first; first = next) {
    struct letter_command *command = LETTER_OF(first, struct letter_command);
    next = first->next;
    first->next = NULL;
    if (protects(command)) {
      wait_behind(change, first, &first->next);
      continue;
    }
    command_shed(command);
    n++;
  }
  if (!n) return;
  log_event(LOG_WARN, "changes_shed", "changes", log_num(n), "ms",
            log_num((control->now_us - change->sent_us) / 1000), NULL);
}

/* A switch that is loading has not written its key down yet: the same request joins it. */
static bool joined(struct control *control, struct letter_command *command)
{
  struct slice key = command->event.idempotency;
  for (struct link *link = control->changes.next; key.len && link != &control->changes;
       link = link->next) {
    struct change *change = LIST_OF(link, struct change, link);
    if (change->state != STATE_LOADING || !change->command) continue;
    struct letter_command *first = change->command;
    if (!slice_eq(first->event.tenant, command->event.tenant) || !slice_eq(change->key, key))
      continue;
    if (command_same(first, command)) {
      command->mail.next = first->mail.next;
      first->mail.next = &command->mail;
    } else {
      command_refuse(command, E_IDEMPOTENCY_MISMATCH,
                     "the Idempotency-Key was used for another request; use a fresh one");
    }
    return true;
  }
  return false;
}

/* --- each decision ---------------------------------------------------------------------------- */

/* The key stands in the one event that the request led to; where none has it yet, in the last. */
static void key_stand(struct letter_append *letter, const struct change *change)
{
  struct event *events = append_events(letter), *keyed = &events[letter->n_events - 1];
  for (uint32_t i = 0; i < letter->n_events; i++)
    if (events[i].idempotency.len) keyed = &events[i];
  for (uint32_t i = 0; i < letter->n_events; i++) events[i].request = SLICE_NONE;
  if (!change->key.len) return;
  keyed->idempotency = change->key;
  keyed->request = change->request;
}

/* All that events of a state may be: what it took to decide them, and of each the texts that they
 * share. */
enum { MANY_BYTES_MAX = 3 * STATE_ARENA_MAX };

static struct change *command_append(struct control *control, struct letter_command *command,
                                     const struct decision *decision)
{
  enum change_kind kind = command->kind == COMMAND_PUSH ? CHANGE_PUSH : CHANGE_PLAIN;
  struct change *change = change_new(control, kind, command);
  struct letter_append *letter = &change->append;
  change->version = decision->version;
  change->release = decision->release;
  const struct event *from = decision->many ? decision->many : decision->events;
  letter->n_events = decision->n_events;
  if (decision->many) {
    letter->arena.max = MANY_BYTES_MAX;
    letter->many = arena_zero(&letter->arena, decision->n_events, sizeof *letter->many);
    must(letter->many);
  }
  for (uint32_t i = 0; i < decision->n_events; i++)
    must(event_copy(&letter->arena, &from[i], &append_events(letter)[i]));
  key_stand(letter, change);
  return change;
}

static enum change_kind switch_kind(struct control *control, const struct letter_command *command,
                                    const struct decision *decision)
{
  if (decision->kind == DECISION_ANSWER) return CHANGE_SEEN;
  if (decision->effect != EVENT_NONE) return command->wait ? CHANGE_SWITCH : CHANGE_WISH;
  struct placed *placed = place_find(&control->place, decision->model, decision->version);
  return placed && placed->state == PLACED_READY ? CHANGE_SEEN : CHANGE_READY;
}

static struct change *command_switch(struct control *control, struct letter_command *command,
                                     const struct decision *decision)
{
  enum change_kind kind = switch_kind(control, command, decision);
  struct change *change = change_new(control, kind, command);
  change->model = kind == CHANGE_SEEN ? NULL : decision->model;
  change->version = decision->version;
  change->effect = decision->effect;
  change->seq = decision->seq;
  change->release = decision->release;
  /* It serves by the ledger: who does not wait knows enough. */
  if (kind == CHANGE_READY && !command->wait) change_answer(control, change);
  return change;
}

/* True when a model of a tenant that is to go is on its way into memory for somebody. */
static bool loading_blocks(struct control *control, struct letter_command *command,
                           const struct decision *decision)
{
  const struct event *wish = &command->event;
  const struct catalog_tenant *tenant = catalog_tenant(control->catalog, wish->tenant);
  if (command->kind != COMMAND_TENANT_REMOVE || decision->kind != DECISION_APPEND) return false;
  for (uint32_t i = 0; tenant && i < tenant->n_models; i++) {
    struct err err = {0};
    if (!switch_of(control, tenant->models[i])) continue;
    fail(&err, E_CONFLICT, "a version of model '%.*s' is being loaded; wait for it",
         SLICE_ARG(tenant->models[i]->name));
    command_answer(command, &err, 0, 0);
    return true;
  }
  return false;
}

/* The same for what a state deploys or removes. */
static bool state_blocks(struct control *control, struct letter_command *command,
                         const struct decision *decision)
{
  const struct catalog_tenant *tenant = catalog_tenant(control->catalog, command->event.tenant);
  for (uint32_t i = 0; tenant && decision->many && i < decision->n_events; i++) {
    const struct event *event = &decision->many[i];
    if (event->kind != EVENT_DEPLOY_ASKED && event->kind != EVENT_MODEL_REMOVED) continue;
    const struct catalog_model *model = catalog_model(tenant, event->model);
    struct err err = {0};
    if (!model || !switch_of(control, model)) continue;
    fail(&err, E_CONFLICT, "a version of model '%.*s' is being loaded; wait for it",
         SLICE_ARG(event->model));
    fail_at(&err, "models.%.*s", SLICE_ARG(event->model));
    command_answer(command, &err, 0, 0);
    return true;
  }
  return false;
}

/* True when a switch of the model is under way and must be waited for. */
static bool switch_blocks(struct control *control, struct letter_command *command,
                          const struct decision *decision)
{
  struct change *under_way = decision->model ? switch_of(control, decision->model) : NULL;
  if (!under_way || decision->kind == DECISION_ANSWER) return false;
  bool back = command->kind == COMMAND_ROLLBACK || command->kind == COMMAND_RETIRE;
  if (change_is_late(under_way) && back) {
    change_news(control, under_way, NEWS_GIVEN_UP, NULL);
    return false;
  }
  struct err err = {0};
  fail(&err, E_CONFLICT, "a %s of version %u is running; wait for it",
       under_way->effect == EVENT_ROLLED_BACK ? "rollback" : "deploy", under_way->version);
  command_answer(command, &err, 0, 0);
  return true;
}

/* --- coming in -------------------------------------------------------------------------------- */

/* The change it has become; NULL: it waits, has joined another or was answered. */
static struct change *command_try(struct control *control, struct letter_command *command)
{
  struct decision decision;
  command->mail.next = NULL;
  if (control->draining || control->stopping) {
    command_refuse(command, E_DRAINING, "the server is stopping");
    return NULL;
  }
  command->event.wall_ms = control->wall_ms;
  run_hear(control, command);
  struct change *change = way_blocked(control, command);
  if (change && is_slow(control, change) && !protects(command)) {
    command_shed(command);
    return NULL;
  }
  if (change) {
    wait_behind(change, &command->mail, &command->mail.next);
    return NULL;
  }
  if (joined(control, command)) return NULL;
  command_decide(control->catalog, command, &decision);
  if (switch_blocks(control, command, &decision)) return NULL;
  if (loading_blocks(control, command, &decision)) return NULL;
  if (state_blocks(control, command, &decision)) return NULL;
  if (decision.err.code != OK) {
    command_answer(command, &decision.err, decision.version, decision.seq);
    return NULL;
  }
  if (decision.kind == DECISION_SAY) return run_say(control, command, &decision);
  if (command->kind == COMMAND_STATE && decision.kind == DECISION_ANSWER) {
    command_answer(command, &decision.err, 0, decision.seq); /* nothing changes: nobody waits */
    return NULL;
  }
  change = decision.kind == DECISION_APPEND ? command_append(control, command, &decision)
                                            : command_switch(control, command, &decision);
  change_news(control, change, NEWS_BEGUN, NULL);
  return change;
}

void command_take(struct control *control, struct letter_command *command)
{
  command_try(control, command);
}

/* One after the other until one of them is with the scribe: the rest waits behind that, without a
 * look at each, since most of them are of the same model. So each is looked at about once. */
void commands_release(struct control *control, struct mail *first, struct mail **end)
{
  for (struct mail *next; first; first = next) {
    next = first->next;
    struct change *change = command_try(control, LETTER_OF(first, struct letter_command));
    if (!next || !change || !change_at_scribe(change)) continue;
    wait_behind(change, next, end);
    return;
  }
}
