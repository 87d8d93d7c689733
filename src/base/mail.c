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

/* Letters linked from the newest to the oldest. */
static void mail_push(struct mailbox *box, struct mail *newest, struct mail *oldest)
{
  /* Read before the push: from the push on, an owner that is done may let go of the box. */
  void (*wake)(void *) = box->wake;
  void *wake_arg = box->wake_arg;
  struct mail *top = atomic_load_explicit(&box->top, memory_order_relaxed);
  do {
    oldest->next = top;
  } while (!atomic_compare_exchange_weak_explicit(&box->top, &top, newest, memory_order_release,
                                                  memory_order_relaxed));
  if (!top && wake) wake(wake_arg);
}

void mail_send(struct mailbox *box, struct mail *mail) { mail_push(box, mail, mail); }

void mail_bundle_add(struct mail_bundle *bundle, struct mailbox *box, struct mail *mail)
{
  if (bundle->n && bundle->box != box) mail_bundle_send(bundle);
  if (!bundle->n++) bundle->oldest = mail;
  mail->next = bundle->newest;
  bundle->newest = mail;
  bundle->box = box;
}

void mail_bundle_send(struct mail_bundle *bundle)
{
  struct mail_bundle sent = *bundle;
  *bundle = (struct mail_bundle){0};
  if (sent.n) mail_push(sent.box, sent.newest, sent.oldest);
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
