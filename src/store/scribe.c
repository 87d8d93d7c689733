/* scribe.c - group commit: what waits together is made durable together.
 * Thread: scribe.
 *
 * While one COMMIT waits for the disk the next letters gather, so the group sizes itself: an idle
 * ledger commits each change at once, a busy one commits as many as came during the last fsync.
 * SPDX-License-Identifier: MIT */
#include "store/scribe.h"

#include "base/mem.h"
#include "store/journal.h"

enum { GROUP_MAX = 256 };

struct scribe {
  struct mailbox box;
  struct ledger *ledger;
  bool stopped;
};

struct scribe *scribe_new(struct ledger *ledger)
{
  struct scribe *scribe = grab_zero(1, sizeof *scribe);
  mailbox_init_bell(&scribe->box);
  scribe->ledger = ledger;
  return scribe;
}

void scribe_free(struct scribe *scribe)
{
  if (!scribe) return;
  mailbox_deinit(&scribe->box);
  ungrab(scribe);
}

struct mailbox *scribe_mailbox(struct scribe *scribe) { return &scribe->box; }

/* Into the group that is open. Rows without their events are looks all the same; events without
 * their rows would be verdicts that nobody can judge again. */
static enum code letter_add(struct ledger *ledger, struct letter_append *letter)
{
  struct err *err = &letter->err;
  if (letter->n_rows && journal_add(ledger, letter->rows, letter->n_rows, err)) return err->code;
  return letter->n_events ? ledger_group_add(ledger, letter->events, letter->n_events, err) : OK;
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
      err.code = ledger_append(ledger, group[i]->events, group[i]->n_events, &err);
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

/* Writes all letters of a batch of mail, GROUP_MAX to a commit. */
static void mail_write(struct scribe *scribe, struct mail *mail)
{
  struct letter_append *group[GROUP_MAX], *home[GROUP_MAX];
  uint32_t n = 0;
  while (mail) {
    struct mail *next = mail->next;
    if (mail->kind == LETTER_STOP)
      scribe->stopped = true;
    else {
      must(mail->kind == LETTER_APPEND);
      group[n++] = LETTER_OF(mail, struct letter_append);
    }
    if (n == GROUP_MAX || (n && !next)) {
      memcpy(home, group, n * sizeof *group); /* group_write sorts its own */
      group_write(scribe->ledger, group, n);
      group_home(home, n);
      ledger_tidy(scribe->ledger);
      n = 0;
    }
    mail = next;
  }
}

bool scribe_turn(struct scribe *scribe)
{
  mail_write(scribe, mailbox_take(&scribe->box));
  return !scribe->stopped;
}

void scribe_main(void *arg)
{
  struct scribe *scribe = arg;
  while (!scribe->stopped) mail_write(scribe, mailbox_wait(&scribe->box, INT64_MAX));
}
