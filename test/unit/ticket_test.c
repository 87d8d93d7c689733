/* ticket_test.c - tickets for event streams: what was written reads, nothing else does.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "world/ticket.h"

#include "test.h"

TEST(a_ticket_reads_back_and_no_byte_of_it_may_change)
{
  struct hmac pepper, other;
  char text[TICKET_TEXT_MAX];
  struct slice id;
  int64_t until;
  hmac_init(&pepper, SLICE("pepper"));
  hmac_init(&other, SLICE("paprika"));
  size_t len = ticket_write(&pepper, SLICE("abcdefghij12"), 1700000000, text);
  EXPECT(ticket_read(&pepper, slice_of(text, len), &id, &until));
  EXPECT(slice_eq(id, SLICE("abcdefghij12")) && until == 1700000000);
  EXPECT(!ticket_read(&other, slice_of(text, len), &id, &until));
  for (size_t i = 0; i < len; i++) {
    text[i] ^= 1;
    EXPECT(!ticket_read(&pepper, slice_of(text, len), &id, &until));
    text[i] ^= 1;
    EXPECT(!ticket_read(&pepper, slice_of(text, i), &id, &until));
  }
  text[len] = '0';
  EXPECT(!ticket_read(&pepper, slice_of(text, len + 1), &id, &until));
  EXPECT(!ticket_read(&pepper, SLICE_NONE, &id, &until));
  hmac_deinit(&pepper);
  hmac_deinit(&other);
}
