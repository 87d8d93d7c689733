/* scribe.c - group commit: what waits together is made durable together.
 * Thread: scribe.
 *
 * While one COMMIT waits for the disk the next letters gather, so the group sizes itself: an idle
 * ledger commits each change at once, a busy one commits as many as came during the last fsync.
 * SPDX-License-Identifier: MIT */
#include "store/scribe.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/journal.h"
#include "store/ledger_int.h"
#include "store/snapshot.h"
#include "store/outbox.h"
#include "store/prune.h"

enum {
  GROUP_MAX = 256,
  TOLD_MAX = FEEDBACK_MAX, /* outcomes of one commit, or those of one letter */
  ROWS_AT_ONCE = 128,      /* predictions of one commit: some 2 ms */
  ROWS_WAIT_MAX = 1 << 16, /* past these, what comes is dropped */
  SWEEP_FAILED_US = 10000000,
  SWEEP_ROWS = 512,
  PRUNE_US = 10000000,
  PRUNE_MORE_US = 100000,
};

struct scribe {
  struct mailbox box;
  struct ledger *ledger;
  struct outcomes *outcomes;
  struct letter_snapshot *snapshot; /* to be written */
  struct witness *witness; /* NULL: nobody wants checkpoints */
  struct mail *told, **told_end;                 /* feedback that waits */
  struct letter_predictions *first, **first_end; /* predictions that wait */
  uint32_t rows_wait;
  int64_t sweep_us; /* when to sweep next */
  struct prune prune;
  int64_t prune_us; /* when to look for looks that go */
  bool troubled;    /* the last predictions could not be written, and that was said */
  bool stopped;
};

struct scribe *scribe_new(struct ledger *ledger, struct outcomes *outcomes)
{
  struct scribe *scribe = grab_zero(1, sizeof *scribe);
  mailbox_init_bell(&scribe->box);
  scribe->ledger = ledger;
  scribe->outcomes = outcomes;
  scribe->told_end = &scribe->told;
  scribe->first_end = &scribe->first;
  return scribe;
}

void scribe_witness(struct scribe *scribe, struct witness *witness) { scribe->witness = witness; }

void scribe_free(struct scribe *scribe)
{
  if (!scribe) return;
  mailbox_deinit(&scribe->box);
  ungrab(scribe);
}

struct mailbox *scribe_mailbox(struct scribe *scribe) { return &scribe->box; }

/* An event is not lost for the sake of its messages: those are told from memory then. */
static void notes_said(enum code code, const struct err *why)
{
  if (code) log_event(LOG_WARN, "webhook_not_kept", "reason", why->text, NULL);
}

/* Into the group that is open. Rows without their events are looks all the same; events without
 * their rows would be verdicts that nobody can judge again. */
static enum code letter_add(struct ledger *ledger, struct letter_append *letter)
{
  struct err *err = &letter->err, why = {.code = OK};
  if (letter->n_rows && journal_add(ledger, letter->rows, letter->n_rows, err)) return err->code;
  if (!letter->n_events) return OK;
  if (ledger_group_add(ledger, append_events(letter), letter->n_events, err)) return err->code;
  notes_said(outbox_add(ledger, letter->notes, letter->n_notes, &why), &why);
  return OK;
}

/* The same in a group of their own. */
static void notes_append(struct ledger *ledger, const struct letter_append *letter)
{
  struct err why = {.code = OK};
  if (!letter->n_notes) return;
  if (ledger_group_begin(ledger, &why) == OK) {
    struct err late = {.code = OK};
    enum code code = outbox_add(ledger, letter->notes, letter->n_notes, &why);
    if (ledger_group_commit(ledger, &late) != OK && code == OK) why = late;
  }
  notes_said(why.code, &why);
}

static enum code rows_append(struct ledger *ledger, struct letter_append *letter, struct err *err)
{
  if (!letter->n_rows) return OK;
  if (ledger_group_begin(ledger, err)) return err->code;
  enum code code = journal_add(ledger, letter->rows, letter->n_rows, err);
  struct err late = {0};
  if (ledger_group_commit(ledger, &late) == OK || code) return code;
  *err = late;
  return err->code;
}

