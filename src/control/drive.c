/* drive.c - one step of a change, and everything the table says is to be done for it.
 * Thread: control.
 * SPDX-License-Identifier: MIT */
#include "base/mem.h"
#include "control/control_int.h"

enum { CHANGE_ARENA_MAX = 1 << 20 };

struct change *change_new(struct control *control, enum change_kind kind,
                          struct letter_command *command)
{
  struct change *change = grab_zero(1, sizeof *change);
  arena_init(&change->append.arena, CHANGE_ARENA_MAX, NULL);
  change->kind = kind;
  change->command = command;
  change->behind_end = &change->behind;
  if (command) {
    command->mail.next = NULL;
    change->key = arena_copy(&change->append.arena, command->event.idempotency);
    change->request = arena_copy(&change->append.arena, command->event.request);
    must(change->key.at && change->request.at);
  }
  list_push_back(&control->changes, &change->link);
  return change;
}

static void change_free(struct change *change)
{
  list_remove(&change->link);
  notes_free(change->notes);
  arena_deinit(&change->append.arena);
  ungrab(change);
}

void change_answer(struct control *control, struct change *change)
{
  struct mail *next;
  for (struct mail *mail = change->command ? &change->command->mail : NULL; mail; mail = next) {
    next = mail->next;
    struct letter_command *command = LETTER_OF(mail, struct letter_command);
    command->release = change->release;
    if (command->kind == COMMAND_RELEASE) command->past = run_past(control, command);
    command_answer(command, &change->err, change->version, change->seq);
  }
  change->command = NULL;
}

/* The events that are to be written, if they are not there already, and out. */
static void scribe_do(struct control *control, struct change *change, unsigned deeds)
{
  if (deeds & DO_ASK) append_ask(change);
  if (deeds & DO_WRITE) append_write(change);
  if (deeds & DO_REFUSE) append_refuse(change);
  if (deeds & (DO_ASK | DO_WRITE | DO_REFUSE | DO_SEND)) append_send(control, change);
}

/* Returns the news that follows at once; CHANGE_NEWS: none. */
static enum change_news step_do(struct control *control, struct change *change,
                                enum change_news news, const struct err *why)
{
  struct change_move move = change_step(change, news);
  bool ready = false;
  change->state = move.next;
  if (move.deeds & DO_BLAME) change->err = *why;
  if (move.deeds & DO_FOLD) append_fold(control, change);
  if (move.deeds & DO_LEAVE) switch_leave(control, change);
  if (move.deeds & DO_ANSWER) change_answer(control, change);
  if (move.deeds & DO_PULSE) {
    change->round = pulse_ask(&control->pulse, control->now_us);
    change->serial = control->publish.serial;
  }
  if (move.deeds & DO_LOAD) ready = switch_load(control, change);
  scribe_do(control, change, move.deeds);
  change_check(change);
  if (change->state == STATE_ENDED) change_free(change);
  return ready ? NEWS_READY : CHANGE_NEWS; /* it was in memory all the time */
}

void change_news(struct control *control, struct change *change, enum change_news news,
                 const struct err *why)
{
  while (news != CHANGE_NEWS) news = step_do(control, change, news, why);
}

/* --- news for many ---------------------------------------------------------------------------- */

void change_shown(struct control *control)
{
  for (struct link *link = control->changes.next; link != &control->changes; link = link->next) {
    struct change *change = LIST_OF(link, struct change, link);
    if (change->state == STATE_SETTLING) change_news(control, change, NEWS_SHOWN, NULL);
  }
}

void change_seen(struct control *control)
{
  uint64_t desks_saw = publish_desks_saw(&control->publish);
  struct link *link, *next;
  for (link = control->changes.next; link != &control->changes; link = next) {
    struct change *change = LIST_OF(link, struct change, link);
    next = link->next;
    if (change->state != STATE_SHOWN) continue;
    if (change->round > control->pulse.done || change->serial > desks_saw) continue;
    change_news(control, change, NEWS_SEEN, NULL);
  }
}

