/* lone_test.c - single statistics behave as their theory says, in small.
 * SPDX-License-Identifier: MIT */
#include "sim/lone.h"

#include <stdatomic.h>

#include "sim/crew.h"
#include "test.h"

TEST(a_late_change_is_caught_within_seconds_of_it)
{
  struct rand rand;
  struct lone_row row = {.p0 = 0.01,
                         .ratio = 5,
                         .rps = 1000,
                         .share = 0.05,
                         .onset_s = 600,
                         .seconds_max = 600,
                         .alpha = 0.005};
  uint64_t sum = 0;
  for (uint64_t i = 0; i < 50; i++) {
    draw_seed(&rand, 1, i);
    uint64_t s = lone_restarted(&rand, &row);
    EXPECT(s != 0 && s < 60);
    sum += s;
  }
  EXPECT(sum > 50 * 3 && sum < 50 * 15);
  row.ratio = 1;
  draw_seed(&rand, 1, 0);
  EXPECT(lone_restarted(&rand, &row) == LONE_NEVER);
}

TEST(a_wrong_ratio_is_found_and_a_right_one_is_not)
{
  struct rand rand;
  for (uint64_t i = 0; i < 20; i++) {
    draw_seed(&rand, 2, i);
    uint64_t n = lone_ratio(&rand, 0.06, 0.05, 1000000, 0.001);
    EXPECT(n >= 1000 && n <= 60000 && n % 1000 == 0);
    EXPECT(lone_ratio(&rand, 0.05, 0.05, 100000, 0.001) == LONE_NEVER);
  }
}

TEST(disagreement_is_found_and_agreement_is_not)
{
  struct rand rand;
  for (uint64_t i = 0; i < 20; i++) {
    draw_seed(&rand, 3, i);
    EXPECT(lone_agree(&rand, 0.2, 0.02, 10000, 0.01) <= 200);
    EXPECT(lone_agree(&rand, 0.005, 0.02, 10000, 0.01) == LONE_NEVER);
  }
  EXPECT(lone_agree(&rand, 1, 0.02, 1, 0.01) == LONE_NEVER);
}

/* complaint: a ramp moves users back and forth */
TEST(a_ramp_moves_nobody_out)
{
  struct lone_ramp ramp = lone_ramp(5000, 1000);
  EXPECT_INT(ramp.moved, 0);
  EXPECT(ramp.steps_off <= 1);
  EXPECT(ramp.finest < 1e-6);
}

static void square(void *arg, uint32_t i, void *scratch)
{
  uint64_t *out = arg, *calls = scratch;
  ++*calls;
  out[i] = (uint64_t)i * i;
}

static void told(void *arg, uint32_t done, uint32_t of)
{
  uint32_t *last = arg;
  EXPECT(done <= of);
  *last = done;
}

TEST(a_crew_does_each_number_once_whatever_its_size)
{
  enum { N = 1000 };
  for (uint32_t threads = 0; threads < 6; threads++) {
    uint64_t out[N] = {0};
    uint32_t last = 0;
    struct crew crew = {.threads = threads, .told = told, .arg = &last};
    crew_run(&crew, N, square, out, sizeof(uint64_t));
    for (uint32_t i = 0; i < N; i++) EXPECT(out[i] == (uint64_t)i * i);
    EXPECT(last <= N);
  }
  crew_run(&(struct crew){0}, 0, square, NULL, 8);
}
