/* schedule_test.c - due times keep their rate, whatever is done with them.
 * SPDX-License-Identifier: MIT */
#include "cli/load/schedule.h"

#include "test.h"

TEST(even_times_have_no_error_that_adds_up)
{
  struct schedule schedule;
  schedule_init(&schedule, 3, false, 1); /* a third of a second has no end in binary */
  EXPECT_INT(schedule_due(&schedule), 0);
  for (int i = 0; i < 3000000; i++) schedule_next(&schedule);
  EXPECT_INT(schedule_due(&schedule), 1000000000000);
  schedule_init(&schedule, 0.5, false, 1);
  schedule_next(&schedule);
  EXPECT_INT(schedule_due(&schedule), 2000000);
}

/* Distances of a Poisson stream are exponential: mean and deviation are 1/rate, the share below x
 * is 1 - exp(-rate x), and one says nothing of the next. */
TEST(drawn_times_are_a_poisson_stream)
{
  enum { N = 200000 };
  struct schedule schedule;
  double rate = 1000, mean = 0, square = 0, product = 0, before = 0;
  double below_half = 0, below_two = 0, at = 0;
  schedule_init(&schedule, rate, true, 7);
  for (int i = 0; i < N; i++) {
    double distance = (schedule.at_us - at) / 1e6 * rate;
    EXPECT(distance >= 0);
    mean += distance / N;
    square += distance * distance / N;
    product += (distance - 1) * (before - 1) / N;
    below_half += (distance < 0.5) / (double)N;
    below_two += (distance < 2) / (double)N;
    at = schedule.at_us;
    before = distance;
    schedule_next(&schedule);
  }
  EXPECT(fabs(mean - 1) < 0.01); /* four standard errors, and the seed is fixed */
  EXPECT(fabs(square - 2) < 0.05);
  EXPECT(fabs(product) < 0.01);
  EXPECT(fabs(below_half - (1 - exp(-0.5))) < 0.005);
  EXPECT(fabs(below_two - (1 - exp(-2.0))) < 0.005);
}

TEST(one_seed_draws_the_same_times_and_another_other_ones)
{
  struct schedule a, b, c;
  schedule_init(&a, 100, true, 1);
  schedule_init(&b, 100, true, 1);
  schedule_init(&c, 100, true, 2);
  int alike = 0;
  for (int i = 0; i < 100; i++) {
    EXPECT(schedule_due(&a) == schedule_due(&b));
    alike += schedule_due(&a) == schedule_due(&c);
    schedule_next(&a), schedule_next(&b), schedule_next(&c);
  }
  EXPECT(alike < 3);
}