bool change_writes(const struct control *control, const struct catalog_model *model)
{
  for (struct link *link = control->changes.next; link != &control->changes; link = link->next) {
    const struct change *change = LIST_OF(link, struct change, link);
    const struct event *event = change_first(change);
    if (change_at_scribe(change) && slice_eq(event->tenant, model->tenant->name) &&
        (change->append.many || event->kind == EVENT_TENANT_REMOVED ||
         slice_eq_nocase(event->model, model->name)))
      return true;
  }
  return false;
}

/* A switch of the model is under way, or something at the scribe that may yet decide what was asked
 * for. */
static bool model_is_busy(struct control *control, const struct catalog_model *model)
{
  return change_writes(control, model) || switch_of(control, model) != NULL;
}

void change_pulse(struct control *control)
{
  struct link *link, *next;
  for (link = control->changes.next; link != &control->changes; link = next) {
    struct change *change = LIST_OF(link, struct change, link);
    next = link->next;
    commands_shed(control, change);
    if (change_is_late(change)) change_news(control, change, NEWS_PULSE, NULL);
  }
  for (uint32_t i = 0; i < control->catalog->n_models; i++) { /* given up for one that failed */
    struct catalog_model *model = control->catalog->models[i];
    if (model->asked && !model_is_busy(control, model)) switch_resume(control, model);
  }
}

void change_stop(struct control *control)
{
  struct err stopping = {0};
  struct mail *first = NULL, **end = &first;
  struct link *link, *next;
  fail(&stopping, E_DRAINING, "the server is stopping; the version in use has not changed");
  for (link = control->changes.next; link != &control->changes; link = next) {
    struct change *change = LIST_OF(link, struct change, link);
    next = link->next;
    if (change->behind) {
      *end = change->behind;
      end = change->behind_end;
      change->behind = NULL;
      change->behind_end = &change->behind;
    }
    change_news(control, change, NEWS_STOPPED, &stopping);
  }
  commands_release(control, first, end);
}

void change_abandon(struct control *control)
{
  while (!list_empty(&control->changes))
    change_free(LIST_OF(control->changes.next, struct change, link));
}

/* --- for tests -------------------------------------------------------------------------------- */

static bool same_model(const struct change *one, const struct change *other)
{
  const struct event *a = change_first(one), *b = change_first(other);
  return slice_eq(a->tenant, b->tenant) && slice_eq_nocase(a->model, b->model);
}

/* What a switch does not touch. */
static bool stays_apart(const struct change *change)
{
  enum event_kind kind = change_first(change)->kind;
  return change->kind == CHANGE_PUSH || change->append.many || kind == EVENT_FREEZE_SET ||
         kind == EVENT_FREEZE_LIFTED ||
         (kind >= EVENT_MODEL_SET && kind <= EVENT_ALIAS_REMOVED) ||
         (kind >= EVENT_VERSION_CORRUPT && kind <= EVENT_VERSION_CLEARED);
}

/* A push or a freeze and a switch do not touch the same things; all else about one model waits its
 * turn. */
static bool pair_is_fine(const struct change *one, const struct change *other)
{
  return (stays_apart(one) && change_is_switching(other)) ||
         (stays_apart(other) && change_is_switching(one));
}

void control_check(struct control *control)
{
  uint32_t scribes = 0;
  publish_check(&control->publish, control->catalog);
  for (struct link *a = control->changes.next; a != &control->changes; a = a->next) {
    const struct change *one = LIST_OF(a, struct change, link);
    change_check(one);
    scribes += change_at_scribe(one);
    for (struct link *b = a->next; b != &control->changes; b = b->next) {
      const struct change *other = LIST_OF(b, struct change, link);
      bool both = change_is_switching(one) && change_is_switching(other);
      must(!both || one->model != other->model);
      both = change_at_scribe(one) && change_at_scribe(other) && same_model(one, other);
      must(!both || pair_is_fine(one, other));
    }
  }
  must(scribes == control->appends_out);
}