/* Each by itself: after a group failed as a whole, so that the small ones still get in. */
static void append_singly(struct ledger *ledger, struct letter_append **group, uint32_t n)
{
  for (uint32_t i = 0; i < n; i++) {
    struct err err = {0};
    err.code = rows_append(ledger, group[i], &err);
    if (err.code == OK && group[i]->n_events)
      err.code = ledger_append(ledger, append_events(group[i]), group[i]->n_events, &err);
    if (err.code == OK) notes_append(ledger, group[i]);
    group[i]->err = err;
  }
}

static void group_write(struct ledger *ledger, struct letter_append **group, uint32_t n)
{
  struct err err = {0};
  bool full = false;
  for (uint32_t i = 0; i < n; i++) group[i]->err = (struct err){0};
  if (ledger_group_begin(ledger, &err) == OK) {
    for (uint32_t i = 0; i < n; i++) {
      struct letter_append *letter = group[i];
      letter->err.code = letter_add(ledger, letter);
      full = full || letter->err.code == E_STORAGE_FULL;
    }
    if (ledger_group_commit(ledger, &err) == OK && !full) return;
    /* Committed although some found the disk full: only those are tried again. */
    if (err.code == OK) {
      uint32_t again = 0;
      for (uint32_t i = 0; i < n; i++)
        if (group[i]->err.code == E_STORAGE_FULL) group[again++] = group[i];
      n = again;
    }
  }
  append_singly(ledger, group, n);
}

static void group_home(struct letter_append **group, uint32_t n)
{
  for (uint32_t i = 0; i < n; i++) {
    struct letter_append *letter = group[i];
    letter->mail.kind = LETTER_APPEND_HOME;
    mail_send(letter->home, &letter->mail);
  }
}

/* --- feedback --------------------------------------------------------------------------------- */

static void feedback_home(struct letter_feedback **group, uint32_t n, const struct err *all)
{
  for (uint32_t i = 0; i < n; i++) {
    struct letter_feedback *letter = group[i];
    if (letter->err.code == OK && all->code != OK) letter->err = *all;
    letter->mail.kind = LETTER_FEEDBACK_HOME;
    mail_send(letter->home, &letter->mail);
  }
}

/* The next group of what waits: letters whole, one at least. */
static uint32_t feedback_take(struct scribe *scribe, struct letter_feedback *group[GROUP_MAX])
{
  uint32_t n = 0, items = 0;
  while (scribe->told && n < GROUP_MAX) {
    struct letter_feedback *letter = LETTER_OF(scribe->told, struct letter_feedback);
    items += letter->n_items;
    if (n && items > TOLD_MAX) break;
    scribe->told = scribe->told->next;
    letter->err = (struct err){.code = OK};
    group[n++] = letter;
  }
  if (!scribe->told) scribe->told_end = &scribe->told;
  return n;
}

static void feedback_write(struct scribe *scribe)
{
  struct letter_feedback *group[GROUP_MAX];
  struct err err = {.code = OK};
  uint32_t n = feedback_take(scribe, group);
  if (!n) return;
  if (!scribe->outcomes) {
    fail(&err, E_UNAVAILABLE, "outcomes are not kept here");
  } else if (outcomes_group_begin(scribe->outcomes, &err) == OK) {
    for (uint32_t i = 0; i < n; i++) {
      struct letter_feedback *of = group[i];
      of->err.code = outcomes_told(scribe->outcomes, of->tenant, of->items, of->n_items,
                                   of->now_ms, &of->bad, &of->err);
    }
    if (outcomes_group_end(scribe->outcomes, &err) == OK) err.code = OK;
  }
  feedback_home(group, n, &err);
}

/* --- predictions ------------------------------------------------------------------------------ */

static void predictions_come(struct scribe *scribe, struct letter_predictions *letter)
{
  letter->done = letter->dropped = 0;
  letter->behind = NULL;
  if (!scribe->outcomes || scribe->rows_wait + letter->n_rows > ROWS_WAIT_MAX)
    letter->dropped = letter->done = letter->n_rows;
  scribe->rows_wait += letter->n_rows - letter->done;
  *scribe->first_end = letter;
  scribe->first_end = &letter->behind;
}

