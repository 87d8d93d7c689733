/* list_test.c - the intrusive ring keeps its order whatever is taken out.
 * SPDX-License-Identifier: MIT */
#include "base/list.h"

#include "test.h"

struct item {
  int value;
  struct link link;
};

static int value_of(struct link *link) { return LIST_OF(link, struct item, link)->value; }

static int digits(struct link *head) /* the values as one decimal number, forwards */
{
  int number = 0, back = 0, scale = 1;
  for (struct link *l = head->next; l != head; l = l->next) number = number * 10 + value_of(l);
  for (struct link *l = head->prev; l != head; l = l->prev, scale *= 10)
    back += scale * value_of(l);
  EXPECT_INT(back, number);
  return number;
}

TEST(order_is_kept)
{
  struct link head;
  struct item items[6] = {{.value = 0}, {.value = 1}, {.value = 2}, {.value = 3}, {.value = 4}};
  list_init(&head);
  EXPECT(list_empty(&head) && !list_pop_front(&head));
  list_push_back(&head, &items[2].link);
  list_push_back(&head, &items[3].link);
  list_push_front(&head, &items[1].link);
  list_push_back(&head, &items[4].link);
  EXPECT_INT(digits(&head), 1234);
  list_remove(&items[3].link);
  list_remove(&items[3].link); /* twice is fine */
  EXPECT_INT(digits(&head), 124);
  EXPECT_INT(value_of(list_pop_front(&head)), 1);
  list_remove(&items[4].link);
  EXPECT_INT(digits(&head), 2);
  list_push_back(&head, &items[3].link); /* and back again */
  EXPECT_INT(digits(&head), 23);
  list_pop_front(&head), list_pop_front(&head);
  EXPECT(list_empty(&head));
}
