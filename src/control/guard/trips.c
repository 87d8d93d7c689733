/* trips.c - breakers moved, and what follows: a world, a line in the log, a message.
 * Thread: control.
 * SPDX-License-Identifier: MIT */
#include "control/guard/trips.h"

#include <stdio.h>

#include "base/log.h"
#include "base/rand.h"
#include "control/control_int.h"

static void tell_webhooks(struct control *control, const struct placed *placed)
{
  const struct trip *trip = &placed->trip;
  bool open = trip->breaker.state == BREAKER_OPEN;
  char mark[64], why[160];
  int n = snprintf(mark, sizeof mark, "%llu %lld", (unsigned long long)trip->number,
                   (long long)control->wall_ms);
  snprintf(why, sizeof why,
           open ? "most of its calls failed: it gets none until it is probed in %lld s"
                : "five calls that tried it succeeded: it answers again",
           (long long)((trip->breaker.until_us - control->now_us) / 1000000));
  const struct notice notice = {.tenant = placed->model->tenant->name,
                                .model = placed->model->name,
                                .mark = slice_of(mark, (size_t)n),
                                .about = "version",
                                .version = placed_version(placed),
                                .state = open ? "breaker_open" : "breaker_closed",
                                .actor = SLICE("slipway"),
                                .sentence = slice_str(why),
                                .bad = open,
                                .over = !open};
  struct notes *notes = notes_new();
  notes_add(notes, control, &notice);
  notes_send_ahead(control, notes);
  notes_free(notes);
}

static void moved(struct control *control, struct placed *placed)
{
  struct trip *trip = &placed->trip;
  enum breaker_state state = trip->breaker.state;
  static const char *const events[] = {"breaker_closed", "breaker_open", "breaker_half_open"};
  list_remove(&trip->link);
  if (state != BREAKER_CLOSED) list_push_back(&control->trips, &trip->link);
  if (state == BREAKER_OPEN) trip->number = ++control->n_trips;
  int64_t left_ms = state == BREAKER_OPEN ? (trip->breaker.until_us - control->now_us) / 1000 : 0;
  log_event(state == BREAKER_OPEN ? LOG_WARN : LOG_INFO, events[state], "tenant",
            log_slice(placed->model->tenant->name), "model", log_slice(placed->model->name),
            "version", log_num(placed_version(placed)), "openings",
            log_num(trip->breaker.openings), "for_ms", log_num(left_ms), NULL);
  control_touch(control, placed->model, placed->number);
  if (state != BREAKER_HALF_OPEN && control->post->notifier) tell_webhooks(control, placed);
}

void trips_look(struct control *control, struct placed *placed, const struct version_tally *slot)
{
  const struct breaker_seen seen = {.good = slot->good,
                                    .bad = slot->bad,
                                    .probes_good = slot->probes_good,
                                    .probes_bad = slot->probes_bad,
                                    .stopped = slot->stopped};
  if (!seen.good && !seen.bad && !seen.probes_good && !seen.probes_bad) return;
  if (placed->state != PLACED_READY) return;
  double chance = rand_unit(&control->chance);
  if (breaker_count(&placed->trip.breaker, &seen, control->now_us, chance)) moved(control, placed);
}

int64_t trips_turn(struct control *control)
{
  int64_t next_us = INT64_MAX;
  struct link *link = control->trips.next;
  while (link != &control->trips) {
    struct placed *placed = LIST_OF(link, struct placed, trip.link);
    link = link->next;
    if (control->stopping) continue;
    if (breaker_tick(&placed->trip.breaker, control->now_us)) moved(control, placed);
    else if (placed->trip.breaker.state == BREAKER_OPEN && placed->trip.breaker.until_us < next_us)
      next_us = placed->trip.breaker.until_us;
  }
  return next_us;
}

void trips_forget(struct control *control, struct placed *placed)
{
  bool was = placed->trip.breaker.state != BREAKER_CLOSED;
  breaker_reset(&placed->trip.breaker);
  if (was) moved(control, placed);
}
