/* change.c - commands on their way: deciding, loading, appending, folding, answering.
 * Thread: control.
 * SPDX-License-Identifier: MIT */
#include "control/control_int.h"

#include "base/mem.h"
#include "base/utf8.h"

enum { CHANGE_ARENA_MAX = 1 << 20 };

/* --- answering -------------------------------------------------------------------------------- */

static void command_answer(struct letter_command *command, const struct err *err, uint32_t version,
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

static struct letter_command *command_next(struct letter_command *command)
{
  return command->mail.next ? LETTER_OF(command->mail.next, struct letter_command) : NULL;
}

static void change_answer(struct change *change, const struct err *err)
{
  struct letter_command *next;
  for (struct letter_command *command = change->command; command; command = next) {
    next = command_next(command);
    command_answer(command, err, change->version, change->seq);
  }
  change->command = NULL;
}

/* --- changes ---------------------------------------------------------------------------------- */

static struct change *change_new(struct control *control, struct letter_command *command)
{
  struct change *change = grab_zero(1, sizeof *change);
  arena_init(&change->append.arena, CHANGE_ARENA_MAX, NULL);
  change->command = command;
  if (command) {
    command->mail.next = NULL;
    change->key = arena_copy(&change->append.arena, command->event.idempotency);
    must(change->key.at);
  }
  list_push_back(&control->changes, &change->link);
  return change;
}

static void change_free(struct change *change)
{
  must(!change->command);
  list_remove(&change->link);
  arena_deinit(&change->append.arena);
  ungrab(change);
}

/* It is true already; whoever made it so may still wait for the loops to see it. */
static void command_settle(struct control *control, struct letter_command *command,
                           const struct decision *decision)
{
  struct change *change = change_new(control, command);
  change->state = CHANGE_SETTLING;
  change->version = decision->version;
  change->seq = decision->seq;
}

/* The switch of this model that is under way; NULL: none. */
static struct change *switch_of(struct control *control, const struct catalog_model *model)
{
  for (struct link *link = control->changes.next; link != &control->changes; link = link->next) {
    struct change *change = LIST_OF(link, struct change, link);
    if (change->model == model && change->state != CHANGE_SETTLING) return change;
  }
  return NULL;
}

/* Sends the change's events, already in append.events, to the scribe. */
static void append_send(struct control *control, struct change *change)
{
  struct letter_append *letter = &change->append;
  for (uint32_t i = 0; i < letter->n_events; i++) letter->events[i].wall_ms = control->wall_ms;
  letter->mail = (struct mail){.kind = LETTER_APPEND};
  letter->home = &control->box;
  letter->err = (struct err){0};
  letter->control_state = change;
  change->state = CHANGE_APPENDING;
  control->appends_out++;
  mail_send(control->post->scribe, &letter->mail);
}

/* One event about the change's model. */
static void append_model_event(struct change *change, enum event_kind kind, struct slice actor,
                               struct slice key)
{
  struct arena *arena = &change->append.arena;
  change->append.n_events = 1;
  change->append.events[0] = (struct event){.kind = kind,
                                            .tenant = change->model->tenant->name,
                                            .model = change->model->name,
                                            .version = change->version,
                                            .actor = arena_copy(arena, actor),
                                            .idempotency = key};
  must(change->append.events[0].actor.at);
}

/* Nobody wants the version any more for the sake of this change. */
static void coming_end(struct control *control, struct change *change)
{
  if (!change->placed) return;
  change->placed->coming = false;
  place_settle(&control->place, change->placed);
  control->dirty = true;
}

/* --- switches --------------------------------------------------------------------------------- */

/* Its command is answered before it is loaded only when the wish is in the ledger, with its
 * actor. */
static struct slice switch_actor(const struct change *change)
{
  return change->command ? change->command->event.actor : change->model->asked_actor;
}

/* The version is in memory and its lanes are open: now it may be written down. */
static void switch_ready(struct control *control, struct change *change)
{
  if (change->effect == EVENT_NONE) {
    coming_end(control, change);
    change->state = CHANGE_SETTLING;
    if (!change->command) change_free(change);
    return;
  }
  append_model_event(change, change->effect, switch_actor(change),
                     change->asked ? SLICE_NONE : change->key);
  append_send(control, change);
}

_Static_assert((int)ERR_TEXT_MAX <= (int)REASON_MAX, "an error's text is a reason");

/* An engine's words, cut in the middle of a character, are still no reason to lose the event. */
static void text_clean(char *text)
{
  for (struct slice left = slice_str(text); left.len;) {
    size_t n = utf8_len(left);
    if (!n) *(text + strlen(text) - left.len) = '?';
    left = slice_from(left, n ? n : 1);
  }
}

/* The old version goes on serving; the refusal is written down so that history can tell. */
static void switch_failed(struct control *control, struct change *change)
{
  change->err = change->placed->err;
  if (change->effect == EVENT_NONE) {
    coming_end(control, change);
    change_answer(change, &change->err);
    change_free(change);
    return;
  }
  change->refusing = true;
  append_model_event(change, EVENT_VERSION_REFUSED, switch_actor(change),
                     change->asked ? SLICE_NONE : change->key);
  struct event *event = &change->append.events[0];
  text_clean(change->err.text);
  event->reason = arena_copy(&change->append.arena, slice_str(change->err.text));
  must(event->reason.at);
  event->code = change->err.code;
  append_send(control, change);
}

static void switch_load(struct control *control, struct change *change)
{
  change->state = CHANGE_LOADING;
  change->placed = place_of(&control->place, change->model, change->version);
  change->placed->coming = true;
  control->dirty = true;
  if (change->placed->state == PLACED_READY)
    switch_ready(control, change);
  else
    place_retry(&control->place, change->placed);
}

void change_placed(struct control *control, struct placed *placed)
{
  struct change *change = switch_of(control, placed->model);
  control->dirty = true;
  if (!change || change->placed != placed || change->state != CHANGE_LOADING) return;
  if (placed->state == PLACED_READY) switch_ready(control, change);
  if (placed->state == PLACED_FAILED) switch_failed(control, change);
}

void change_resume(struct control *control, struct catalog_model *model)
{
  struct change *change = change_new(control, NULL);
  change->model = model;
  change->version = model->asked;
  change->effect =
      model->asked_kind == EVENT_ROLLBACK_ASKED ? EVENT_ROLLED_BACK : EVENT_VERSION_DEPLOYED;
  change->asked = true;
  switch_load(control, change);
}

static void switch_begin(struct control *control, struct letter_command *command,
                         const struct decision *decision)
{
  struct err err = {0};
  struct placed *placed = place_find(&control->place, decision->model, decision->version);
  if (decision->effect == EVENT_NONE && placed && placed->state == PLACED_READY) {
    command_settle(control, command, decision);
    return;
  }
  struct change *change = change_new(control, command);
  change->model = decision->model;
  change->version = decision->version;
  change->effect = decision->effect;
  change->seq = decision->seq;
  if (command->wait || decision->effect == EVENT_NONE) {
    if (!command->wait) change_answer(change, &err); /* it serves by the ledger; it is loading */
    switch_load(control, change);
    return;
  }
  change->asking = true;
  append_model_event(
      change, decision->effect == EVENT_ROLLED_BACK ? EVENT_ROLLBACK_ASKED : EVENT_DEPLOY_ASKED,
      command->event.actor, change->key);
  append_send(control, change);
}

/* --- appends home ----------------------------------------------------------------------------- */

/* Which versions serve, as the catalog has it now. */
static void serving_sync(struct control *control, const struct catalog_model *model)
{
  if (!model || model->slot >= control->place.models_cap) return;
  struct link *head = &control->place.models[model->slot];
  for (struct link *link = head->next; link != head; link = link->next) {
    struct placed *placed = LIST_OF(link, struct placed, link);
    placed->serves = placed->number == model->serving && !control->stopping;
  }
  for (struct link *link = head->next; link != head; link = link->next)
    place_settle(&control->place, LIST_OF(link, struct placed, link));
}

static void append_fold(struct control *control, struct change *change)
{
  const struct letter_append *letter = &change->append;
  for (uint32_t i = 0; i < letter->n_events; i++) {
    const struct event *event = &letter->events[i];
    struct err err;
    must(catalog_apply(control->catalog, event, &err) == OK);
    serving_sync(control,
                 catalog_model(catalog_tenant(control->catalog, event->tenant), event->model));
    change->seq = event->seq;
  }
  control->dirty = true;
}

static void append_refused(struct control *control, struct change *change)
{
  bool promised = change->asked || (!change->model && !change->command);
  if (promised && !control->stopping) {
    change->state = CHANGE_RETRYING;
    return;
  }
  coming_end(control, change);
  change_answer(change, change->refusing ? &change->err : &change->append.err);
  change_free(change);
}

static void append_done(struct control *control, struct change *change)
{
  struct err fine = {0};
  append_fold(control, change);
  if (change->asking) {
    change->asking = false;
    change->asked = true;
    change_answer(change, &fine);
    if (control->stopping)
      change_free(change); /* taken up again at the next start */
    else
      switch_load(control, change);
    return;
  }
  coming_end(control, change);
  if (!change->refusing && change->command && !control->stopping) {
    change->state = CHANGE_SETTLING;
    return;
  }
  change_answer(change, change->refusing ? &change->err : &fine);
  change_free(change);
}

void change_append_home(struct control *control, struct letter_append *letter)
{
  struct change *change = letter->control_state;
  must(change->state == CHANGE_APPENDING);
  control->appends_out--;
  if (letter->err.code != OK)
    append_refused(control, change);
  else
    append_done(control, change);
  /* What waited for it may be looked at now, in the order it came. */
  struct mail *mail = control->waiting, *next;
  control->waiting = NULL;
  control->waiting_end = &control->waiting;
  for (; mail; mail = next) {
    next = mail->next;
    change_command(control, LETTER_OF(mail, struct letter_command));
  }
}

void change_retry(struct control *control)
{
  struct link *link, *next;
  for (link = control->changes.next; link != &control->changes; link = next) {
    struct change *change = LIST_OF(link, struct change, link);
    next = link->next;
    if (change->state == CHANGE_RETRYING) append_send(control, change);
  }
  for (uint32_t i = 0; i < control->catalog->n_models; i++) { /* given up for one that failed */
    struct catalog_model *model = control->catalog->models[i];
    if (model->asked && !switch_of(control, model)) change_resume(control, model);
  }
}

void change_tenant(struct control *control, struct slice name)
{
  struct change *change = change_new(control, NULL);
  change->append.n_events = 1;
  change->append.events[0] =
      (struct event){.kind = EVENT_TENANT_CREATED, .tenant = name, .actor = SLICE("slipway")};
  append_send(control, change);
}

/* --- commands --------------------------------------------------------------------------------- */

/* Whether the command has to wait for what this change is having written. */
static bool in_the_way(const struct change *change, const struct event *wish)
{
  if (change->state != CHANGE_APPENDING) return false;
  const struct event *written = &change->append.events[0];
  if (!slice_eq(written->tenant, wish->tenant)) return false;
  return written->kind == EVENT_TENANT_CREATED || slice_eq_nocase(written->model, wish->model) ||
         (wish->idempotency.len && slice_eq(change->key, wish->idempotency));
}

static bool must_wait(const struct control *control, const struct event *wish)
{
  for (struct link *link = control->changes.next; link != &control->changes; link = link->next)
    if (in_the_way(LIST_OF(link, struct change, link), wish)) return true;
  /* Nor may it overtake one of its own that waits. */
  for (struct mail *mail = control->waiting; mail; mail = mail->next) {
    const struct event *other = &LETTER_OF(mail, struct letter_command)->event;
    if (slice_eq(other->tenant, wish->tenant) &&
        (slice_eq_nocase(other->model, wish->model) ||
         (wish->idempotency.len && slice_eq(other->idempotency, wish->idempotency))))
      return true;
  }
  return false;
}

/* A switch that is loading has not written its key down yet: the same request joins it. */
static bool joined(struct control *control, struct letter_command *command)
{
  struct slice key = command->event.idempotency;
  for (struct link *link = control->changes.next; key.len && link != &control->changes;
       link = link->next) {
    struct change *change = LIST_OF(link, struct change, link);
    if (change->state != CHANGE_LOADING || !change->command) continue;
    struct letter_command *first = change->command;
    if (!slice_eq(first->event.tenant, command->event.tenant) || !slice_eq(change->key, key))
      continue;
    if (command_same(first, command)) {
      command->mail.next = first->mail.next;
      first->mail.next = &command->mail;
    } else {
      command_refuse(command, E_CONFLICT,
                     "the Idempotency-Key was used for another request; use a fresh one");
    }
    return true;
  }
  return false;
}

static void command_append(struct control *control, struct letter_command *command,
                           const struct decision *decision)
{
  struct change *change = change_new(control, command);
  struct letter_append *letter = &change->append;
  change->version = decision->version;
  letter->n_events = decision->n_events;
  for (uint32_t i = 0; i < decision->n_events; i++)
    must(event_copy(&letter->arena, &decision->events[i], &letter->events[i]));
  append_send(control, change);
}

void change_command(struct control *control, struct letter_command *command)
{
  struct decision decision;
  if (control->draining || control->stopping) {
    command_refuse(command, E_DRAINING, "the server is stopping");
    return;
  }
  if (must_wait(control, &command->event)) {
    command->mail.next = NULL;
    *control->waiting_end = &command->mail;
    control->waiting_end = &command->mail.next;
    return;
  }
  if (joined(control, command)) return;
  command_decide(control->catalog, command, &decision);
  struct change *under_way = decision.model ? switch_of(control, decision.model) : NULL;
  if (under_way && under_way->state == CHANGE_RETRYING && command->kind != COMMAND_DEPLOY) {
    coming_end(control, under_way); /* what cannot be written must not block the way back */
    change_free(under_way);
    under_way = NULL;
  }
  if (under_way && decision.kind != DECISION_ANSWER) {
    struct err err = {0};
    fail(&err, E_CONFLICT, "a %s of version %u is running; wait for it",
         under_way->effect == EVENT_ROLLED_BACK ? "rollback" : "deploy", under_way->version);
    command_answer(command, &err, 0, 0);
    return;
  }
  switch (decision.kind) {
    case DECISION_ANSWER:
      if (decision.err.code == OK)
        command_settle(control, command, &decision);
      else
        command_answer(command, &decision.err, decision.version, decision.seq);
      break;
    case DECISION_APPEND: command_append(control, command, &decision); break;
    case DECISION_SWITCH: switch_begin(control, command, &decision); break;
  }
}

/* --- settling and stopping -------------------------------------------------------------------- */

void change_shown(struct control *control)
{
  for (struct link *link = control->changes.next; link != &control->changes; link = link->next) {
    struct change *change = LIST_OF(link, struct change, link);
    if (change->state == CHANGE_SETTLING && !change->round)
      change->round = pulse_ask(&control->pulse, control->now_us);
  }
}

void change_pulse_done(struct control *control)
{
  struct err fine = {0};
  struct link *link, *next;
  for (link = control->changes.next; link != &control->changes; link = next) {
    struct change *change = LIST_OF(link, struct change, link);
    next = link->next;
    if (change->state != CHANGE_SETTLING || !change->round) continue;
    if (change->round > control->pulse.done) continue;
    change_answer(change, &fine);
    change_free(change);
  }
}

void change_stop(struct control *control)
{
  struct err fine = {0}, stopping = {0};
  struct link *link, *next;
  fail(&stopping, E_DRAINING, "the server is stopping; the version in use has not changed");
  for (link = control->changes.next; link != &control->changes; link = next) {
    struct change *change = LIST_OF(link, struct change, link);
    next = link->next;
    if (change->state == CHANGE_APPENDING) continue; /* its answer is the ledger's */
    if (change->state != CHANGE_SETTLING) coming_end(control, change);
    change_answer(change, change->state == CHANGE_SETTLING ? &fine : &stopping);
    change_free(change);
  }
  struct mail *mail = control->waiting, *after;
  control->waiting = NULL;
  control->waiting_end = &control->waiting;
  for (; mail; mail = after) {
    after = mail->next;
    change_command(control, LETTER_OF(mail, struct letter_command));
  }
}

void change_abandon(struct control *control)
{
  struct link *link;
  while ((link = list_pop_front(&control->changes))) {
    struct change *change = LIST_OF(link, struct change, link);
    change->command = NULL;
    change_free(change);
  }
}
