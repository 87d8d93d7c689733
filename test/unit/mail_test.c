/* mail_test.c - letters arrive once, in each sender's order, and wake who sleeps.
 * SPDX-License-Identifier: MIT */
#include "base/mail.h"

#include "base/clock.h"
#include "base/thread.h"
#include "test.h"

struct letter {
  struct mail mail;
  int from, number;
};

static int wakes;
static void wake(void *arg) { *(int *)arg += 1; }

TEST(letters_come_out_oldest_first_and_wake_once)
{
  struct mailbox box;
  struct letter letters[3] = {{.number = 1}, {.number = 2}, {.number = 3}};
  mailbox_init(&box, wake, &wakes);
  EXPECT(mailbox_empty(&box) && !mailbox_take(&box));
  for (int i = 0; i < 3; i++) mail_send(&box, &letters[i].mail);
  EXPECT(!mailbox_empty(&box));
  EXPECT_INT(wakes, 1);
  struct mail *mail = mailbox_take(&box);
  for (int i = 1; i <= 3; i++, mail = mail->next)
    EXPECT_INT(LETTER_OF(mail, struct letter)->number, i);
  EXPECT(!mail && mailbox_empty(&box));
  mail_send(&box, &letters[0].mail);
  EXPECT_INT(wakes, 2);
  mailbox_deinit(&box);
}

TEST(a_bundle_wakes_each_owner_once_and_keeps_the_order)
{
  struct mailbox boxes[2];
  struct letter letters[6] = {{.number = 1}, {.number = 2}, {.number = 3},
                              {.number = 4}, {.number = 5}, {.number = 6}};
  struct mail_bundle bundle = {0};
  int rung[2] = {0, 0};
  for (int i = 0; i < 2; i++) mailbox_init(&boxes[i], wake, &rung[i]);
  mail_bundle_send(&bundle); /* of none */
  mail_send(&boxes[0], &letters[0].mail);
  EXPECT(mailbox_take(&boxes[0]) == &letters[0].mail);
  for (int i = 0; i < 3; i++) mail_bundle_add(&bundle, &boxes[0], &letters[i].mail);
  EXPECT(mailbox_empty(&boxes[0]) && bundle.n == 3);
  mail_bundle_add(&bundle, &boxes[1], &letters[3].mail); /* sends what was for the other */
  EXPECT(!mailbox_empty(&boxes[0]) && mailbox_empty(&boxes[1]) && bundle.n == 1);
  mail_bundle_send(&bundle);
  EXPECT(bundle.n == 0);
  EXPECT_INT(rung[0], 2);
  EXPECT_INT(rung[1], 1);
  for (int i = 4; i < 6; i++) mail_bundle_add(&bundle, &boxes[0], &letters[i].mail);
  mail_bundle_send(&bundle); /* behind those that nobody has taken yet */
  EXPECT_INT(rung[0], 2);
  const int expected[2][6] = {{1, 2, 3, 5, 6, 0}, {4, 0}};
  for (int b = 0; b < 2; b++) {
    const int *number = expected[b];
    for (struct mail *mail = mailbox_take(&boxes[b]); mail; mail = mail->next)
      EXPECT_INT(LETTER_OF(mail, struct letter)->number, *number++);
    EXPECT_INT(*number, 0);
    mailbox_deinit(&boxes[b]);
  }
}

TEST(waiting_ends_at_the_deadline)
{
  struct mailbox box;
  mailbox_init_bell(&box);
  int64_t began = clock_us();
  EXPECT(!mailbox_wait(&box, began + 20000));
  EXPECT(clock_us() - began >= 20000);
  EXPECT(!mailbox_wait(&box, began)); /* past already */
  struct letter letter = {.number = 1};
  mail_send(&box, &letter.mail);
  EXPECT(mailbox_wait(&box, INT64_MAX) == &letter.mail);
  mailbox_deinit(&box);
}

TEST(an_old_ring_of_the_bell_is_no_letter)
{
  struct mailbox box;
  struct letter letter = {.number = 1};
  mailbox_init_bell(&box);
  mail_send(&box, &letter.mail);
  EXPECT(mailbox_take(&box) == &letter.mail); /* taken without waiting: the bell still rings */
  EXPECT(!mailbox_wait(&box, clock_us() + 1000));
  mailbox_deinit(&box);
}

TEST(only_an_owner_with_a_bell_may_wait)
{
  struct mailbox box;
  mailbox_init(&box, wake, &wakes);
  EXPECT_CRASH(mailbox_wait(&box, 0));
  mailbox_deinit(&box);
}

enum { SENDERS = 4, LETTERS = 20000 };
struct sender {
  struct thread thread;
  struct mailbox *box, home;
  int number;
};

/* Each letter is sent, comes home, and is sent again with the next number. */
static void sender_main(void *arg)
{
  struct sender *sender = arg;
  struct letter letters[8];
  int next = 0, home = 0;
  for (int i = 0; i < 8; i++) {
    letters[i] = (struct letter){.from = sender->number, .number = next++};
    mail_send(sender->box, &letters[i].mail);
  }
  while (home < LETTERS) {
    struct mail *mail = mailbox_wait(&sender->home, INT64_MAX), *following;
    for (; mail; mail = following) {
      following = mail->next;
      home++;
      if (next == LETTERS) continue;
      LETTER_OF(mail, struct letter)->number = next++;
      mail_send(sender->box, mail);
    }
  }
}

TEST(a_storm_keeps_every_senders_order)
{
  struct mailbox box;
  static struct sender senders[SENDERS];
  int expected[SENDERS] = {0}, got = 0, wrong = 0;
  mailbox_init_bell(&box);
  for (int i = 0; i < SENDERS; i++) {
    senders[i].box = &box;
    senders[i].number = i;
    mailbox_init_bell(&senders[i].home);
    thread_start(&senders[i].thread, "sender", THREAD_STACK_PARSER, sender_main, &senders[i]);
  }
  while (got < SENDERS * LETTERS) {
    struct mail *mail = mailbox_wait(&box, INT64_MAX), *following;
    for (; mail; mail = following, got++) {
      following = mail->next;
      struct letter *letter = LETTER_OF(mail, struct letter);
      wrong += letter->number != expected[letter->from]++;
      mail_send(&senders[letter->from].home, mail);
    }
  }
  for (int i = 0; i < SENDERS; i++) {
    thread_join(&senders[i].thread);
    mailbox_deinit(&senders[i].home);
    EXPECT_INT(expected[i], LETTERS);
  }
  EXPECT_INT(wrong, 0);
  EXPECT(mailbox_empty(&box));
  mailbox_deinit(&box);
}
