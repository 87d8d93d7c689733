/* append.c - a change's events to the scribe, home again, and into the catalog.
 * Thread: control.
 * SPDX-License-Identifier: MIT */
#include "base/utf8.h"
#include "control/control_int.h"
#include "control/registry/owned.h"

/* --- what is written -------------------------------------------------------------------------- */

/* Who asked: the command's actor, or, when that was answered before the load, the ledger's. */
static struct slice actor_of(const struct change *change)
{
  return change->command ? change->command->event.actor : change->model->asked_actor;
}

/* One event about the change's model. */
static struct event *model_event(struct change *change, enum event_kind kind, struct slice key)
{
  struct event *event = &change->append.events[0];
  change->append.n_events = 1;
  *event = (struct event){.kind = kind,
                          .tenant = change->model->tenant->name,
                          .model = change->model->name,
                          .version = change->version,
                          .actor = arena_copy(&change->append.arena, actor_of(change)),
                          .idempotency = key,
                          .request = key.len ? change->request : SLICE_NONE};
  must(event->actor.at);
  return event;
}

/* A wish has its key in the ledger already: with the event that says it was asked for. */
static struct slice effect_key(const struct change *change)
{
  return change->kind == CHANGE_WISH ? SLICE_NONE : change->key;
}

void append_ask(struct change *change)
{
  bool back = change->effect == EVENT_ROLLED_BACK;
  model_event(change, back ? EVENT_ROLLBACK_ASKED : EVENT_DEPLOY_ASKED, change->key);
}

void append_write(struct change *change)
{
  model_event(change, change->effect, effect_key(change));
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
void append_refuse(struct change *change)
{
  struct event *event = model_event(change, EVENT_VERSION_REFUSED, effect_key(change));
  text_clean(change->err.text);
  event->reason = arena_copy(&change->append.arena, slice_str(change->err.text));
  must(event->reason.at);
  event->code = change->err.code;
}

void append_tenant(struct control *control, struct slice name, const struct event *first_key)
{
  struct change *change = change_new(control, CHANGE_TENANT, NULL);
  struct letter_append *letter = &change->append;
  if (!catalog_tenant(control->catalog, name))
    letter->events[letter->n_events++] =
        (struct event){.kind = EVENT_TENANT_CREATED, .tenant = name, .actor = SLICE("slipway")};
  if (first_key) must(event_copy(&letter->arena, first_key, &letter->events[letter->n_events++]));
  change_news(control, change, NEWS_BEGUN, NULL);
}

/* --- out and home ----------------------------------------------------------------------------- */

static void notes_make(struct control *control, struct change *change)
{
  struct letter_append *letter = &change->append;
  notes_free(change->notes); /* of another event, or of a try that found no room */
  change->notes = notes_new();
  if (change->moves) move_notes(control, change);
  for (uint32_t i = 0; i < letter->n_events; i++)
    notes_event(change->notes, control, &append_events(letter)[i]);
  notes_lend(change->notes, letter);
}

void append_send(struct control *control, struct change *change)
{
  struct letter_append *letter = &change->append;
  for (uint32_t i = 0; i < letter->n_events; i++)
    append_events(letter)[i].wall_ms = control->wall_ms;
  notes_make(control, change);
  letter->mail = (struct mail){.kind = LETTER_APPEND};
  letter->home = &control->box;
  letter->err = (struct err){0};
  letter->control_state = change;
  change->sent_us = control->now_us;
  control->appends_out++;
  mail_send(control->post->scribe, &letter->mail);
}

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

/* A model that comes or goes takes all its versions along. */
static void event_touch(struct control *control, const struct catalog_tenant *tenant,
                        const struct event *event)
{
  const struct catalog_model *model = catalog_model_like(tenant, event->model);
  bool all = event->kind == EVENT_MODEL_CREATED || event->kind == EVENT_MODEL_REMOVED;
  control->unshown = true;
  if (event->model.len && model)
    publish_touch(&control->publish, model, all ? TOUCH_ALL : event->version);
  else
    publish_touch_tenant(&control->publish, tenant);
}

/* What a state asked to be deployed is taken up at once; what control cannot take up now it does
 * with the next pulse, or after a restart, like any wish. */
static void many_resume(struct control *control, const struct change *change)
{
  const struct letter_append *letter = &change->append;
  for (uint32_t i = 0; letter->many && !control->stopping && i < letter->n_events; i++) {
    const struct event *event = &letter->many[i];
    if (event->kind != EVENT_DEPLOY_ASKED) continue;
    struct catalog_model *model =
        catalog_model(catalog_tenant_ever(control->catalog, event->tenant), event->model);
    if (model && model->asked && !switch_of(control, model)) switch_resume(control, model);
  }
}

void append_fold(struct control *control, struct change *change)
{
  struct letter_append *letter = &change->append;
  for (uint32_t i = 0; i < letter->n_events; i++) {
    const struct event *event = &append_events(letter)[i];
    struct err err;
    must(catalog_apply(control->catalog, event, &err) == OK);
    struct catalog_tenant *tenant = catalog_tenant_ever(control->catalog, event->tenant);
    struct catalog_model *model = catalog_model(tenant, event->model);
    for (uint32_t k = 0; tenant->removed_seq && k < tenant->n_models; k++) {
      serving_sync(control, tenant->models[k]);
      run_sync(control, tenant->models[k]);
    }
    serving_sync(control, model);
    if (model) run_sync(control, model);
    owned_tell(tenant, catalog_model_like(tenant, event->model), event, control->post->janitor);
    change->seq = event->seq;
    event_touch(control, tenant, event);
  }
  many_resume(control, change);
}

void append_home(struct control *control, struct letter_append *letter)
{
  struct change *change = letter->control_state;
  struct mail *first = change->behind, **end = change->behind_end;
  struct err err = letter->err; /* the letter may go with its change */
  struct catalog_model *moves = change->moves;
  struct notes *notes = change->notes;
  bool written = err.code == OK;
  must(change_at_scribe(change));
  control->appends_out--;
  change->behind = NULL;
  change->behind_end = &change->behind;
  change->notes = NULL;
  if (written) notes_send(control, notes);
  notes_free(notes);
  if (control->stopping)
    change_news(control, change, written ? NEWS_WRITTEN_LAST : NEWS_UNWRITTEN_LAST, &err);
  else
    change_news(control, change, written ? NEWS_WRITTEN : NEWS_UNWRITTEN, &err);
  if (moves) run_told(control, moves, written);
  commands_release(control, first, end);
}
