/* slot.c - slots of tallies, given back.
 * Thread: control.
 * SPDX-License-Identifier: MIT */
#include "control/slot.h"

#include <stdlib.h>

#include "base/mem.h"
#include "control/control_int.h"

/* Nobody counts on it, or is about to. */
static bool is_idle(const struct placed *placed)
{
  return placed && placed->state == PLACED_GONE && !placed->serves && !placed->coming &&
         !placed->released && !placed->worlds && !placed->changed && placed->rest == REST_NOT;
}

static int gone_compare(const void *a, const void *b)
{
  const struct placed *x = *(struct placed *const *)a, *y = *(struct placed *const *)b;
  return x->gone < y->gone ? -1 : x->gone > y->gone;
}

/* All but so many that went last: a version that is rolled back to has its counters still. */
static void idle_detach(struct control *control)
{
  struct place *place = &control->place;
  uint32_t n = 0, most = control->opts.slots_idle;
  for (uint32_t slot = 0; slot < place->n_slots; slot++) n += is_idle(place->slots[slot]);
  if (n <= most) return;
  struct placed **idle = grab(n * sizeof(struct placed *));
  n = 0;
  for (uint32_t slot = 0; slot < place->n_slots; slot++)
    if (is_idle(place->slots[slot])) idle[n++] = place->slots[slot];
  qsort(idle, n, sizeof(struct placed *), gone_compare);
  for (uint32_t i = 0; i < n - most; i++) {
    place_detach(place, idle[i]);
    idle[i]->serial = control->publish.serial + 1;
    control_touch(control, idle[i]->model, idle[i]->number);
  }
  ungrab(idle);
}

static void leaving_look(struct control *control, struct placed *placed)
{
  struct pulse *pulse = &control->pulse;
  if (publish_oldest(&control->publish) < placed->serial) return;
  if (!placed->round) placed->round = pulse->begun + 1; /* the next one that begins */
  if (pulse->done < placed->round || pulse->closed < placed->round) return;
  struct version_tally *sums = &pulse->total->slots[placed->slot];
  pulse->total->forgotten += sums->success.count;
  *sums = (struct version_tally){0};
  round_forget_arm(&control->runs.round, placed->slot);
  place_forget(&control->place, placed);
}

void slots_pulse(struct control *control)
{
  struct link *all = &control->place.leaving, *next;
  if (control->stopping) return;
  for (struct link *link = all->next; link != all; link = next) {
    next = link->next;
    leaving_look(control, LIST_OF(link, struct placed, link));
  }
  idle_detach(control);
}
