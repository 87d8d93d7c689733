/* rate_test.c - buckets and windows: golden values worked out by hand from the overload rules, and
 * the promise that no stretch of time ever sees more than rate x time + burst, tried at random.
 * SPDX-License-Identifier: MIT */
#include "stat/rate.h"

#include "base/rand.h"
#include "test.h"

#define MS INT64_C(1000000)
#define SECOND (1000 * MS)
#define MINUTE_US INT64_C(60000000)

/* --- golden ----------------------------------------------------------------------------------- */

TEST(a_bucket_holds_what_a_second_brings_unless_said)
{
  struct bucket bucket = bucket_of(500, 0);
  EXPECT_INT(bucket.span_ns, SECOND);
  EXPECT_INT(bucket_cost(&bucket, 1), 2 * MS);
  EXPECT_INT(bucket_cost(&bucket, 500), SECOND);
  bucket = bucket_of(500, 50);
  EXPECT_INT(bucket.span_ns, 100 * MS);
  bucket = bucket_of(3, 0);
  EXPECT_INT(bucket_cost(&bucket, 1), 333333334); /* rounded up: never a token too early */
  EXPECT_INT(bucket_cost(&bucket, 3), SECOND);
  int64_t full_at = 0; /* and yet three fit */
  for (int i = 0; i < 4; i++) {
    struct bucket_take take = bucket_take(&bucket, full_at, SECOND, bucket_cost(&bucket, 1));
    EXPECT_INT(take.taken, i < 3);
    full_at = take.full_at;
  }
}

/* 500 rows/s, 300 taken of 500 at once; 400 more are 200 too many: 0.4 s. */
TEST(five_hundred_rows_a_second)
{
  struct bucket bucket = bucket_of(500, 0);
  struct bucket_take take = bucket_take(&bucket, 0, 10 * SECOND, bucket_cost(&bucket, 300));
  EXPECT(take.taken);
  EXPECT_INT(take.full_at, 10 * SECOND + 600 * MS);
  EXPECT_INT(bucket_out(&bucket, take.full_at, 10 * SECOND), 300);
  EXPECT_INT(bucket_out(&bucket, take.full_at, 10 * SECOND + 300 * MS), 150);
  int64_t kept = take.full_at;
  take = bucket_take(&bucket, kept, 10 * SECOND, bucket_cost(&bucket, 400));
  EXPECT(!take.taken);
  EXPECT_INT(take.wait_ns, 400 * MS);
  EXPECT_INT(take.full_at, kept);
  EXPECT(bucket_take(&bucket, kept, 10 * SECOND + 400 * MS, bucket_cost(&bucket, 400)).taken);
  EXPECT(!bucket_take(&bucket, kept, 10 * SECOND + 400 * MS - 1, bucket_cost(&bucket, 400)).taken);
  EXPECT_INT(bucket_take(&bucket, 0, 0, bucket_cost(&bucket, 501)).wait_ns, -1);
}

TEST(debt_comes_back_first)
{
  struct bucket bucket = bucket_of(100, 0); /* ms of compute a second */
  struct bucket_take take = bucket_take_debt(&bucket, 0, 0, bucket_cost(&bucket, 10));
  EXPECT(take.taken);
  EXPECT_INT(take.full_at, 100 * MS);
  int64_t full_at = bucket_settle(take.full_at, bucket_cost(&bucket, 390)); /* it took 400 */
  EXPECT_INT(full_at, 4 * SECOND);
  EXPECT_INT(bucket_out(&bucket, full_at, 0), 400);
  take = bucket_take_debt(&bucket, full_at, SECOND, 1);
  EXPECT(!take.taken);
  EXPECT_INT(take.wait_ns, 2 * SECOND + 1);
  EXPECT(!bucket_take_debt(&bucket, full_at, 3 * SECOND, 1).taken);
  EXPECT(bucket_take_debt(&bucket, full_at, 3 * SECOND + 1, 1).taken);
  EXPECT_INT(bucket_settle(SECOND, -SECOND), 0); /* it did not run: given back */
}

