/* pulse_test.c - rounds of tallies: nothing counted is lost, who asks late waits for the next
 * round.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "control/pulse.h"

enum { LOOPS = 2 };

static struct mailbox boxes[LOOPS], *loops[LOOPS];
static struct post post;
static struct tally *held[LOOPS];

static void begin(struct pulse *pulse, uint32_t n_loops)
{
  for (int i = 0; i < LOOPS; i++) {
    mailbox_init(&boxes[i], NULL, NULL);
    loops[i] = &boxes[i];
    held[i] = NULL;
  }
  post = (struct post){.loops = loops, .n_loops = n_loops};
  pulse_init(pulse, &post, NULL);
}

/* The loop swaps: one letter, which it leaves for control. */
static struct letter_tally *swap(uint32_t loop)
{
  static struct mail *left[LOOPS];
  if (!left[loop]) left[loop] = mailbox_take(&boxes[loop]);
  struct mail *mail = left[loop];
  if (!mail) return NULL;
  left[loop] = mail->next;
  struct letter_tally *letter = LETTER_OF(mail, struct letter_tally);
  struct tally *full = held[loop];
  EXPECT_INT(letter->loop, loop);
  held[loop] = letter->tally;
  letter->tally = full;
  return letter;
}

static void end(struct pulse *pulse)
{
  for (int i = 0; i < LOOPS; i++) tally_free(held[i]);
  pulse_deinit(pulse);
}

TEST(rounds_sum_up_what_loops_counted)
{
  struct pulse pulse;
  begin(&pulse, LOOPS);
  EXPECT_INT(pulse_ask(&pulse, 5), 1);
  for (uint32_t i = 0; i < LOOPS; i++) pulse_tally_home(&pulse, swap(i), 6);
  EXPECT_INT(pulse.done, 1);
  for (int round = 2; round < 10; round++) {
    for (uint32_t i = 0; i < LOOPS; i++) {
      held[i]->requests += 1 + i;
      tally_slot(held[i], 3)->success.count += 2;
    }
    EXPECT_INT(pulse_ask(&pulse, round), round);
    for (uint32_t i = 0; i < LOOPS; i++) {
      EXPECT(pulse.done < (uint64_t)round);
      pulse_tally_home(&pulse, swap(i), round);
    }
    EXPECT_INT(pulse.done, round);
  }
  struct tally *copy = pulse_copy(&pulse, 4);
  EXPECT_INT(copy->requests, 8 * 3);
  EXPECT_INT(copy->slots[3].success.count, 8 * 4);
  tally_free(copy);
  end(&pulse);
}

TEST(who_asks_during_a_round_waits_for_the_next)
{
  struct pulse pulse;
  begin(&pulse, LOOPS);
  EXPECT_INT(pulse_ask(&pulse, 1), 1);
  pulse_tally_home(&pulse, swap(0),
                   1); /* loop 0 has counted out: later counts are not in round 1 */
  EXPECT_INT(pulse_ask(&pulse, 2), 2);
  EXPECT_INT(pulse_ask(&pulse, 2), 2);
  pulse_tally_home(&pulse, swap(1), 3);
  EXPECT_INT(pulse.done, 1);
  EXPECT_INT(pulse.begun, 2); /* by itself */
  for (uint32_t i = 0; i < LOOPS; i++) pulse_tally_home(&pulse, swap(i), 4);
  EXPECT_INT(pulse.done, 2);
  EXPECT_INT(pulse.begun, 2);
  EXPECT_INT(pulse.out, 0);
  end(&pulse);
}

TEST(room_comes_before_the_world_that_needs_it)
{
  struct pulse pulse;
  begin(&pulse, LOOPS);
  pulse_ask(&pulse, 1);
  pulse_grow(&pulse, 16, 0); /* there is room */
  EXPECT_INT(pulse.out, LOOPS);
  pulse_grow(&pulse, 17, 0);
  EXPECT_INT(pulse.out, 2 * LOOPS);
  for (uint32_t i = 0; i < LOOPS; i++) {
    struct letter_tally *first = swap(i);
    EXPECT_INT(held[i]->n_slots, 16);
    tally_slot(held[i], 0)->rows = 7;
    struct letter_tally *second = swap(i);
    EXPECT(held[i]->n_slots >= 17);
    pulse_tally_home(&pulse, first, 2);
    pulse_tally_home(&pulse, second, 2);
  }
  EXPECT_INT(pulse.done, 1);
  struct tally *copy = pulse_copy(&pulse, 17);
  EXPECT_INT(copy->slots[0].rows, 14);
  tally_free(copy);
  end(&pulse);
}

TEST(without_loops_a_round_is_over_at_once)
{
  struct pulse pulse;
  begin(&pulse, 0);
  EXPECT_INT(pulse_ask(&pulse, 1), 1);
  EXPECT_INT(pulse.done, 1);
  EXPECT_INT(pulse_ask(&pulse, 1), 2);
  EXPECT_INT(pulse.done, 2);
  end(&pulse);
}

