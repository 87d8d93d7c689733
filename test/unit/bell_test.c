/* bell_test.c - who rings is heard, once for all that rang, and ends a wait.
 * SPDX-License-Identifier: MIT */
#include "net/bell.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/mail.h"
#include "base/thread.h"
#include "test.h"

enum { LETTERS = 20000, SENDERS = 3 };

TEST(rings_are_heard_once_until_the_next)
{
  struct bell bell;
  bell_init(&bell);
  EXPECT(!bell_wait(&bell, 0));
  bell_ring(&bell);
  bell_ring(&bell);
  EXPECT(bell_wait(&bell, 0) && bell_wait(&bell, 0)); /* a wait leaves it to be heard */
  bell_heard(&bell);
  EXPECT(!bell_wait(&bell, 0));
  bell_ring(&bell);
  EXPECT(bell_wait(&bell, 0));
  bell_deinit(&bell);
}

TEST(a_wait_for_nobody_takes_as_long_as_it_was_to)
{
  struct bell bell;
  bell_init(&bell);
  int64_t began_us = clock_us();
  EXPECT(!bell_wait(&bell, 3000));
  EXPECT(clock_us() - began_us >= 3000);
  bell_deinit(&bell);
}

static void ring_later(void *arg)
{
  usleep(20000);
  bell_ring(arg);
}

TEST(a_ring_ends_a_wait)
{
  struct bell bell;
  struct thread thread;
  bell_init(&bell);
  int64_t began_us = clock_us();
  thread_start(&thread, "ringer", 128 << 10, ring_later, &bell);
  EXPECT(bell_wait(&bell, 60000000));
  EXPECT(clock_us() - began_us < 30000000);
  thread_join(&thread);
  bell_deinit(&bell);
}

struct sender {
  struct thread thread;
  struct mailbox *box;
  struct mail letters[LETTERS];
};

static void wake(void *bell) { bell_ring(bell); }

static void letters_send(void *arg)
{
  struct sender *sender = arg;
  for (int i = 0; i < LETTERS; i++) mail_send(sender->box, &sender->letters[i]);
}

/* The loop's own order: wait, hear, take. A letter that rang nothing and was not taken would leave
 * the box full and everybody silent. */
TEST(no_letter_is_left_behind_by_who_hears_first_and_takes_then)
{
  static struct sender senders[SENDERS];
  struct bell bell;
  struct mailbox box;
  int taken = 0;
  bell_init(&bell);
  mailbox_init(&box, wake, &bell);
  for (int i = 0; i < SENDERS; i++) {
    senders[i].box = &box;
    thread_start(&senders[i].thread, "sender", 128 << 10, letters_send, &senders[i]);
  }
  while (taken < SENDERS * LETTERS) {
    if (!bell_wait(&bell, 10000000)) break;
    bell_heard(&bell);
    for (struct mail *mail = mailbox_take(&box); mail; mail = mail->next) taken++;
  }
  EXPECT_INT(taken, SENDERS * LETTERS);
  for (int i = 0; i < SENDERS; i++) thread_join(&senders[i].thread);
  mailbox_deinit(&box);
  bell_deinit(&bell);
}
