/* mail.c - a many-to-one mailbox.
 * Thread: any may send, the owner takes.
 * Push is the classic lock-free stack; because take empties the whole box at once, the ABA problem
 * cannot arise.
 * SPDX-License-Identifier: MIT */
#include "base/mail.h"

#include <errno.h>
#include <stddef.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"

static void bell_ring(void *arg)
{
  struct mailbox *box = arg;
  sem_post(&box->bell);
}

void mailbox_init(struct mailbox *box, void (*wake)(void *), void *wake_arg)
{
  atomic_init(&box->top, NULL);
  box->wake = wake;
  box->wake_arg = wake_arg;
  must(sem_init(&box->bell, 0, 0) == 0);
}

void mailbox_init_bell(struct mailbox *box) { mailbox_init(box, bell_ring, box); }

void mailbox_deinit(struct mailbox *box) { sem_destroy(&box->bell); }

void mail_send(struct mailbox *box, struct mail *mail)
{
  /* Read before the push: from the push on, an owner that is done may let go of the box. */
  void (*wake)(void *) = box->wake;
  void *wake_arg = box->wake_arg;
  struct mail *top = atomic_load_explicit(&box->top, memory_order_relaxed);
  do {
    mail->next = top;
  } while (!atomic_compare_exchange_weak_explicit(&box->top, &top, mail, memory_order_release,
                                                  memory_order_relaxed));
  if (!top && wake) wake(wake_arg);
}

struct mail *mailbox_take(struct mailbox *box)
{
  struct mail *mail = atomic_exchange_explicit(&box->top, NULL, memory_order_acquire);
  struct mail *oldest = NULL;
  while (mail) {
    struct mail *next = mail->next;
    mail->next = oldest;
    oldest = mail;
    mail = next;
  }
  return oldest;
}

bool mailbox_empty(struct mailbox *box)
{
  return atomic_load_explicit(&box->top, memory_order_relaxed) == NULL;
}

struct mail *mailbox_wait(struct mailbox *box, int64_t deadline_us)
{
  must(box->wake == bell_ring);
  for (;;) {
    struct mail *mail = mailbox_take(box);
    if (mail) return mail;
    int rc;
    if (deadline_us == INT64_MAX) {
      rc = sem_wait(&box->bell);
    } else {
      struct timespec until = {.tv_sec = (time_t)(deadline_us / 1000000),
                               .tv_nsec = (long)(deadline_us % 1000000) * 1000};
      rc = sem_clockwait(&box->bell, CLOCK_MONOTONIC, &until);
    }
    if (rc != 0 && errno == ETIMEDOUT) return mailbox_take(box);
    must(rc == 0 || errno == EINTR);
  }
}