static const struct prediction_owner *owner_of(const struct letter_predictions *letter,
                                               uint32_t slot)
{
  for (uint32_t i = 0; i < letter->n_owners; i++)
    if (letter->owners[i].slot == slot) return &letter->owners[i];
  return NULL;
}

/* Rows from `done` on that are of one model, in one transaction. */
static void predictions_some(struct scribe *scribe, struct letter_predictions *letter)
{
  const struct prediction *rows = letter->rows + letter->done;
  uint32_t n = 1, left = letter->n_rows - letter->done, dropped;
  struct err err = {.code = OK};
  while (n < left && n < ROWS_AT_ONCE && rows[n].model == rows->model) n++;
  const struct prediction_owner *owner = owner_of(letter, rows->model);
  dropped = n;
  if (owner && outcomes_predicted(scribe->outcomes, owner, rows, n, &dropped, &err) != OK &&
      !scribe->troubled)
    log_event(LOG_WARN, "predictions_dropped", "reason", err.text, NULL);
  scribe->troubled = err.code != OK;
  letter->dropped += dropped;
  letter->done += n;
  scribe->rows_wait -= n;
}

/* All rows of the letter are written: what some were made of follows. */
static void inputs_write(struct scribe *scribe, const struct letter_predictions *letter)
{
  struct err ignored; /* a sample less */
  for (uint32_t i = 0; letter->n_inputs && scribe->outcomes && i < letter->n_owners; i++)
    if (outcomes_sampled(scribe->outcomes, &letter->owners[i], letter->rows, letter->inputs,
                         letter->n_inputs, &ignored) != OK)
      return;
}

/* A part of what waits, then home with what is done. */
static void predictions_write(struct scribe *scribe)
{
  struct letter_predictions *letter = scribe->first;
  if (letter && letter->done < letter->n_rows) predictions_some(scribe, letter);
  while ((letter = scribe->first) && letter->done == letter->n_rows) {
    if (letter->dropped < letter->n_rows) inputs_write(scribe, letter);
    scribe->first = letter->behind;
    if (!scribe->first) scribe->first_end = &scribe->first;
    letter->mail.kind = LETTER_PREDICTIONS_HOME;
    mail_send(letter->home, &letter->mail);
  }
}

static bool idle(const struct scribe *scribe) { return !scribe->told && !scribe->first; }

/* In doubt it is there. */
static bool tenant_gone(void *arg, struct slice tenant)
{
  const struct scribe *scribe = arg;
  struct err ignored;
  bool gone;
  return ledger_tenant_gone(scribe->ledger, tenant, &gone, &ignored) == OK && gone;
}

static void outcomes_clean(struct scribe *scribe)
{
  struct err err = {.code = OK};
  uint32_t gone;
  int64_t now_us = clock_us();
  if (!scribe->outcomes) return;
  outcomes_ask_gone(scribe->outcomes, tenant_gone, scribe);
  if (now_us >= scribe->sweep_us) {
    enum code code = outcomes_sweep(scribe->outcomes, clock_wall_ms(), SWEEP_ROWS, &gone, &err);
    scribe->sweep_us = now_us + (code ? SWEEP_FAILED_US : outcomes_sweep_rest_us(scribe->outcomes));
  }
  outcomes_tidy(scribe->outcomes, !idle(scribe) || !mailbox_empty(&scribe->box));
}

static void looks_prune(struct scribe *scribe)
{
  struct err err = {.code = OK};
  int64_t now_us = clock_us();
  bool more = false;
  if (!scribe->prune.releases || now_us < scribe->prune_us) return;
  if (prune_step(&scribe->prune, scribe->ledger, clock_wall_ms(), SWEEP_ROWS, &more, &err) != OK)
    log_event(LOG_WARN, "looks_not_pruned", "reason", err.text, NULL);
  scribe->prune_us = now_us + (more ? PRUNE_MORE_US : PRUNE_US);
}

