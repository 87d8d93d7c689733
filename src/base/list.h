/* list.h - an intrusive doubly linked ring: put a `struct link` into what you want to list.
 * Thread: one at a time.
 * SPDX-License-Identifier: MIT */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct link {
  struct link *next, *prev; /* both NULL or self: on no list */
};

/* The struct of `type` whose field `member` is *link. */
#define LIST_OF(link, type, member) ((type *)(void *)((char *)(link) - offsetof(type, member)))

static inline void list_init(struct link *head) { head->next = head->prev = head; }
static inline bool list_empty(const struct link *head) { return head->next == head; }

static inline void list_push_back(struct link *head, struct link *link)
{
  link->prev = head->prev;
  link->next = head;
  head->prev->next = link;
  head->prev = link;
}

static inline void list_push_front(struct link *head, struct link *link)
{
  list_push_back(head->next, link);
}

/* Safe to call twice. */
static inline void list_remove(struct link *link)
{
  if (!link->next) return;
  link->prev->next = link->next;
  link->next->prev = link->prev;
  link->next = link->prev = NULL;
}

static inline struct link *list_pop_front(struct link *head)
{
  struct link *first = head->next;
  if (first == head) return NULL;
  list_remove(first);
  return first;
}

#endif
