/* squeeze.c - readings in, worlds out.
 * Thread: control.
 * SPDX-License-Identifier: MIT */
#include "control/guard/squeeze.h"

#include <stdio.h>

#include "base/log.h"
#include "control/control_int.h"
#include "control/fit.h"
#include "control/guard/pressure.h"

enum { TURNS_LEAST = 100, IDLE_MS = 60000 };

static void action_log(uint32_t bit, bool on, const struct pressure *pressure)
{
  const uint8_t *percent = pressure->last.percent;
  const char *event = on ? "pressure_acts" : "pressure_eased";
  if (bit == ACTION_ALERT && percent[SOURCE_MEMORY] >= percent[SOURCE_FILES] &&
      percent[SOURCE_MEMORY] >= percent[SOURCE_LAG])
    event = on ? "memory_high" : "memory_eased";
  log_event(on ? LOG_WARN : LOG_INFO, event, "action", action_name(bit), "what", action_text(bit),
            "memory", log_num(percent[SOURCE_MEMORY]), "stall", log_num(percent[SOURCE_STALL]),
            "lag", log_num(percent[SOURCE_LAG]), "files", log_num(percent[SOURCE_FILES]), NULL);
}

static void memory_tell(struct control *control)
{
  const struct pressure_readings *last = &control->pressure.last;
  bool high = control->memory_high;
  char mark[32], why[160];
  int n = snprintf(mark, sizeof mark, "%lld", (long long)control->wall_ms);
  snprintf(why, sizeof why, "%u %% of its memory, %llu MiB, are used: %s",
           last->percent[SOURCE_MEMORY], (unsigned long long)(last->memory_max >> 20),
           high ? "it gives things up step by step; slipway doctor lists them"
                : "nothing is given up for that any more");
  const struct notice notice = {.mark = slice_of(mark, (size_t)n),
                                .about = "server",
                                .state = high ? "memory_high" : "memory_eased",
                                .actor = SLICE("slipway"),
                                .sentence = slice_str(why),
                                .bad = high,
                                .over = !high};
  struct notes *notes = notes_new();
  notes_add(notes, control, &notice);
  notes_send_ahead(control, notes);
  notes_free(notes);
}

/* Apart from the actions: memory may get high while something else was said already. `said`: the
 * log has it. */
static void memory_watch(struct control *control, bool said)
{
  uint8_t percent = control->pressure.last.percent[SOURCE_MEMORY];
  bool high = percent >= PRESSURE_HIGH - (control->memory_high ? PRESSURE_CALM : 0);
  if (high == control->memory_high) return;
  control->memory_high = high;
  if (!said)
    log_event(high ? LOG_WARN : LOG_INFO, high ? "memory_high" : "memory_eased", "memory",
              log_num(percent), NULL);
  if (control->post->notifier) memory_tell(control);
}

static void step(struct control *control, const struct pressure_readings *readings)
{
  struct pressure *pressure = &control->pressure;
  uint32_t was = pressure->actions;
  bool changed = pressure_step(pressure, readings);
  memory_watch(control, (was ^ pressure->actions) & ACTION_BIT(ACTION_ALERT));
  if (!changed) return;
  for (uint32_t i = 0; i < ACTIONS; i++)
    if ((was ^ pressure->actions) & ACTION_BIT(i))
      action_log(i, pressure->actions & ACTION_BIT(i), pressure);
  control->place.tight = pressure->actions & ACTION_BIT(ACTION_NO_LOAD);
  control->unshown = true;
  if (pressure->actions & ~was & ACTION_BIT(ACTION_UNLOAD_IDLE))
    fit_idle(&control->place, control->wall_ms - IDLE_MS);
}

void squeeze_readings(struct control *control, struct letter_pressure *letter)
{
  struct pressure_readings now = letter->readings;
  if (control->lag_percent > now.percent[SOURCE_LAG])
    now.percent[SOURCE_LAG] = control->lag_percent;
  if (!control->stopping) step(control, &now);
  letter->mail.kind = LETTER_PRESSURE_HOME;
  mail_send(letter->home, &letter->mail);
}

/* Two pulses in a row: one slow second has many causes that pass. */
void squeeze_turns(struct control *control, const struct tally *tally)
{
  uint8_t percent = 0;
  if (tally->turns >= TURNS_LEAST) {
    int64_t p99_us = TALLY_TURN_US;
    for (int i = 0; i < TALLY_TURNS_OVER; i++, p99_us *= 2)
      if (tally->turns_over[i] * 100 > tally->turns) percent = pressure_lag(p99_us);
  }
  if (percent > control->lag_next) control->lag_next = percent;
}

void squeeze_pulse(struct control *control)
{
  uint8_t both = control->lag_next < control->lag_before ? control->lag_next : control->lag_before;
  control->lag_percent = both;
  control->lag_before = control->lag_next;
  control->lag_next = 0;
  if (control->pressure.actions & ACTION_BIT(ACTION_UNLOAD_IDLE))
    fit_idle(&control->place, control->wall_ms - IDLE_MS);
}
