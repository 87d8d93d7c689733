/* outcome.c - what loops remembered, on its way to the scribe.
 * Thread: control.
 * SPDX-License-Identifier: MIT */
#include "base/mem.h"
#include "control/control_int.h"

enum { OWNERS_BYTES_MAX = 16 << 20 };

/* The longest window that a version in memory asks for; 0: none does. */
static int64_t window_ms(const struct control *control, uint32_t slot)
{
  const struct place *place = &control->place;
  int64_t most_ms = 0;
  if (slot >= place->models_cap) return 0;
  const struct link *head = &place->models[slot];
  for (struct link *link = head->next; link != head; link = link->next) {
    const struct placed *placed = LIST_OF(link, struct placed, link);
    if (placed->state == PLACED_READY && placed->load.feedback_ms > most_ms)
      most_ms = placed->load.feedback_ms;
  }
  return most_ms;
}

void predictions_want(struct control *control)
{
  bool any = false;
  struct link *all = &control->runs.all;
  for (struct link *link = all->next; link != all; link = link->next)
    any = any || run_remembers(LIST_OF(link, struct run, link));
  for (uint32_t i = 0; i < control->place.models_cap && !any; i++) any = window_ms(control, i) > 0;
  pulse_remember(&control->pulse, any);
}

/* Shorter than what a running release needs it is not; 0: the store's own. */
static int64_t keep_ms(const struct control *control, const struct catalog_model *model)
{
  const struct run *run = run_of(&control->runs, model);
  int64_t window = window_ms(control, model->slot);
  int64_t release = run && run_remembers(run) ? run_keep_ms(run) : 0;
  return window > release ? window : release;
}

/* Owners of the rows, each once. Rows of a model mostly follow each other. */
static uint32_t owners_find(const struct control *control, const struct prediction *rows,
                            uint32_t n, struct arena *arena, struct prediction_owner **owners)
{
  uint32_t n_owners = 0, cap = 8;
  *owners = arena_zero(arena, cap, sizeof **owners);
  for (uint32_t i = 0; i < n; i++) {
    uint32_t k = n_owners, slot = rows[i].model;
    while (k && (*owners)[k - 1].slot != slot) k--;
    if (k || slot >= control->catalog->n_models) continue;
    if (n_owners == cap) {
      *owners = arena_grow(arena, *owners, cap * sizeof **owners, 2 * cap * sizeof **owners);
      cap *= 2;
    }
    const struct catalog_model *model = control->catalog->models[slot];
    must(*owners); /* names live as long as the catalog does, which outlives the scribe */
    (*owners)[n_owners++] = (struct prediction_owner){.slot = slot,
                                                      .tenant = model->tenant->name,
                                                      .model = model->name,
                                                      .keep_ms = keep_ms(control, model)};
  }
  return n_owners;
}

void predictions_send(struct control *control, struct tally *tally)
{
  if (!tally || !tally->n_predictions) return;
  struct letter_predictions *letter = grab_zero(1, sizeof *letter);
  struct prediction_owner *owners;
  letter->mail.kind = LETTER_PREDICTIONS;
  letter->home = &control->box;
  letter->rows = tally->predictions;
  letter->n_rows = tally->n_predictions;
  letter->inputs = tally->inputs;
  letter->n_inputs = tally->n_inputs;
  tally->predictions = NULL;
  tally->inputs = NULL;
  arena_init(&letter->arena, OWNERS_BYTES_MAX, NULL);
  letter->n_owners =
      owners_find(control, letter->rows, letter->n_rows, &letter->arena, &owners);
  letter->owners = owners;
  control->predictions_out++;
  mail_send(control->post->scribe, &letter->mail);
}

void predictions_handed(struct control *control, int64_t began_us)
{
  control->handed_ms = control->wall_ms - (control->now_us - began_us) / 1000;
  if (!control->predictions_out) control->written_ms = control->handed_ms;
}

void predictions_home(struct control *control, struct letter_predictions *letter)
{
  if (--control->predictions_out == 0) control->written_ms = control->handed_ms;
  control->predictions_dropped += letter->dropped;
  control->predictions_kept += letter->n_rows - letter->dropped;
  ungrab(letter->rows);
  ungrab(letter->inputs);
  arena_deinit(&letter->arena);
  ungrab(letter);
}
