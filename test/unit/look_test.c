/* look_test.c - a look is the same after the journal, the same in any order of merging, and bytes
 * from anywhere are a look or an error.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "base/rand.h"
#include "judge/look.h"

static struct look one, two, three;
static unsigned char bytes[LOOK_BYTES_MAX], again[LOOK_BYTES_MAX];

/* `big`: numbers as large as they may be. */
static void fill(struct rand *rand, struct look *look, bool big)
{
  uint64_t most = big ? M_COUNT_MAX : 1000;
  look_init(look, rand_u64(rand) % 1000, 2 + (uint32_t)(rand_u64(rand) % 7));
  look->elapsed_ms = rand_u64(rand) % 2000;
  look->loaded_ms = rand_u64(rand);
  look->copied = (uint32_t)(rand_u64(rand) % (PLAN_WHOLE + 1));
  look->stale = rand_u64(rand) & 1;
  look->killed = rand_u64(rand) & 1;
  look->uneven = rand_u64(rand) & 1;
  for (uint32_t i = 0; i < look->n_arms; i++) {
    struct look_arm *arm = &look->arms[i];
    look->weights[i] = PLAN_WHOLE / look->n_arms;
    arm->requests = rand_u64(rand) % (most + 1);
    arm->errors = arm->requests / (1 + rand_u64(rand) % 3);
    arm->timeouts = arm->errors / 2;
    arm->timed = arm->requests - arm->errors + arm->timeouts;
    for (int row = 0; row < SLOW_ROWS; row++) arm->slow[row] = arm->timed >> row;
    if (rand_u64(rand) & 1) continue;
    arm->units = rand_u64(rand) % (most + 1);
    arm->costed = arm->requests / 2;
    arm->cpu_us = arm->costed ? most : 0;
    arm->steady_bytes = arm->peak_bytes = most;
    arm->bins[3] = most, arm->bins[31] = 1, arm->features[0][3] = 7, arm->features[7][10] = 9;
    arm->metric.n = big ? UINT32_MAX : 1000;
    int64_t y = (int64_t)(arm->metric.n << MEAN_PARTS_BITS);
    arm->metric.y = -y, arm->metric.x = y;
    arm->metric.yy = arm->metric.xx = (mean_wide)y << MEAN_PARTS_BITS;
    arm->metric.xy = -arm->metric.yy;
    look->calibration[i].at[9] = arm->metric;
  }
  look->n_segments = (uint32_t)(rand_u64(rand) % (PLAN_SEGMENTS_MAX + 1));
  for (uint32_t i = 0; i < look->n_segments; i += 3)
    for (uint32_t arm = 0; arm < look->n_arms; arm++) {
      look->segments[i].requests[arm] = arm ? 5 + arm : most;
      look->segments[i].errors[arm] = arm ? 0 : 2;
      look->segments[i].slow[arm] = arm ? 5 : 1;
    }
  look->agree.at[0] = big ? M_COUNT_MAX / AGREE_COUNTS : 900;
  look->agree.at[64] = 3;
  look->copies_failed = 1;
}

TEST(what_is_written_reads_back)
{
  struct rand rand;
  rand_seed(&rand, 1);
  for (int i = 0; i < 400; i++) {
    struct err err = {0};
    fill(&rand, &one, i % 2);
    EXPECT_INT(look_check(&one, &err), OK);
    struct varint_out out = {bytes, 0, sizeof bytes, false};
    look_write(&one, &out);
    EXPECT(!out.full);
    struct slice text = {(const char *)bytes, out.len};
    EXPECT_INT(look_read(&two, &text, &err), OK);
    EXPECT_INT(text.len, 0);
    EXPECT(memcmp(&one, &two, sizeof one) == 0);
  }
}

TEST(a_quiet_look_is_a_few_bytes)
{
  look_init(&one, 5, 2);
  one.weights[1] = PLAN_WHOLE;
  struct varint_out out = {bytes, 0, sizeof bytes, false};
  look_write(&one, &out);
  EXPECT(out.len <= 20);
}

TEST(every_cut_and_most_changes_of_the_bytes_are_refused)
{
  struct rand rand;
  rand_seed(&rand, 2);
  fill(&rand, &one, false);
  struct varint_out out = {bytes, 0, sizeof bytes, false};
  look_write(&one, &out);
  for (size_t i = 0; i < out.len; i++) {
    struct slice text = {(const char *)bytes, i};
    EXPECT(look_read(&two, &text, NULL) != OK);
    EXPECT_INT(text.len, i);
  }
  for (size_t i = 0; i < out.len * 8; i++) {
    memcpy(again, bytes, out.len);
    again[i / 8] ^= (unsigned char)(1 << i % 8);
    struct slice text = {(const char *)again, out.len};
    if (look_read(&two, &text, NULL) != OK) continue;
    /* What is taken is what look_write writes: one form for each look. */
    size_t eaten = out.len - text.len;
    struct varint_out back = {again, 0, sizeof again, false};
    static unsigned char changed[LOOK_BYTES_MAX];
    memcpy(changed, again, eaten);
    look_write(&two, &back);
    EXPECT_INT(back.len, eaten);
    EXPECT(memcmp(changed, again, eaten) == 0);
  }
}

