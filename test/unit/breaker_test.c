/* breaker_test.c - when a breaker opens, for how long, and what closes it.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "base/rand.h"
#include "control/guard/breaker.h"

#define S INT64_C(1000000)

static struct breaker it;

static bool calls(int64_t now_us, uint64_t good, uint64_t bad)
{
  const struct breaker_seen seen = {.good = good, .bad = bad};
  return breaker_count(&it, &seen, now_us, 0.5);
}

static bool probes(int64_t now_us, uint64_t good, uint64_t bad)
{
  const struct breaker_seen seen = {.probes_good = good, .probes_bad = bad};
  return breaker_count(&it, &seen, now_us, 0.5);
}

TEST(half_of_twenty_calls_in_ten_seconds_opens_it)
{
  breaker_reset(&it);
  EXPECT(!calls(100 * S, 9, 10)); /* 19 */
  EXPECT(calls(101 * S, 1, 0) == false); /* 20, half of them: but none of them failed now */
  EXPECT(calls(102 * S, 0, 1));
  EXPECT_INT(it.state, BREAKER_OPEN);
  breaker_reset(&it);
  EXPECT(!calls(100 * S, 0, 19));
  EXPECT(!calls(110 * S, 0, 1)); /* those before are not in the window any more */
  EXPECT(!calls(110 * S, 0, 18));
  EXPECT(calls(119 * S, 0, 1));
  breaker_reset(&it);
  for (int i = 0; i < 100; i++) EXPECT(!calls((100 + i) * S, 51, 49));
  EXPECT(calls(201 * S, 0, 30 * 51)); /* and that the window was kept while it went on */
}

TEST(a_clock_that_jumps_empties_the_window)
{
  breaker_reset(&it);
  EXPECT(!calls(100 * S, 0, 19));
  EXPECT(!calls(100000 * S, 0, 19));
  EXPECT(calls(100000 * S + 1, 0, 1));
}

TEST(it_opens_for_five_seconds_doubled_to_a_minute)
{
  static const int64_t spans[] = {5, 10, 20, 40, 60, 60, 60};
  int64_t now = 100 * S;
  breaker_reset(&it);
  for (size_t i = 0; i < sizeof spans / sizeof *spans; i++) {
    EXPECT(it.state == BREAKER_CLOSED ? calls(now, 0, 20) : probes(now, 0, 1));
    EXPECT_INT(it.until_us - now, spans[i] * S);
    EXPECT(!breaker_tick(&it, it.until_us - 1));
    EXPECT(!calls(it.until_us - 1, 100, 0)); /* those of before come home */
    EXPECT_INT(it.state, BREAKER_OPEN);
    now = it.until_us;
    EXPECT(breaker_tick(&it, now));
    EXPECT_INT(it.state, BREAKER_HALF_OPEN);
    EXPECT(!breaker_tick(&it, now));
  }
}

TEST(five_probes_close_it_and_a_calm_minute_forgets)
{
  breaker_reset(&it);
  EXPECT(calls(100 * S, 0, 20));
  EXPECT(breaker_tick(&it, it.until_us));
  EXPECT(!calls(106 * S, 100, 100)); /* calls of before say nothing */
  EXPECT(!probes(106 * S, 4, 0));
  EXPECT(probes(107 * S, 1, 0));
  EXPECT_INT(it.state, BREAKER_CLOSED);
  EXPECT(!calls(108 * S, 0, 19));
  EXPECT(calls(108 * S, 0, 1)); /* soon again: for twice as long */
  EXPECT_INT(it.until_us - 108 * S, 10 * S);
  EXPECT(breaker_tick(&it, 118 * S));
  EXPECT(probes(119 * S, 9, 0));
  EXPECT(calls((119 + 60) * S, 0, 20)); /* much later: as if it were the first time */
  EXPECT_INT(it.until_us - (119 + 60) * S, 5 * S);
}

TEST(one_probe_that_fails_is_enough)
{
  breaker_reset(&it);
  EXPECT(calls(100 * S, 0, 20));
  EXPECT(breaker_tick(&it, it.until_us));
  EXPECT(probes(106 * S, 40, 1));
  EXPECT_INT(it.state, BREAKER_OPEN);
}

TEST(three_strikes_with_no_answer_between_open_it)
{
  breaker_reset(&it);
  const struct breaker_seen strike = {.bad = 1, .stopped = 1};
  EXPECT(!breaker_count(&it, &strike, 100 * S, 0.5));
  EXPECT(!breaker_count(&it, &strike, 200 * S, 0.5));
  EXPECT(!calls(201 * S, 1, 0)); /* it answered */
  EXPECT(!breaker_count(&it, &strike, 300 * S, 0.5));
  EXPECT(!breaker_count(&it, &strike, 400 * S, 0.5));
  EXPECT(!breaker_count(&it, &strike, 901 * S, 0.5)); /* the first was ten minutes ago */
  EXPECT(breaker_count(&it, &strike, 902 * S, 0.5));
}

TEST(the_time_is_jittered_by_a_fifth)
{
  const struct breaker_seen bad = {.bad = 20};
  breaker_reset(&it);
  EXPECT(breaker_count(&it, &bad, 100 * S, 0));
  EXPECT_INT(it.until_us, 104 * S);
  breaker_reset(&it);
  EXPECT(breaker_count(&it, &bad, 100 * S, 0.999999));
  EXPECT(it.until_us > 105900000 && it.until_us < 106 * S);
}

/* A thousand lives of a version that fails and heals: whatever comes, an open breaker is tried
 * within 72 s, and a healthy version is answered for in the end. */
TEST(any_life_ends_closed_once_the_version_is_well)
{
  struct rand rand;
  rand_seed(&rand, 7);
  for (int life = 0; life < 1000; life++) {
    int64_t now = 1000 * S, opened = 0;
    breaker_reset(&it);
    for (int i = 0; i < 3000; i++, now += (int64_t)(rand_unit(&rand) * 1500000)) {
      bool ill = i < 1500 && rand_unit(&rand) < 0.7;
      struct breaker_seen seen = {0};
      if (it.state == BREAKER_CLOSED) seen.good = ill ? 0 : 7, seen.bad = ill ? 9 : 0;
      if (it.state == BREAKER_HALF_OPEN) seen.probes_good = !ill, seen.probes_bad = ill;
      bool moved = breaker_tick(&it, now) || breaker_count(&it, &seen, now, rand_unit(&rand));
      if (moved && it.state == BREAKER_OPEN) {
        opened = now;
        EXPECT(it.until_us - now >= 4 * S && it.until_us - now <= 72 * S);
      }
      if (it.state == BREAKER_OPEN) EXPECT(now - opened <= 72 * S);
    }
    EXPECT_INT(it.state, BREAKER_CLOSED);
    if (test_failures) break;
  }
}
