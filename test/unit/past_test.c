/* past_test.c - what is frozen from half an hour of blocks is what the blocks held.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "base/rand.h"
#include "judge/past.h"

static struct past past;
static struct sketch sketch, whole;
static unsigned char bytes[BASELINE_BYTES_MAX];

/* Latencies around 20 ms, spread like e to a normal. */
static uint64_t latency(struct rand *rand)
{
  double z = 0;
  for (int i = 0; i < 12; i++) z += rand_unit(rand);
  return (uint64_t)(20000 * exp(0.69 * (z - 6)));
}

static void half_hour(uint64_t seed, int per_second, double errors, bool bursts)
{
  struct rand rand;
  rand_seed(&rand, seed);
  memset(&past, 0, sizeof past);
  memset(&whole, 0, sizeof whole);
  for (int s = 0; s < 1800; s++) {
    uint64_t failed = 0;
    bool burst = bursts && s % 97 < 3;
    memset(&sketch, 0, sizeof sketch);
    for (int i = 0; i < per_second; i++)
      if (rand_unit(&rand) < (burst ? errors * 30 : errors))
        failed++;
      else
        sketch_add(&sketch, latency(&rand) * (burst ? 10 : 1));
    sketch_merge(&whole, &sketch);
    past_add(&past, &sketch, sketch.count + failed, failed, 0, PLAN_WHOLE, 1000);
  }
}

TEST(thresholds_are_those_of_one_large_sketch)
{
  struct plan plan;
  struct baseline baseline;
  struct slow slow;
  plan_default(&plan, STRATEGY_CANARY);
  half_hour(1, 100, 0.001, false);
  past_baseline(&past, &plan, 0, &baseline);
  slow_freeze_some(&slow, &whole, (1u << SLOW_ROWS) - 1, plan.gates[GATE_LATENCY].slack_us);
  EXPECT_INT(past.closed, 180);
  EXPECT_INT(baseline.slow.rows, 4);
  EXPECT(memcmp(&baseline.slow, &slow, sizeof slow) == 0);
  EXPECT_INT(baseline.requests, 180000);
  EXPECT_INT(baseline.n_recent, 60);
  EXPECT_INT(baseline.recent[0].requests, 1000);
  for (int row = 0; row < BASELINE_ROWS; row++)
    EXPECT(baseline.phi[ARM_CANDIDATE][row] >= 1 && baseline.phi[ARM_CANDIDATE][row] < 1.1);
}

TEST(bursts_raise_phi)
{
  struct plan plan;
  struct baseline calm, wild;
  plan_default(&plan, STRATEGY_CANARY);
  half_hour(2, 200, 0.01, false);
  past_baseline(&past, &plan, 0, &calm);
  half_hour(2, 200, 0.01, true);
  past_baseline(&past, &plan, 0, &wild);
  for (int row = 2; row < BASELINE_ROWS; row++)
    EXPECT(wild.phi[ARM_CANDIDATE][row] > calm.phi[ARM_CANDIDATE][row] + 0.1);
  struct baseline half;
  past_baseline(&past, &plan, 2, &half); /* the 50 % step */
  EXPECT(half.phi[ARM_CANDIDATE][4] > wild.phi[ARM_CANDIDATE][4]);
}

TEST(phi_is_that_of_the_blocks)
{
  struct plan plan;
  struct baseline baseline;
  uint64_t x[PAST_BLOCKS];
  plan_default(&plan, STRATEGY_CANARY);
  memset(&past, 0, sizeof past);
  for (uint64_t i = 0; i < PAST_BLOCKS; i++) {
    x[i] = i % 7 == 0 ? 40 : i % 5;
    past_add(&past, NULL, 1000, x[i], 0, PLAN_WHOLE / 2, 10000);
  }
  past_baseline(&past, &plan, 0, &baseline);
  EXPECT(baseline.phi[ARM_CANDIDATE][BASELINE_ERRORS] ==
         dispersion_frozen(x, PAST_BLOCKS, 0.5, 0.05));
  EXPECT(baseline.phi[ARM_CANDIDATE][BASELINE_ERRORS] > 1);
  EXPECT_INT(baseline.slow.rows, 0);
}

