/* knee_test.c - the knee of queues whose p99 is known by a formula.
 * SPDX-License-Identifier: MIT */
#include "cli/bench/knee.h"

#include "test.h"

/* p99 of the time in an M/M/1 queue: ln(100) / (capacity - rate). */
static double p99(double capacity, double rate)
{
  return rate < capacity ? log(100) / (capacity - rate) : INFINITY;
}

static double found(double capacity, double measured, double objective, int *tries)
{
  struct knee knee;
  knee_init(&knee, measured);
  for (*tries = 0; knee.next > 0 && *tries < 100; (*tries)++)
    knee_tell(&knee, p99(capacity, knee.next) <= objective);
  return knee.good;
}

TEST(the_knee_is_found_within_two_hundredths_of_capacity)
{
  static const double objectives[] = {0.02, 0.05, 0.1, 1};
  int tries;
  for (int i = 0; i < 4; i++) {
    double truth = 1000 - log(100) / objectives[i];
    double got = found(1000, 970, objectives[i], &tries);
    EXPECT(got <= truth && got > truth - 20);
    EXPECT(tries <= 14);
  }
}

TEST(what_is_never_met_has_no_knee)
{
  int tries;
  EXPECT(found(1000, 1000, 0.001, &tries) == 0);
  EXPECT_INT(tries, 2); /* a bad try is made again */
}

TEST(one_bad_try_of_two_does_not_move_it)
{
  struct knee knee;
  knee_init(&knee, 1000);
  for (int i = 0; knee.next > 0 && i < 100; i++) {
    bool met = knee.next <= 800;
    if (met && !knee.again && i % 2) knee_tell(&knee, false);
    else knee_tell(&knee, met);
  }
  EXPECT(knee.good <= 800 && knee.good > 780);
}