/* An old ledger's evidence is judged as it was: every answer was measured. */
TEST(a_look_of_version_1_is_read_as_it_was_meant)
{
  static const unsigned char old[] = {0x01, 0x03, 0xe8, 0x07, 0x88, 0x27, 0x02, 0x00, 0x00, 0xc0,
                                      0x96, 0xb1, 0x02, 0xc0, 0xab, 0xa6, 0x2d, 0x00, 0x03, 0x0a,
                                      0x02, 0x00, 0x00, 0x08, 0x00, 0x03, 0x04, 0x84, 0x07, 0x00,
                                      0x4a, 0x14, 0x00, 0x01, 0x14, 0x00, 0x03, 0x07, 0xe8, 0x07,
                                      0x80, 0x20, 0x80, 0x20, 0x00, 0x8b, 0x01};
  struct slice text = {(const char *)old, sizeof old};
  EXPECT_INT(look_read(&one, &text, NULL), OK);
  EXPECT_INT(text.len, 0);
  EXPECT_INT(one.number, 3);
  EXPECT_INT(one.arms[0].requests, 10);
  EXPECT_INT(one.arms[0].cpu_us, 900);
  EXPECT_INT(one.arms[0].costed, 8);
  EXPECT_INT(one.arms[1].cpu_us, 1000);
  EXPECT_INT(one.arms[1].costed, 20);
  EXPECT_INT(one.arms[1].peak_bytes, 4096);
}

/* Version 2 had no calibration: what follows the metric is the next arm. */
TEST(a_look_of_version_2_is_read_as_it_was_meant)
{
  static const unsigned char old[] = {
      0x02, 0x07, 0xe8, 0x07, 0x88, 0x27, 0x02, 0x00, 0x00, 0xc0, 0x96, 0xb1, 0x02, 0xc0, 0xab,
      0xa6, 0x2d, 0x00, 0x03, 0x0a, 0x00, 0x01, 0x0a, 0x00, 0x03, 0x0a, 0x00, 0x43, 0x03, 0x80,
      0x80, 0x80, 0x80, 0x10, 0x00, 0x00, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40,
      0x00, 0x04, 0x1e, 0x00, 0x01, 0x1e, 0x0f, 0x00, 0x47, 0x05, 0x80, 0x80, 0x80, 0x80, 0x10,
      0x00, 0x00, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40, 0x00, 0x46, 0x09};
  struct slice text = {(const char *)old, sizeof old};
  EXPECT_INT(look_read(&one, &text, NULL), OK);
  EXPECT_INT(text.len, 0);
  EXPECT_INT(one.number, 7);
  EXPECT_INT(one.arms[0].requests, 10);
  EXPECT_INT(one.arms[0].metric.n, 3);
  EXPECT_INT(one.arms[1].requests, 30);
  EXPECT_INT(one.arms[1].metric.n, 5);
  EXPECT_INT((int64_t)calibration_count(&one.calibration[0]), 0);
  EXPECT_INT(one.copies_shed, 9);
}

/* Version 3 had two sides of a segment. Of two arms they are the arms; of three, nobody's. */
TEST(a_look_of_version_3_has_segments_of_two_arms_alone)
{
  static const unsigned char of_two[] = {0x03, 0x05, 0x00, 0x01, 0x02, 0x01, 0xe8,
                                         0x07, 0xe8, 0x07, 0x00, 0xe3, 0x02, 0x1e,
                                         0x03, 0x00, 0x00, 0x3c, 0x01, 0x00, 0x43};
  static const unsigned char of_three[] = {0x03, 0x05, 0x00, 0x01, 0x03, 0x01, 0xe8, 0x07,
                                           0xe8, 0x07, 0xe8, 0x07, 0x00, 0x93, 0x04, 0x1e,
                                           0x03, 0x00, 0x00, 0x3c, 0x01, 0x00, 0x43};
  for (uint32_t n_arms = 2; n_arms <= 3; n_arms++) {
    struct slice text = {(const char *)(n_arms == 2 ? of_two : of_three),
                         n_arms == 2 ? sizeof of_two : sizeof of_three};
    EXPECT_INT(look_read(&one, &text, NULL), OK);
    EXPECT_INT(text.len, 0);
    EXPECT_INT(one.n_arms, n_arms);
    EXPECT_INT(one.n_segments, 1);
    EXPECT_INT(one.segments[0].requests[0], n_arms == 2 ? 30 : 0);
    EXPECT_INT(one.segments[0].errors[0], n_arms == 2 ? 3 : 0);
    EXPECT_INT(one.segments[0].requests[1], n_arms == 2 ? 60 : 0);
  }
}