TEST(short_history_has_phi_two_and_fewer_rows)
{
  struct plan plan;
  struct baseline baseline;
  plan_default(&plan, STRATEGY_CANARY);
  memset(&past, 0, sizeof past);
  past_baseline(&past, &plan, 0, &baseline);
  EXPECT_INT(baseline.slow.rows, 0);
  EXPECT(baseline.phi[ARM_CANDIDATE][0] == DISPERSION_UNKNOWN);
  memset(&sketch, 0, sizeof sketch);
  for (int i = 0; i < 50; i++) sketch_add(&sketch, 1000);
  for (int i = 0; i < 10; i++) past_add(&past, &sketch, 50, 0, 0, PLAN_WHOLE, 10000);
  past_baseline(&past, &plan, 0, &baseline);
  EXPECT_INT(baseline.slow.rows, 2); /* 500 requests: p50 and p90 */
  EXPECT(baseline.phi[ARM_CANDIDATE][0] == DISPERSION_UNKNOWN);
}

TEST(the_ring_forgets_what_is_older_than_half_an_hour)
{
  struct plan plan;
  struct baseline baseline;
  plan_default(&plan, STRATEGY_CANARY);
  half_hour(3, 100, 0.001, false);
  for (int i = 0; i < 180; i++) past_add(&past, NULL, 7, 1, 0, PLAN_WHOLE, 10000);
  past_baseline(&past, &plan, 0, &baseline);
  EXPECT_INT(baseline.requests, 7 * 180);
  EXPECT_INT(baseline.slow.rows, 0);
  past_add(&past, NULL, 7, 1, 0, PLAN_WHOLE, UINT32_MAX); /* a gap of weeks */
  past_baseline(&past, &plan, 0, &baseline);
  EXPECT_INT(baseline.requests, 7); /* what came with the gap, and nothing before */
}

/* Every bucket in use: kept coarser, never lower. */
TEST(a_block_of_all_latencies_fits)
{
  struct plan plan;
  struct baseline baseline;
  plan_default(&plan, STRATEGY_CANARY);
  memset(&past, 0, sizeof past);
  memset(&sketch, 0, sizeof sketch);
  for (uint32_t i = 0; i < SKETCH_BUCKETS; i++) {
    sketch.at[i] = 100000;
    sketch.count += 100000;
  }
  past_add(&past, &sketch, sketch.count, 0, 0, PLAN_WHOLE, 10000);
  past_baseline(&past, &plan, 0, &baseline);
  uint64_t p50 = sketch_quantile(&sketch, 0.5);
  EXPECT(baseline.slow.us[0] >= p50 && baseline.slow.us[0] < p50 + p50 / 8);
  EXPECT_INT(baseline.requests, sketch.count);
}

TEST(a_baseline_reads_back_and_damage_is_refused)
{
  struct plan plan;
  struct baseline baseline, again;
  plan_default(&plan, STRATEGY_CANARY);
  half_hour(4, 100, 0.01, true);
  past_baseline(&past, &plan, 1, &baseline);
  struct varint_out out = {bytes, 0, sizeof bytes, false};
  baseline_write(&baseline, &out);
  size_t before = out.len - 1; /* where those of before there were features end */
  baseline.n_features = 2;
  memcpy(baseline.features[0].name, "x[3]", 4);
  baseline.features[0].bins = (struct drift_bins){2, {-1.5f, 2}, {10, 0, 90, 3}};
  baseline.features[1].bins.rows[1] = 7; /* restless: it has no edges */
  out.len = 0;
  baseline_write(&baseline, &out);
  EXPECT(!out.full);
  struct slice text = {(const char *)bytes, out.len};
  EXPECT_INT(baseline_read(&again, &text, NULL), OK);
  EXPECT_INT(text.len, 0);
  EXPECT(memcmp(&again, &baseline, sizeof again) == 0);
  for (size_t i = 0; i < out.len; i++) {
    text = (struct slice){(const char *)bytes, i};
    EXPECT_INT(baseline_read(&again, &text, NULL) == OK, i == before);
  }
  text = (struct slice){(const char *)bytes, before};
  EXPECT_INT(baseline_read(&again, &text, NULL), OK);
  EXPECT_INT(again.n_features, 0);
  const struct drift_bins bad[] = {{2, {2, -1}, {0}}, {2, {1, 1}, {0}}, {1, {NAN}, {0}},
                                   {1, {INFINITY}, {0}}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    baseline.features[0].bins = bad[i];
    out.len = 0;
    baseline_write(&baseline, &out);
    text = (struct slice){(const char *)bytes, out.len};
    EXPECT(baseline_read(&again, &text, NULL) != OK);
  }
}