/* 100 in the minute before; 15 s into this one three quarters of them count. */
TEST(the_older_count_weighs_what_is_left_of_it)
{
  uint64_t slots[2] = {0};
  slots[1] = window_add(slots[1], 1, 100);
  slots[0] = window_add(slots[0], 2, 10);
  struct window window = window_read(slots, 2 * MINUTE_US + MINUTE_US / 4, MINUTE_US);
  EXPECT_INT(window.before, 100);
  EXPECT_INT(window.now, 10);
  EXPECT_INT(window_used(&window), 85);
  EXPECT_INT(window_wait(&window, 100, 15), 0);
  EXPECT_INT(window_wait(&window, 100, 16), MINUTE_US / 100); /* one more of the hundred is out */
  EXPECT_INT(window_wait(&window, 100, 101), -1);
  window = window_read(slots, 3 * MINUTE_US, MINUTE_US);
  EXPECT_INT(window_used(&window), 10);
  window = window_read(slots, 4 * MINUTE_US, MINUTE_US);
  EXPECT_INT(window_used(&window), 0);
}

TEST(a_full_minute_waits_for_the_next_one)
{
  uint64_t slots[2] = {0};
  slots[0] = window_add(0, 4, 60);
  struct window window = window_read(slots, 4 * MINUTE_US + MINUTE_US / 2, MINUTE_US);
  EXPECT_INT(window_wait(&window, 60, 1), MINUTE_US / 2 + MINUTE_US / 60);
  slots[0] = window_sub(slots[0], 4, 1);
  window = window_read(slots, 4 * MINUTE_US + MINUTE_US / 2, MINUTE_US);
  EXPECT_INT(window_wait(&window, 60, 1), 0);
  EXPECT_INT(window_sub(slots[0], 3, 5), slots[0]); /* another minute's: too late */
  EXPECT_INT(window_sub(slots[0], 4, 1000) & WINDOW_COUNT_MAX, 0);
}

/* --- edges ------------------------------------------------------------------------------------ */

TEST(days_of_rest_and_jumps_of_the_clock)
{
  struct bucket bucket = bucket_of(1000, 0);
  const int64_t year = 365 * 86400 * SECOND;
  struct bucket_take take = bucket_take(&bucket, 0, 100 * year, bucket_cost(&bucket, 1000));
  EXPECT(take.taken); /* one bucket full, whatever was not used */
  EXPECT(!bucket_take(&bucket, take.full_at, 100 * year, 1).taken);
  take = bucket_take(&bucket, 100 * year, 0, MS); /* back by a century: an empty bucket */
  EXPECT(!take.taken);
  EXPECT_INT(take.wait_ns, MS);
  take = bucket_take(&bucket, INT64_MIN, INT64_MAX, 1);
  EXPECT(!take.taken || take.full_at >= 0);
  EXPECT_INT(bucket_out(&bucket, INT64_MIN, INT64_MAX), 0);
  EXPECT(bucket_out(&bucket, INT64_MAX, 0) > 0);
  EXPECT_INT(bucket_settle(INT64_MAX - 1, 5), INT64_MAX);
  EXPECT_INT(bucket_settle(INT64_MIN + 1, -5), INT64_MIN);
  uint64_t slots[2] = {window_add(0, 2, 5), window_add(0, 1, 5)};
  struct window window = window_read(slots, 86400 * 365 * INT64_C(1000000), MINUTE_US);
  EXPECT_INT(window_used(&window), 0);
}

TEST(the_greatest_and_the_least)
{
  const uint64_t most = UINT64_C(1) << 53;
  struct bucket bucket = bucket_of(most * 1000, most * 1000);
  EXPECT_INT(bucket.span_ns, SECOND);
  EXPECT_INT(bucket_cost(&bucket, 1), 1);
  EXPECT_INT(bucket_cost(&bucket, UINT64_MAX) > 0, 1);
  bucket = bucket_of(1, most);
  EXPECT_INT(bucket.span_ns, RATE_NS_MAX);
  EXPECT_INT(bucket_cost(&bucket, UINT64_MAX), RATE_NS_MAX);
  EXPECT(bucket_take(&bucket, 0, INT64_MAX / 2, RATE_NS_MAX).taken);
  EXPECT_INT(window_add(window_add(0, 7, WINDOW_COUNT_MAX), 7, 1) & WINDOW_COUNT_MAX,
             WINDOW_COUNT_MAX);
  EXPECT_INT(window_stretch(INT64_MAX, MINUTE_US) < 1 << 24, 1);
}

/* --- never more than rate x time + burst ------------------------------------------------------ */

enum { EVENTS = 4000, LIVES = 60 };
struct taken {
  int64_t at;
  uint64_t n;
};

