/* quarantine.c - strikes of versions, and the command that three of them come to.
 * Thread: control.
 * SPDX-License-Identifier: MIT */
#include "control/registry/quarantine.h"

#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "control/control_int.h"

/* Control's own command: it comes home to control. */
struct quarantine_command {
  struct letter_command command;
  struct arena arena;
};

static void quarantine_ask(struct control *control, const struct placed *placed)
{
  char why[REASON_MAX];
  struct quarantine_command *asked = grab_zero(1, sizeof *asked);
  struct letter_command *command = &asked->command;
  arena_init(&asked->arena, 1 << 16, NULL);
  snprintf(why, sizeof why,
           "%d runs in a row had to be ended or outgrew their memory, within %d minutes; deploy "
           "another version, or lift it when the cause is gone",
           QUARANTINE_STRIKES, (int)(QUARANTINE_US / 60000000));
  command->mail.kind = LETTER_COMMAND;
  command->home = &control->box;
  command->kind = COMMAND_VERSION_QUARANTINE;
  command->arena = &asked->arena;
  const struct event event = {.tenant = placed->model->tenant->name,
                              .model = placed->model->name,
                              .version = placed_version(placed),
                              .actor = SLICE("slipway"),
                              .reason = slice_str(why)};
  must(event_copy(&asked->arena, &event, &command->event));
  log_event(LOG_WARN, "version_quarantined", "tenant", log_slice(event.tenant), "model",
            log_slice(event.model), "version", log_num(event.version), "reason", why, NULL);
  mail_send(&control->box, &command->mail);
}

void quarantine_home(struct letter_command *command)
{
  struct quarantine_command *asked = LIST_OF(command, struct quarantine_command, command);
  if (command->err.code)
    log_event(LOG_WARN, "quarantine_not_written", "reason", command->err.text, NULL);
  arena_deinit(&asked->arena);
  ungrab(asked);
}

/* True with the strike that makes it three. */
static bool strike(struct placed *placed, int64_t now_us)
{
  int64_t eldest_us = placed->struck_us[0];
  placed->struck_us[0] = placed->struck_us[1];
  placed->struck_us[1] = now_us;
  if (!eldest_us || now_us - eldest_us > QUARANTINE_US) return false;
  memset(placed->struck_us, 0, sizeof placed->struck_us);
  return true;
}

/* Memory is refused at a limit before it hurts anybody, and an input can ask for any amount. So it
 * speaks against the version only where nothing says that it can run at all: it did not when it was
 * warmed up, and has answered nobody since. */
static bool can_run(const struct control *control, const struct placed *placed)
{
  const struct tally *total = control->pulse.total;
  return placed->load.run_ns > 0 ||
         (placed->slot < total->n_slots && total->slots[placed->slot].success.count);
}

void quarantine_look(struct control *control, struct placed *placed,
                     const struct version_tally *slot)
{
  if (slot->success.count) memset(placed->struck_us, 0, sizeof placed->struck_us);
  if (slot->success.count || placed->state != PLACED_READY || !placed->serves || placed->released)
    return;
  uint64_t strikes = slot->stopped + (can_run(control, placed) ? 0 : slot->outgrew);
  for (uint64_t i = 0; i < strikes; i++) {
    if (!strike(placed, control->now_us)) continue;
    quarantine_ask(control, placed);
    return;
  }
}
