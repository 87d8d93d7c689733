/* scribe_test.c - waiting letters share one fsync, each comes home with its own outcome.
 * Thread: main; one test with the scribe's own.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "base/clock.h"
#include "base/thread.h"
#include "scribe_rig.h"

enum { N = 300 };

static struct letter_append letters[N];

static void letter_fill(struct letter_append *letter, enum event_kind kind)
{
  *letter = (struct letter_append){.mail.kind = LETTER_APPEND, .home = &home, .n_events = 1};
  letter->events[0] = event_made(kind, "m", 1);
}

static int home_count(enum code code)
{
  int n = 0;
  for (struct mail *mail = mailbox_take(&home); mail; mail = mail->next) {
    EXPECT_INT(mail->kind, LETTER_APPEND_HOME);
    n += LETTER_OF(mail, struct letter_append)->err.code == code;
  }
  return n;
}

TEST(waiting_letters_share_one_fsync)
{
  begin();
  for (int i = 0; i < 100; i++) {
    letter_fill(&letters[i], i == 50 ? EVENT_KINDS : EVENT_VERSION_PUSHED);
    mail_send(scribe_mailbox(scribe), &letters[i].mail);
  }
  scribe_turn(scribe); /* the first commit of a WAL also syncs its head */
  EXPECT_INT(home_count(OK), 99);
  EXPECT_INT(letters[50].err.code, E_INVALID_ARGUMENT);
  EXPECT_INT(ledger_last_seq(ledger), 99);
  for (int i = 0; i < 100; i++) {
    letter_fill(&letters[i], EVENT_VERSION_PUSHED);
    mail_send(scribe_mailbox(scribe), &letters[i].mail);
  }
  int before = fault_sync_count;
  EXPECT(scribe_turn(scribe));
  EXPECT_INT(fault_sync_count - before, 1);
  EXPECT_INT(home_count(OK), 100);
  EXPECT_INT(letters[99].events[0].seq, 199);
  end();
}

static int writes_left;
static bool full_after(void) { return writes_left-- <= 0; }
static bool full_while_reserved(void) { return faccessat(dir.fd, "reserve", F_OK, 0) == 0; }

TEST(a_disk_that_fills_up_costs_only_those_who_do_not_fit)
{
  for (int room = 0; room < 60; room += 3) {
    begin();
    for (int i = 0; i < 20; i++) {
      letter_fill(&letters[i], EVENT_VERSION_PUSHED);
      mail_send(scribe_mailbox(scribe), &letters[i].mail);
    }
    writes_left = room;
    fault_is_full = full_after;
    scribe_turn(scribe);
    fault_is_full = NULL;
    int fine = 0, refused = 0;
    for (struct mail *mail = mailbox_take(&home); mail; mail = mail->next) {
      struct letter_append *letter = LETTER_OF(mail, struct letter_append);
      fine += letter->err.code == OK;
      refused += letter->err.code == E_STORAGE_FULL;
      EXPECT((letter->err.code == OK) == (letter->events[0].seq > 0));
    }
    uint64_t bad;
    EXPECT_INT(fine + refused, 20);
    EXPECT_INT(ledger_last_seq(ledger), fine);
    EXPECT_INT(ledger_verify(ledger, &bad, &err), OK);
    end();
  }
}

TEST(on_a_full_disk_rollbacks_pass_and_pushes_wait)
{
  begin();
  letter_fill(&letters[0], EVENT_VERSION_PUSHED);
  letter_fill(&letters[1], EVENT_ROLLED_BACK);
  mail_send(scribe_mailbox(scribe), &letters[0].mail);
  mail_send(scribe_mailbox(scribe), &letters[1].mail);
  fault_is_full = full_while_reserved;
  scribe_turn(scribe);
  fault_is_full = NULL;
  EXPECT_INT(letters[0].err.code, E_STORAGE_FULL);
  EXPECT_INT(letters[1].err.code, OK);
  EXPECT_INT(home_count(OK), 1);
  end();
}

TEST(the_thread_writes_what_came_before_stop)
{
  struct thread thread;
  struct letter_note stop = {.mail.kind = LETTER_STOP};
  begin();
  thread_start(&thread, "scribe", THREAD_STACK_PARSER, scribe_main, scribe);
  for (int i = 0; i < N; i++) {
    letter_fill(&letters[i], EVENT_VERSION_PUSHED);
    mail_send(scribe_mailbox(scribe), &letters[i].mail);
  }
  mail_send(scribe_mailbox(scribe), &stop.mail);
  thread_join(&thread);
  EXPECT_INT(home_count(OK), N);
  EXPECT_INT(ledger_last_seq(ledger), N);
  end();
}

/* --- outcomes --------------------------------------------------------------------------------- */