TEST(random_bytes_are_refused_or_are_a_look)
{
  struct rand rand;
  rand_seed(&rand, 3);
  for (int i = 0; i < 20000; i++) {
    size_t len = rand_u64(&rand) % 64;
    for (size_t j = 0; j < len; j++) bytes[j] = (unsigned char)(rand_u64(&rand) % 5);
    bytes[0] = LOOK_VERSION;
    struct slice text = {(const char *)bytes, len};
    if (look_read(&one, &text, NULL) == OK) EXPECT_INT(look_check(&one, NULL), OK);
  }
}

static void two_arms(struct look *look)
{
  for (uint32_t i = 0; i < PLAN_SEGMENTS_MAX; i++)
    for (uint32_t arm = 2; arm < ARMS_MAX; arm++)
      look->segments[i].requests[arm] = look->segments[i].errors[arm] =
          look->segments[i].slow[arm] = 0;
}

TEST(merging_does_not_know_an_order)
{
  struct rand rand;
  static struct look a, b, c;
  rand_seed(&rand, 4);
  for (int i = 0; i < 50; i++) {
    fill(&rand, &a, false), fill(&rand, &b, false), fill(&rand, &c, false);
    a.n_arms = b.n_arms = c.n_arms = 2;
    two_arms(&a), two_arms(&b), two_arms(&c);
    a.number = b.number = c.number = 0;
    memcpy(b.weights, a.weights, sizeof a.weights), memcpy(c.weights, a.weights, sizeof a.weights);
    b.copied = c.copied = a.copied;
    one = a, look_merge(&one, &b), look_merge(&one, &c);
    two = b, look_merge(&two, &c);
    three = a, look_merge(&three, &two);
    look_merge(&two, &a);
    two.number = three.number;
    for (uint32_t arm = 2; arm < ARMS_MAX; arm++)
      memset(&one.arms[arm], 0, sizeof one.arms[arm]),
          memset(&two.arms[arm], 0, sizeof one.arms[arm]),
          memset(&three.arms[arm], 0, sizeof one.arms[arm]),
          memset(&one.calibration[arm], 0, sizeof *one.calibration),
          memset(&two.calibration[arm], 0, sizeof *one.calibration),
          memset(&three.calibration[arm], 0, sizeof *one.calibration);
    EXPECT(memcmp(&one, &three, sizeof one) == 0);
    EXPECT(memcmp(&one, &two, sizeof one) == 0);
  }
}

TEST(counts_that_cannot_be_are_named)
{
  struct err err;
  look_init(&one, 0, 2);
  one.arms[1].requests = 5, one.arms[1].errors = 6;
  EXPECT_INT(look_check(&one, &err), E_VALUE_OUT_OF_RANGE);
  EXPECT_STR(err.field, "arms[1].errors");
  one.arms[1].errors = 0, one.arms[1].requests = M_COUNT_MAX + 1;
  EXPECT_INT(look_check(&one, &err), E_VALUE_OUT_OF_RANGE);
  EXPECT_STR(err.field, "arms[1].requests");
  look_init(&one, 0, 2);
  one.weights[0] = one.weights[1] = PLAN_WHOLE;
  EXPECT_INT(look_check(&one, &err), E_VALUE_OUT_OF_RANGE);
  look_init(&one, 0, 9);
  EXPECT_INT(look_check(&one, &err), E_VALUE_OUT_OF_RANGE);
  look_init(&one, 0, 2);
  one.arms[0].metric.n = 1, one.arms[0].metric.y = INT64_MIN;
  EXPECT_INT(look_check(&one, &err), E_VALUE_OUT_OF_RANGE);
  look_init(&one, 0, 2);
  one.arms[0].slow[2] = 1;
  EXPECT_INT(look_check(&one, &err), E_VALUE_OUT_OF_RANGE);
  EXPECT_STR(err.field, "arms[0].slow[2]");
}

TEST(latency_rows_are_whole_buckets_and_a_timeout_is_slow_in_each)
{
  static struct sketch sketch;
  struct slow slow = {.us = {1024, 2048}, .used = {true, true}, .rows = 2};
  struct look_arm arm = {.requests = 8, .errors = 2, .timeouts = 2};
  memset(&sketch, 0, sizeof sketch);
  sketch_add(&sketch, 1023), sketch_add(&sketch, 1024), sketch_add(&sketch, 5000);
  look_latency(&arm, &slow, &sketch);
  EXPECT_INT(arm.timed, 5);
  EXPECT_INT(arm.slow[0], 4);
  EXPECT_INT(arm.slow[1], 3);
  EXPECT_INT(arm.slow[2], 0);
}