TEST(room_for_predictions_follows_the_traffic)
{
  struct pulse pulse;
  begin(&pulse, 1);
  pulse_ask(&pulse, 0);
  pulse_tally_home(&pulse, swap(0), 1);
  EXPECT_INT(held[0]->predictions_cap, 0); /* nobody asked for them */
  pulse_remember(&pulse, true); /* a tally with room at once, before any round */
  pulse_remember(&pulse, true);
  pulse_tally_home(&pulse, swap(0), 3);
  EXPECT_INT(pulse.out, 0);
  uint32_t first = held[0]->predictions_cap;
  EXPECT(first >= 1024);
  held[0]->n_predictions = first;
  held[0]->predictions_missed = 1000;
  pulse_ask(&pulse, 4);
  pulse_tally_home(&pulse, swap(0), 5); /* the next one goes out before this one is seen */
  EXPECT_INT(pulse.total->predictions_missed, 1000);
  pulse_ask(&pulse, 6);
  pulse_tally_home(&pulse, swap(0), 7);
  EXPECT_INT(held[0]->predictions_cap, 2 * (first + 1000));
  held[0]->predictions_missed = UINT32_MAX; /* whatever the traffic, there is an end to it */
  pulse_ask(&pulse, 8);
  pulse_tally_home(&pulse, swap(0), 9);
  pulse_ask(&pulse, 10);
  pulse_tally_home(&pulse, swap(0), 11);
  EXPECT_INT(held[0]->predictions_cap, 1 << 16);
  pulse_remember(&pulse, false);
  pulse_ask(&pulse, 12);
  pulse_tally_home(&pulse, swap(0), 13);
  EXPECT_INT(held[0]->predictions_cap, 0);
  end(&pulse);
}

TEST(a_silent_loop_holds_up_nobody_but_who_waits_for_it)
{
  struct pulse pulse;
  begin(&pulse, LOOPS);
  pulse_ask(&pulse, 1);
  for (uint32_t i = 0; i < LOOPS; i++) pulse_tally_home(&pulse, swap(i), 2);
  EXPECT_INT(pulse_ask(&pulse, 10), 2);
  pulse_tally_home(&pulse, swap(0), 11);
  EXPECT_INT(pulse.closed, 1);
  pulse_close(&pulse, 25);
  EXPECT_INT(pulse.closed, 2);
  EXPECT_INT(pulse.done, 1);
  EXPECT_INT(pulse_silent(&pulse), 1);
  for (int round = 3; round < 50; round++) { /* it gets no more letters, the other one does */
    EXPECT_INT(pulse_ask(&pulse, 10 * round), round);
    held[0]->requests++;
    pulse_tally_home(&pulse, swap(0), 10 * round + 1);
    EXPECT_INT(pulse.closed, round);
  }
  EXPECT_INT(pulse.out, 1);
  EXPECT_INT(pulse.done, 1);
  EXPECT_INT(pulse.done_us, 1);
  EXPECT_INT(pulse.total->requests, 47);
  held[1]->requests = 1000;
  pulse_tally_home(&pulse, swap(1), 500); /* late: counted, and only round 2 is proven */
  EXPECT_INT(pulse.total->requests, 1047);
  EXPECT_INT(pulse.done, 2);
  EXPECT_INT(pulse.done_us, 10);
  EXPECT_INT(pulse_silent(&pulse), 1);
  EXPECT_INT(pulse_ask(&pulse, 501), 50);
  for (uint32_t i = 0; i < LOOPS; i++) pulse_tally_home(&pulse, swap(i), 502);
  EXPECT_INT(pulse.done, 50);
  EXPECT_INT(pulse_silent(&pulse), 0);
  end(&pulse);
}

TEST(a_round_that_is_closed_begins_the_one_that_was_asked_for)
{
  struct pulse pulse;
  begin(&pulse, LOOPS);
  pulse_ask(&pulse, 1);
  EXPECT_INT(pulse_ask(&pulse, 2), 2);
  pulse_close(&pulse, 3); /* both are silent: nobody gets a letter */
  EXPECT_INT(pulse.begun, 2);
  EXPECT_INT(pulse.closed, 1);
  EXPECT_INT(pulse.out, LOOPS);
  for (uint32_t i = 0; i < LOOPS; i++) pulse_tally_home(&pulse, swap(i), 4);
  EXPECT_INT(pulse.done, 1);
  EXPECT_INT(pulse.closed, 1);
  pulse_close(&pulse, 5);
  EXPECT_INT(pulse.closed, 2);
  EXPECT_INT(pulse_silent(&pulse), LOOPS); /* back, and not in this round */
  pulse_close(&pulse, 6);
  EXPECT_INT(pulse_ask(&pulse, 7), 3);
  for (uint32_t i = 0; i < LOOPS; i++) pulse_tally_home(&pulse, swap(i), 8);
  EXPECT_INT(pulse.done, 3);
  end(&pulse);
}
