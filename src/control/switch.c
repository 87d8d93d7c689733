/* switch.c - versions on their way into memory for the sake of a change.
 * Thread: control.
 * SPDX-License-Identifier: MIT */
#include "control/control_int.h"

struct change *switch_of(struct control *control, const struct catalog_model *model)
{
  for (struct link *link = control->changes.next; link != &control->changes; link = link->next) {
    struct change *change = LIST_OF(link, struct change, link);
    if (change->model == model && change_is_switching(change)) return change;
  }
  return NULL;
}

bool switch_load(struct control *control, struct change *change)
{
  change->placed = place_of(&control->place, change->model, change->version);
  change->placed->coming = true;
  control_touch(control, change->model, change->version);
  if (change->placed->state == PLACED_READY) return true;
  place_retry(&control->place, change->placed);
  return false;
}

void switch_leave(struct control *control, struct change *change)
{
  struct placed *placed = change->placed;
  if (!placed) return;
  change->placed = NULL;
  placed->coming = false;
  place_settle(&control->place, placed);
  control_touch(control, placed->model, placed->number);
}

void switch_placed(struct control *control, struct placed *placed)
{
  struct change *change = switch_of(control, placed->model);
  control_touch(control, placed->model, placed->number);
  if (!change || change->placed != placed || change->state != STATE_LOADING) return;
  if (placed->state == PLACED_READY) change_news(control, change, NEWS_READY, NULL);
  if (placed->state == PLACED_FAILED) change_news(control, change, NEWS_FAILED, &placed->err);
}

void switch_resume(struct control *control, struct catalog_model *model)
{
  struct change *change = change_new(control, CHANGE_WISH, NULL);
  change->model = model;
  change->version = model->asked;
  change->effect =
      model->asked_kind == EVENT_ROLLBACK_ASKED ? EVENT_ROLLED_BACK : EVENT_VERSION_DEPLOYED;
  change_news(control, change, NEWS_RESUMED, NULL);
}