void scribe_keep_looks(struct scribe *scribe, uint32_t releases, int64_t keep_ms)
{
  scribe->prune.releases = releases;
  scribe->prune.keep_ms = keep_ms;
}

/* --- messages that are owed no more ----------------------------------------------------------- */

static void told_write(struct ledger *ledger, struct letter_notify **told, uint32_t n)
{
  struct slice ids[GROUP_MAX];
  struct err why;
  for (uint32_t i = 0; i < n; i++) ids[i] = told[i]->id;
  if (outbox_drop(ledger, ids, n, &why) != OK) /* they are told again after a restart */
    log_event(LOG_WARN, "webhook_kept", "reason", why.text, NULL);
  for (uint32_t i = 0; i < n; i++) {
    told[i]->mail.kind = LETTER_TOLD_HOME;
    mail_send(told[i]->home, &told[i]->mail);
  }
}

/* After the changes of its turn: nobody waits for it. */
static void snapshot_write(struct scribe *scribe)
{
  struct letter_snapshot *letter = scribe->snapshot;
  if (!letter) return;
  scribe->snapshot = NULL;
  letter->err = (struct err){.code = OK};
  letter->err.code = snapshot_keep(ledger_dir(scribe->ledger), scribe->ledger, letter->form,
                                   letter->seq, blob_lend(letter->bytes), &letter->err);
  letter->mail.kind = LETTER_SNAPSHOT_HOME;
  mail_send(letter->home, &letter->mail);
}

/* --- turns ------------------------------------------------------------------------------------ */

/* Writes all changes of a batch of mail, GROUP_MAX to a commit; the rest waits its turn. */
static void mail_write(struct scribe *scribe, struct mail *mail)
{
  struct letter_append *group[GROUP_MAX], *home[GROUP_MAX];
  struct letter_notify *told[GROUP_MAX];
  uint32_t n = 0, n_told = 0;
  while (mail) {
    struct mail *next = mail->next;
    switch (mail->kind) {
      case LETTER_STOP: scribe->stopped = true; break;
      case LETTER_APPEND: group[n++] = LETTER_OF(mail, struct letter_append); break;
      case LETTER_SNAPSHOT:
        mail->next = NULL;
        scribe->snapshot = LETTER_OF(mail, struct letter_snapshot);
        break;
      case LETTER_PREDICTIONS:
        predictions_come(scribe, LETTER_OF(mail, struct letter_predictions));
        break;
      case LETTER_TOLD: told[n_told++] = LETTER_OF(mail, struct letter_notify); break;
      case LETTER_FEEDBACK:
        mail->next = NULL;
        *scribe->told_end = mail;
        scribe->told_end = &mail->next;
        break;
      default: must(!"a letter that the scribe does not take");
    }
    if (n == GROUP_MAX || (n && !next)) {
      memcpy(home, group, n * sizeof *group); /* group_write sorts its own */
      group_write(scribe->ledger, group, n);
      group_home(home, n);
      ledger_tidy(scribe->ledger);
      n = 0;
    }
    if (n_told == GROUP_MAX || (n_told && !next)) { /* after the events they were written with */
      told_write(scribe->ledger, told, n_told);
      n_told = 0;
    }
    mail = next;
  }
  feedback_write(scribe);
  predictions_write(scribe);
  outcomes_clean(scribe);
  snapshot_write(scribe);
  witness_turn(scribe->witness, clock_us(), clock_wall_ms());
  looks_prune(scribe);
}

bool scribe_turn(struct scribe *scribe)
{
  mail_write(scribe, mailbox_take(&scribe->box));
  return !scribe->stopped;
}

void scribe_main(void *arg)
{
  struct scribe *scribe = arg;
  while (!scribe->stopped || !idle(scribe)) {
    int64_t until_us = scribe->outcomes ? scribe->sweep_us : INT64_MAX;
    int64_t due_us = witness_due_us(scribe->witness);
    if (due_us < until_us) until_us = due_us;
    if (scribe->prune.releases && scribe->prune_us < until_us) until_us = scribe->prune_us;
    mail_write(scribe, idle(scribe) ? mailbox_wait(&scribe->box, until_us)
                                    : mailbox_take(&scribe->box));
  }
}
