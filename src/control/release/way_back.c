/* way_back.c - is the version to go back to still good? Its golden examples, run again every ten
 * seconds while the candidate has everything.
 * Thread: control.
 * Source: release-features 7 ("way back always proven").
 * SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "base/mem.h"
#include "control/control_int.h"

enum { CHECK_US = 10000000 };

static const struct event_file *golden_of(const struct catalog_version *version)
{
  for (uint32_t i = 0; i < version->n_files; i++)
    if (slice_eq(version->files[i].name, SLICE("golden.jsonl"))) return &version->files[i];
  return NULL;
}

void way_back_ask(struct control *control, struct run *run)
{
  if (run->now.state != ROLLOUT_COMPLETED || run->checking || control->now_us < run->check_us)
    return;
  const struct event_file *file = golden_of(catalog_version(run->model, run->against));
  if (!file || run->arms[ARM_STABLE]->state != PLACED_READY) return;
  struct letter_check *letter = grab_zero(1, sizeof *letter);
  letter->mail.kind = LETTER_CHECK;
  letter->home = &control->box;
  letter->loaded = run->arms[ARM_STABLE]->load.loaded;
  letter->file = file;
  letter->objects_fd = control->opts.objects_fd;
  letter->control_state = run->model;
  letter->release = run->number;
  run->checking = true;
  control->checks_out++;
  mail_send(control->post->jobs[run->arms[ARM_STABLE]->job], &letter->mail);
}

void way_back_lost(struct control *control, struct run *run, const char *why, bool barred)
{
  struct rollout_event event = {.when = WHEN_WAY_BACK_LOST, .person = "", .barred = barred};
  snprintf(run->reason, sizeof run->reason, "%s", why);
  run_event(control, run, &event);
}

void way_back_home(struct control *control, struct letter_check *letter)
{
  struct run *run = run_of(&control->runs, letter->control_state);
  control->checks_out--;
  if (run && run->number == letter->release && run->checking) {
    run->checking = false;
    run->check_us = control->now_us + CHECK_US;
    if (letter->err.code && run->now.state == ROLLOUT_COMPLETED && !control->stopping &&
        !control->place.frozen)
      way_back_lost(control, run, letter->err.text, false);
  }
  ungrab(letter);
}