static int home_count_of(uint32_t kind)
{
  int n = 0;
  for (struct mail *mail = mailbox_take(&home); mail; mail = mail->next) n += mail->kind == kind;
  return n;
}

static struct mail *one_home(void)
{
  struct mail *mail = mailbox_take(&home);
  EXPECT(mail && !mail->next);
  return mail;
}

static struct feedback told(const char *id)
{
  return (struct feedback){.model = SLICE("fraud"),
                           .id = slice_str(id),
                           .outcome = SLICE("1"),
                           .value = 1,
                           .label = 1,
                           .weight = 1,
                           .at_ms = clock_wall_ms()};
}

TEST(predictions_wait_for_changes_and_outcomes_are_durable_when_home)
{
  static struct prediction rows[600];
  struct outcomes *outcomes;
  begin();
  scribe_free(scribe);
  EXPECT_INT(outcomes_open(&outcomes, &dir, "fault", true, &err), OK);
  scribe = scribe_new(ledger, outcomes);
  for (int i = 0; i < 600; i++) {
    rows[i] = (struct prediction){.model = i < 100 ? 4 : 9, .wall_ms = clock_wall_ms()};
    rows[i].id_len = (uint8_t)snprintf(rows[i].id, sizeof rows[i].id, "r-%d", i == 599 ? 0 : i);
  }
  const struct prediction_owner owners[] = {
      {.slot = 9, .tenant = SLICE("default"), .model = SLICE("spam")},
      {.slot = 4, .tenant = SLICE("default"), .model = SLICE("fraud")}};
  struct letter_predictions sent = {.mail.kind = LETTER_PREDICTIONS,
                                    .home = &home,
                                    .rows = rows,
                                    .n_rows = 600,
                                    .owners = owners,
                                    .n_owners = 2};
  mail_send(scribe_mailbox(scribe), &sent.mail);
  scribe_turn(scribe);
  EXPECT(mailbox_empty(&home)); /* a part was written */
  letter_fill(&letters[0], EVENT_VERSION_PUSHED);
  mail_send(scribe_mailbox(scribe), &letters[0].mail);
  scribe_turn(scribe);
  EXPECT(one_home() == &letters[0].mail);
  for (int i = 0; i < 600 && mailbox_empty(&home); i++) scribe_turn(scribe);
  EXPECT(one_home() == &sent.mail);
  EXPECT_INT(sent.mail.kind, LETTER_PREDICTIONS_HOME);
  EXPECT_INT(sent.dropped, 0); /* r-0 is fraud's and spam's: one each */
  struct feedback items[] = {told("r-0"), told("r-99"), told("r-100")};
  struct letter_feedback first = {.mail.kind = LETTER_FEEDBACK,
                                  .home = &home,
                                  .tenant = SLICE("default"),
                                  .items = items,
                                  .n_items = 2,
                                  .now_ms = clock_wall_ms()};
  struct letter_feedback second = first;
  second.items = items + 2;
  second.n_items = 1;
  int before = fault_sync_count;
  mail_send(scribe_mailbox(scribe), &first.mail);
  mail_send(scribe_mailbox(scribe), &second.mail);
  scribe_turn(scribe);
  EXPECT(fault_sync_count > before);
  EXPECT_INT(home_count_of(LETTER_FEEDBACK_HOME), 2);
  EXPECT_INT(items[0].state, FEEDBACK_JOINED);
  EXPECT_INT(items[1].state, FEEDBACK_JOINED);
  EXPECT_INT(items[2].state, FEEDBACK_PENDING); /* that one is spam's */
  items[0].at_ms = 0;
  first.mail.kind = LETTER_FEEDBACK;
  mail_send(scribe_mailbox(scribe), &first.mail);
  scribe_turn(scribe);
  EXPECT(one_home() == &first.mail);
  EXPECT_INT(first.err.code, E_VALUE_OUT_OF_RANGE);
  outcomes_close(outcomes);
  end();
}

TEST(where_outcomes_cannot_be_kept_that_is_said)
{
  begin();
  struct prediction row = {.id = "r", .id_len = 1};
  struct feedback item = told("r");
  struct letter_predictions sent = {
      .mail.kind = LETTER_PREDICTIONS, .home = &home, .rows = &row, .n_rows = 1};
  struct letter_feedback first = {.mail.kind = LETTER_FEEDBACK,
                                  .home = &home,
                                  .tenant = SLICE("default"),
                                  .items = &item,
                                  .n_items = 1};
  mail_send(scribe_mailbox(scribe), &sent.mail);
  mail_send(scribe_mailbox(scribe), &first.mail);
  scribe_turn(scribe);
  EXPECT_INT(sent.dropped, 1);
  EXPECT_INT(first.err.code, E_UNAVAILABLE);
  mailbox_take(&home);
  end();
}
