/* meter_test.c - meters that many threads count into: never more than the limit, nothing lost.
 * SPDX-License-Identifier: MIT */
#include "serve/quota/meter.h"

#include "base/thread.h"
#include "test.h"

enum { TAKERS = 4 };
#define SECOND_NS INT64_C(1000000000)

static struct meter meter;
static struct bucket bucket;
static struct taker {
  uint64_t taken;
  bool over;
} takers[TAKERS];

static void each(void (*run)(void *))
{
  struct thread threads[TAKERS];
  memset(takers, 0, sizeof takers);
  memset(&meter, 0, sizeof meter);
  for (int i = 0; i < TAKERS; i++)
    thread_start(&threads[i], "taker", THREAD_STACK_PARSER, run, &takers[i]);
  for (int i = 0; i < TAKERS; i++) thread_join(&threads[i]);
}

static uint64_t taken_all(void)
{
  uint64_t sum = 0;
  for (int i = 0; i < TAKERS; i++) sum += takers[i].taken;
  return sum;
}

enum { STEPS = 20000 };
static void tokens_take(void *arg)
{
  struct taker *taker = arg;
  int64_t wait_ns;
  for (int i = 0; i < STEPS; i++) /* one second, in steps: asked far more often than it gives */
    if (meter_take(&meter.full_at[METER_REQUESTS], &bucket, i * (SECOND_NS / STEPS),
                   bucket_cost(&bucket, 1), &wait_ns))
      taker->taken++;
}

TEST(loops_together_get_the_rate_and_no_more)
{
  bucket = bucket_of(1000, 50);
  each(tokens_take);
  EXPECT(taken_all() <= 1050);
  EXPECT(taken_all() >= 990); /* a thread that ran ahead has taken what others found gone */
}

static void tokens_return(void *arg)
{
  struct taker *taker = arg;
  int64_t wait_ns, cost = bucket_cost(&bucket, 3);
  for (int i = 0; i < STEPS; i++)
    if (meter_take(&meter.full_at[METER_ROWS], &bucket, SECOND_NS, cost, &wait_ns)) {
      taker->taken++;
      meter_settle(&meter.full_at[METER_ROWS], -cost);
    }
}

TEST(what_is_given_back_is_there_again)
{
  bucket = bucket_of(100, 30);
  each(tokens_return);
  EXPECT(taken_all() > 0);
  EXPECT_INT(atomic_load(&meter.full_at[METER_ROWS]), SECOND_NS); /* full, as of then */
}

static void levels_take(void *arg)
{
  struct taker *taker = arg;
  for (int i = 0; i < STEPS; i++) {
    bool place = meter_level_take(&meter.in_flight, 2);
    bool bytes = meter_bytes_take(&meter.bytes, 100, 40);
    if (atomic_load(&meter.in_flight) > 2 || atomic_load(&meter.bytes) > 100) taker->over = true;
    taker->taken += place + bytes;
    if (place) meter_level_give(&meter.in_flight);
    if (bytes) meter_bytes_give(&meter.bytes, 40);
  }
}

TEST(levels_never_pass_their_limit_and_end_at_none)
{
  each(levels_take);
  EXPECT(taken_all() > 0);
  for (int i = 0; i < TAKERS; i++) EXPECT(!takers[i].over);
  EXPECT_INT(atomic_load(&meter.in_flight), 0);
  EXPECT_INT(atomic_load(&meter.bytes), 0);
  EXPECT_CRASH(meter_level_give(&meter.in_flight));
  EXPECT_CRASH(meter_bytes_give(&meter.bytes, 1));
}

static void window_take(void *arg)
{
  struct taker *taker = arg;
  uint32_t stretch;
  int64_t wait_ns;
  for (int i = 0; i < STEPS; i++) {
    if (meter_window_take(meter.minute, 500, METER_MINUTE_US * 7 + i, METER_MINUTE_US, &stretch,
                          &wait_ns))
      taker->taken++;
    meter_window_count(meter.second[METER_ROWS], i, METER_SECOND_US, 2);
  }
}

TEST(a_window_counts_what_all_loops_let_in)
{
  each(window_take);
  EXPECT_INT(taken_all(), 500);
  EXPECT_INT(meter_used(&meter, QUOTA_requests_per_minute, METER_MINUTE_US * 7 + STEPS), 500);
  EXPECT_INT(meter_used(&meter, QUOTA_rows_per_second, STEPS), 2 * STEPS * TAKERS);
}

TEST(no_two_meters_share_a_line)
{
  EXPECT_INT(sizeof(struct meter) % METER_LINE, 0);
  EXPECT_INT(offsetof(struct meter, second), METER_LINE);
}

TEST(uploads_are_pending_until_they_are_given_back)
{
  memset(&meter, 0, sizeof meter);
  EXPECT(!meter_is_owed(&meter) && !meter_is_owed(NULL));
  meter_pending_add(&meter, 600);
  meter_pending_add(&meter, 300);
  EXPECT_INT(meter_pending(&meter), 900);
  meter_pending_give(&meter, 700);
  EXPECT_INT(meter_pending(&meter), 200);
  EXPECT(meter_is_owed(&meter));
  meter_pending_give(&meter, 1 << 20); /* never below none */
  EXPECT_INT(meter_pending(&meter), 0);
  EXPECT(meter_key_add(&meter, 2) && meter_is_owed(&meter) && meter_key_add(&meter, 2));
  EXPECT(!meter_key_add(&meter, 2));
  meter_key_give(&meter);
  EXPECT(meter_key_add(&meter, 2));
  for (int i = 0; i < 3; i++) meter_key_give(&meter);
  EXPECT(!meter_is_owed(&meter));
}

TEST(stock_is_judged_with_what_waits)
{
  struct quotas said = {{0}};
  struct err err;
  memset(&meter, 0, sizeof meter);
  EXPECT_INT(stock_check(&said, &meter, QUOTA_stored_bytes, "tenant", SLICE("a"), 1u << 30, 1, &err),
             OK);
  said.said[QUOTA_stored_bytes] = 100;
  EXPECT_INT(stock_check(&said, &meter, QUOTA_stored_bytes, "tenant", SLICE("a"), 60, 40, &err), OK);
  EXPECT_INT(stock_check(&said, &meter, QUOTA_stored_bytes, "tenant", SLICE("a"), 60, 41, &err),
             E_QUOTA_EXCEEDED);
  EXPECT_INT(stock_check(&said, NULL, QUOTA_stored_bytes, "tenant", SLICE("a"), 101, 0, &err),
             E_QUOTA_EXCEEDED);
  EXPECT_INT(meter.refused[QUOTA_stored_bytes], 1);
}
