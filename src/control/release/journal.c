/* journal.c - looks to the scribe every few seconds, and back into the judge after a restart.
 * Thread: control.
 *
 * Rows gather in one arena while those before them are with the scribe, so their order is never
 * changed: what came home unwritten goes out again first. Looks that a crash took were judged and
 * are forgotten; the next one after it has their number.
 * SPDX-License-Identifier: MIT */
#include "base/log.h"
#include "base/mem.h"
#include "control/control_int.h"
#include "judge/evidence.h"

enum { JOURNAL_BYTES_MAX = 32 << 20, FLUSH_US = 3000000 };

void journal_init(struct journal *journal)
{
  *journal = (struct journal){0};
  arena_init(&journal->arena, JOURNAL_BYTES_MAX, NULL);
}

void journal_deinit(struct journal *journal)
{
  arena_deinit(&journal->arena);
  if (journal->out || journal->unwritten) arena_deinit(&journal->letter.arena);
  ungrab(journal->rows);
}

static void row_lost(struct control *control, const struct run *run)
{
  if (control->runs.journal.lost++) return;
  log_event(LOG_ERROR, "looks_lost", "tenant", log_slice(run->model->tenant->name), "model",
            log_slice(run->model->name), "release",
            log_num(run->number), "reason", "the ledger has not been written for too long", NULL);
}

void journal_look(struct control *control, struct run *run, const struct look *look)
{
  static unsigned char bytes[PLAN_TEXT_MAX + BASELINE_BYTES_MAX + EVIDENCE_RECORD_MAX + 64];
  struct journal *journal = &control->runs.journal;
  struct varint_out out = {.at = bytes, .cap = sizeof bytes};
  if (run->row & ROW_PLAN) evidence_plan(run->model->release->plan, &out);
  if (run->row & ROW_STEP) evidence_step(run->trial.step, &run->trial.baseline, &out);
  evidence_look(look, &out);
  must(!out.full);
  run->row = 0;
  struct slice copy = arena_copy(&journal->arena, slice_of((const char *)bytes, out.len));
  if (!copy.at) {
    row_lost(control, run);
    return;
  }
  if (journal->n_rows == journal->cap) {
    journal->cap = journal->cap ? 2 * journal->cap : 64;
    journal->rows = grab_more(journal->rows, journal->cap * sizeof *journal->rows);
  }
  journal->rows[journal->n_rows++] = (struct journal_row){.tenant = run->model->tenant->name,
                                                          .model = run->model->name,
                                                          .release = run->number,
                                                          .look = look->number,
                                                          .bytes = copy};
}

static void journal_send(struct control *control)
{
  struct journal *journal = &control->runs.journal;
  struct letter_append *letter = &journal->letter;
  letter->mail = (struct mail){.kind = LETTER_APPEND};
  letter->home = &control->box;
  letter->err = (struct err){0};
  letter->control_state = journal;
  journal->out = true;
  journal->unwritten = false;
  mail_send(control->post->scribe, &letter->mail);
}

void journal_flush(struct control *control)
{
  struct journal *journal = &control->runs.journal;
  if (journal->out) return;
  if (journal->unwritten) {
    journal_send(control);
    return;
  }
  if (!journal->n_rows || control->now_us - journal->flushed_us < FLUSH_US) return;
  journal_now(control);
}

void journal_now(struct control *control)
{
  struct journal *journal = &control->runs.journal;
  if (!journal->out && journal->unwritten) journal_send(control);
  journal->hurry = journal->out && journal->n_rows;
  if (journal->out || !journal->n_rows) return;
  struct journal_row *rows = arena_zero(&journal->arena, journal->n_rows, sizeof *rows);
  if (!rows) { /* full to the brim: the rows are the letter's as they lie */
    row_lost(control, LIST_OF(control->runs.all.next, struct run, link));
    arena_reset(&journal->arena);
    journal->n_rows = 0;
    return;
  }
  memcpy(rows, journal->rows, journal->n_rows * sizeof *rows);
  journal->letter =
      (struct letter_append){.arena = journal->arena, .rows = rows, .n_rows = journal->n_rows};
  arena_init(&journal->arena, JOURNAL_BYTES_MAX, NULL);
  journal->n_rows = 0;
  journal->flushed_us = control->now_us;
  journal_send(control);
}

void journal_home(struct control *control, struct letter_append *letter)
{
  struct journal *journal = &control->runs.journal;
  must(letter == &journal->letter && journal->out);
  journal->out = false;
  journal->unwritten = letter->err.code != OK;
  if (journal->unwritten) return;
  arena_deinit(&letter->arena);
  if (journal->hurry || control->stopping) journal_now(control);
}

/* --- after a restart -------------------------------------------------------------------------- */

enum code run_replay(struct control *control, const struct journal_row *row, struct err *err)
{
  struct catalog_tenant *tenant = catalog_tenant(control->catalog, row->tenant);
  struct catalog_model *model = tenant ? catalog_model(tenant, row->model) : NULL;
  struct look *look = &control->runs.look;
  struct slice bytes = row->bytes;
  struct arena scratch;
  struct replay replay;
  bool judged;
  if (!model || !release_is_on(model) || model->release->number != row->release) return OK;
  struct run *run = run_of(&control->runs, model);
  if (!run) run = run_start(control, model);
  if (run->torn) return OK;
  arena_init(&scratch, PLAN_ARENA_BYTES, NULL);
  replay_init(&replay, &run->trial, look, &scratch);
  replay.begun = !(run->row & ROW_PLAN);
  replay.stepped = run->stepped;
  while (bytes.len && !run->torn) {
    if (replay_next(&replay, &bytes, &run->verdict, &judged, err)) {
      log_event(LOG_WARN, "looks_unread", "tenant", log_slice(model->tenant->name),
                "model", log_slice(model->name), "release",
                log_num(run->number), "look", log_num((int64_t)row->look), "reason", err->text,
                NULL);
      run->torn = true; /* what follows has lost its beginning */
    } else if (judged) {
      run->looked = true;
      if (look->number >= model->release->looks) run->now.state_ms += look->elapsed_ms;
      run->n_segments = look->n_segments;
    }
  }
  run->stepped = replay.stepped;
  if (replay.begun) run->row &= ~(unsigned)ROW_PLAN;
  arena_deinit(&scratch);
  return OK;
}
