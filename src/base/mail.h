/* mail.h - how threads talk: letters into mailboxes, nothing else.
 * Thread: any may send; one owner takes.
 *
 * A letter is a struct whose first member is a `struct mail`; the sender gives it away for good, or
 * until it comes home (world/letters.h lists every letter and who may send it). A mailbox is a
 * stack that many push onto with one compare-and-swap and one owner empties with one exchange;
 * taking reverses it, so letters of one sender arrive in the order sent. Nothing is allocated:
 * mailboxes cannot outgrow the pools the letters come from.
 *
 * Waking: only the letter that finds the box empty wakes the owner, so a burst costs one wake-up.
 * An owner that sleeps in epoll is woken through `wake`; one that just waits uses mailbox_wait.
 * SPDX-License-Identifier: MIT */
#ifndef BASE_MAIL_H
#define BASE_MAIL_H

#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct mail {
  struct mail *next;
  uint32_t kind; /* enum letter */
};

struct mailbox {
  _Atomic(struct mail *) top;
  /* any thread; NULL: the owner looks by itself (a lane owned by a loop) */
  void (*wake)(void *arg);
  void *wake_arg;
  sem_t bell; /* for mailbox_wait */
};

void mailbox_init(struct mailbox *box, void (*wake)(void *), void *wake_arg);
void mailbox_init_bell(struct mailbox *box); /* for owners that mailbox_wait */
void mailbox_deinit(struct mailbox *box);

/* After this the letter is not yours. */
void mail_send(struct mailbox *box, struct mail *mail);

/* Letters that go together, for one wake-up even if the owner is waiting: zeroed, it is empty. */
struct mail_bundle {
  struct mailbox *box;
  struct mail *newest, *oldest;
  uint32_t n;
};
/* Adds a letter; what is bundled for another box is sent first. */
void mail_bundle_add(struct mail_bundle *bundle, struct mailbox *box, struct mail *mail);
/* Sends what is in it, in the order added, and empties it. */
void mail_bundle_send(struct mail_bundle *bundle);

/* All letters, oldest first, linked by next; NULL when none. Never waits. */
struct mail *mailbox_take(struct mailbox *box);
/* Like take, but waits for a letter until deadline_us (clock_us; INT64_MAX: for ever). */
struct mail *mailbox_wait(struct mailbox *box, int64_t deadline_us);
bool mailbox_empty(struct mailbox *box);

/* The struct of `type` whose member `mail` is *m. */
#define LETTER_OF(m, type) ((type *)(void *)((char *)(m) - offsetof(type, mail)))

#endif