/* Every stretch that begins and ends with one that was let in. */
static bool bound_holds(const struct taken *taken, int n, double rate, double burst, double unit)
{
  for (int i = 0; i < n; i++) {
    double sum = 0;
    for (int k = i; k < n; k++) {
      sum += (double)taken[k].n;
      if (sum > burst + rate * (double)(taken[k].at - taken[i].at) / unit + 0.002) return false;
    }
  }
  return true;
}

TEST(no_time_sees_more_than_its_rate_and_a_burst)
{
  static struct taken taken[EVENTS];
  struct rand rand;
  rand_seed(&rand, 20);
  for (int life = 0; life < LIVES; life++) {
    uint64_t rate = 1 + rand_u64(&rand) % 5000, burst = 1 + rand_u64(&rand) % 300;
    struct bucket bucket = bucket_of(rate, burst);
    int64_t full_at = 0, now = (int64_t)(rand_u64(&rand) >> 2);
    int n = 0;
    for (int i = 0; i < EVENTS; i++) {
      uint64_t want = 1 + rand_u64(&rand) % (rand_u64(&rand) % 8 ? 3 : burst + 2);
      int64_t cost = bucket_cost(&bucket, want);
      struct bucket_take take = bucket_take(&bucket, full_at, now, cost);
      if (take.taken) taken[n++] = (struct taken){now, want};
      EXPECT(take.taken || take.wait_ns > 0 || want > burst);
      if (!take.taken && take.wait_ns > 0) /* the wait is exact: let in then, not before */
        EXPECT(bucket_take(&bucket, full_at, now + take.wait_ns, cost).taken &&
               !bucket_take(&bucket, full_at, now + take.wait_ns - 1, cost).taken);
      full_at = take.full_at;
      now += rand_u64(&rand) % 50 ? (int64_t)(rand_u64(&rand) % (uint64_t)(SECOND / (int64_t)rate))
                                  : (int64_t)(rand_u64(&rand) % (uint64_t)(2 * SECOND));
    }
    EXPECT(n > 0 && bound_holds(taken, n < 800 ? n : 800, (double)rate, (double)burst, 1e9));
  }
}

TEST(a_bucket_that_is_always_asked_gives_its_rate)
{
  static const uint64_t rates[] = {1, 3, 7, 100, 999, 12345, 1000000};
  for (size_t r = 0; r < sizeof rates / sizeof *rates; r++) {
    struct bucket bucket = bucket_of(rates[r], 1);
    int64_t full_at = 0, now = 5 * SECOND, began = now;
    uint64_t n = 0;
    while (n < 20000 && now - began < 3600 * SECOND) {
      struct bucket_take take = bucket_take(&bucket, full_at, now, bucket_cost(&bucket, 1));
      if (take.taken) n++;
      else now += take.wait_ns;
      full_at = take.full_at;
    }
    double want = 1 + (double)rates[r] * (double)(now - began) / 1e9;
    EXPECT(fabs((double)n - want) <= 1 + want / 500);
  }
}

TEST(no_minute_sees_more_than_its_count_and_what_flows_on)
{
  static struct taken taken[EVENTS];
  struct rand rand;
  rand_seed(&rand, 21);
  for (int life = 0; life < LIVES; life++) {
    uint64_t most = 1 + rand_u64(&rand) % 200, slots[2] = {0};
    int64_t now = (int64_t)(rand_u64(&rand) % (1u << 30));
    int n = 0;
    for (int i = 0; i < EVENTS; i++) {
      uint64_t want = 1 + rand_u64(&rand) % 2;
      struct window window = window_read(slots, now, MINUTE_US);
      int64_t wait = window_wait(&window, most, want);
      if (wait == 0) {
        uint32_t stretch = window_stretch(now, MINUTE_US);
        slots[stretch & 1] = window_add(slots[stretch & 1], stretch, want);
        taken[n++] = (struct taken){now, want};
      } else if (wait > 0) { /* enough, and not more than a millionth too much */
        struct window then = window_read(slots, now + wait, MINUTE_US);
        EXPECT_INT(window_wait(&then, most, want), 0);
        then = window_read(slots, now + wait - 60, MINUTE_US);
        EXPECT(wait <= 60 || window_wait(&then, most, want) != 0);
      } else {
        EXPECT(want > most);
      }
      now += (int64_t)(rand_u64(&rand) % (uint64_t)(2 * MINUTE_US / (int64_t)most));
    }
    EXPECT(bound_holds(taken, n < 800 ? n : 800, (double)most, (double)most, (double)MINUTE_US));
  }
}
