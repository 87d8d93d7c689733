/* sketch_test.c - buckets as specified, exact merging, exact counts at edges, a form at rest that
 * takes hostile bytes.
 * SPDX-License-Identifier: MIT */
#include "stat/sketch.h"

#include "base/rand.h"
#include "test.h"

static uint64_t latency(struct rand *rand) { return (uint64_t)exp(rand_unit(rand) * 20); }

static void fill(struct sketch *sketch, uint64_t seed, int n)
{
  struct rand rand;
  rand_seed(&rand, seed);
  memset(sketch, 0, sizeof *sketch);
  for (int i = 0; i < n; i++) sketch_add(sketch, latency(&rand));
}

static bool same(const struct sketch *a, const struct sketch *b)
{
  return memcmp(a, b, sizeof *a) == 0;
}

TEST(edges_are_those_of_the_specification)
{
  for (uint32_t i = 0; i < 64; i++) EXPECT_INT(sketch_edge(i), i + 1);
  uint32_t bucket = 63;
  for (uint32_t k = 0; k + 6 < SKETCH_TOP; k++)
    for (uint64_t j = 0; j < 64; j++) EXPECT_INT(sketch_edge(bucket++), (64 + j) << k);
  EXPECT_INT(bucket, SKETCH_BUCKETS - 2);
  EXPECT_INT(sketch_edge(SKETCH_BUCKETS - 2), 1 << SKETCH_TOP);
  EXPECT(sketch_edge(SKETCH_BUCKETS - 1) == UINT64_MAX && sketch_edge(UINT32_MAX) == UINT64_MAX);
}

TEST(every_value_lies_in_its_bucket_and_none_is_wide)
{
  for (uint32_t i = 0; i + 1 < SKETCH_BUCKETS; i++) {
    uint64_t low = i ? sketch_edge(i - 1) : 0, high = sketch_edge(i);
    EXPECT_INT(sketch_bucket(low), i);
    EXPECT_INT(sketch_bucket(high - 1), i);
    EXPECT_INT(sketch_bucket(high), i + 1);
    EXPECT(i < 64 || (high - low) * 64 <= low);
    EXPECT(sketch_is_edge(low) && sketch_is_edge(high));
    EXPECT(high - low == 1 || !sketch_is_edge(low + 1));
  }
  EXPECT_INT(sketch_bucket(UINT64_MAX), SKETCH_BUCKETS - 1);
  EXPECT(!sketch_is_edge((UINT64_C(1) << SKETCH_TOP) + 1) && sketch_is_edge(UINT64_MAX));
}

TEST(merging_is_associative_and_commutative)
{
  static struct sketch a, b, c, left, right, bc, back;
  fill(&a, 1, 1000), fill(&b, 2, 3000), fill(&c, 3, 500);
  left = a, sketch_merge(&left, &b), sketch_merge(&left, &c);
  bc = b, sketch_merge(&bc, &c);
  right = a, sketch_merge(&right, &bc);
  back = c, sketch_merge(&back, &b), sketch_merge(&back, &a);
  EXPECT(same(&left, &right) && same(&left, &back));
  EXPECT_INT(left.count, 4500);
}

TEST(any_split_over_loops_gives_the_same)
{
  static struct sketch whole, merged;
  for (uint64_t loops = 1; loops <= 7; loops++) {
    static struct sketch32 parts[7];
    struct rand rand, way;
    rand_seed(&rand, 8), rand_seed(&way, loops);
    memset(&whole, 0, sizeof whole), memset(&merged, 0, sizeof merged);
    memset(parts, 0, sizeof parts);
    for (int i = 0; i < 5000; i++) {
      uint64_t us = latency(&rand);
      sketch_add(&whole, us);
      sketch32_add(&parts[rand_u64(&way) % loops], us);
    }
    for (uint64_t i = loops; i-- > 0;) sketch_merge32(&merged, &parts[i]);
    EXPECT(same(&whole, &merged));
  }
}

TEST(counts_at_edges_are_exact)
{
  static struct sketch sketch;
  enum { VALUES = 5000 };
  static uint64_t values[VALUES];
  struct rand rand;
  rand_seed(&rand, 4);
  for (int i = 0; i < VALUES; i++) sketch_add(&sketch, values[i] = latency(&rand));
  for (uint32_t bucket = 0; bucket < SKETCH_BUCKETS; bucket += 37) {
    uint64_t edge = sketch_edge(bucket), above = 0;
    for (int i = 0; i < VALUES; i++) above += values[i] >= edge;
    EXPECT_INT(sketch_above(&sketch, edge), above);
    EXPECT_INT(sketch_below(&sketch, edge), VALUES - above);
  }
  EXPECT_INT(sketch_above(&sketch, 0), VALUES);
  EXPECT_INT(sketch_above(&sketch, UINT64_MAX), 0);
  EXPECT_CRASH(sketch_above(&sketch, 1001));
}

static int ascending(const void *a, const void *b)
{
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

TEST(quantiles_are_the_upper_edge_and_monotone)
{
  enum { VALUES = 20001 };
  static uint64_t values[VALUES];
  static struct sketch sketch;
  struct rand rand;
  rand_seed(&rand, 5);
  for (int i = 0; i < VALUES; i++) sketch_add(&sketch, values[i] = latency(&rand) % 100000000);
  qsort(values, VALUES, sizeof *values, ascending);
  uint64_t last = 0;
  for (int i = 0; i <= 1000; i++) {
    size_t rank = (size_t)(i / 1000.0 * VALUES);
    uint64_t truth = values[rank < VALUES ? rank : VALUES - 1];
    uint64_t got = sketch_quantile(&sketch, i / 1000.0);
    EXPECT(got > truth && got <= truth + truth / 64 + 1 && got >= last && sketch_is_edge(got));
    last = got;
  }
  memset(&sketch, 0, sizeof sketch);
  EXPECT_INT(sketch_quantile(&sketch, 0.5), 0);
  sketch_add(&sketch, UINT64_MAX);
  EXPECT(sketch_quantile(&sketch, 0.5) == UINT64_MAX);
}

static unsigned char bytes[SKETCH_BYTES_MAX];

static struct slice encoded(const struct sketch *sketch)
{
  struct varint_out out = {bytes, 0, sizeof bytes, false};
  sketch_encode(sketch, &out);
  EXPECT(!out.full);
  return slice_of((char *)bytes, out.len);
}

TEST(the_form_at_rest_comes_back_and_adds)
{
  static struct sketch a, b, back, sum;
  fill(&a, 6, 10000), fill(&b, 7, 300);
  struct slice at = encoded(&a);
  memset(&back, 0, sizeof back);
  EXPECT_INT(sketch_decode(&back, &at, NULL), OK);
  EXPECT(same(&a, &back) && at.len == 0);
  at = encoded(&b);
  EXPECT_INT(sketch_decode(&back, &at, NULL), OK);
  sum = a, sketch_merge(&sum, &b);
  EXPECT(same(&sum, &back));
  memset(&a, 0, sizeof a);
  at = encoded(&a);
  EXPECT_INT(at.len, 2);
  EXPECT_INT(sketch_decode(&back, &at, NULL), OK);
  EXPECT(same(&sum, &back));
  for (uint32_t i = 0; i < SKETCH_BUCKETS; i++) a.at[i] = UINT64_MAX / SKETCH_BUCKETS;
  EXPECT(encoded(&a).len <= SKETCH_BYTES_MAX); /* the bound covers the worst */
}

TEST(ten_seconds_of_history_are_small)
{
  static struct sketch sketch;
  struct rand rand;
  rand_seed(&rand, 9);
  for (int i = 0; i < 10000; i++) { /* median 20 ms, p99 100 ms */
    double normal = 0;
    for (int j = 0; j < 12; j++) normal += rand_unit(&rand);
    sketch_add(&sketch, (uint64_t)(20000 * exp((normal - 6) * 0.6918)));
  }
  size_t len = encoded(&sketch).len;
  printf("10,000 requests take %zu bytes\n", len);
  EXPECT(len < 1500);
}

TEST(hostile_bytes_change_nothing)
{
  static struct sketch sketch, before;
  static unsigned char bad[SKETCH_BYTES_MAX];
  struct rand rand;
  struct err err;
  fill(&sketch, 10, 2000);
  before = sketch;
  size_t len = encoded(&sketch).len, taken = 0;
  for (size_t cut = 0; cut < len; cut++) {
    struct slice at = slice_of((char *)bytes, cut);
    EXPECT(sketch_decode(&sketch, &at, &err) == E_INVALID_ARGUMENT && at.len == cut);
  }
  EXPECT(same(&sketch, &before));
  rand_seed(&rand, 11);
  for (int i = 0; i < 20000; i++) {
    memcpy(bad, bytes, len);
    for (uint64_t n = rand_u64(&rand) % 4 + 1; n; n--)
      bad[rand_u64(&rand) % len] = (unsigned char)rand_u64(&rand);
    struct slice at = slice_of((char *)bad, len);
    if (sketch_decode(&sketch, &at, &err) == OK) {
      struct varint_out out = {(unsigned char *)bytes + len, 0, sizeof bytes - len, false};
      uint64_t sum = 0;
      for (uint32_t j = 0; j < SKETCH_BUCKETS; j++)
        sum += sketch.at[j], sketch.at[j] -= before.at[j];
      EXPECT_INT(sketch.count, sum);
      sketch_encode(&sketch, &out); /* what was taken is what encode writes */
      EXPECT(out.len == len - at.len && memcmp(out.at, bad, out.len) == 0);
      sketch = before;
      taken++;
    }
    EXPECT(same(&sketch, &before));
  }
  EXPECT(taken > 0);
}

TEST(forms_that_encode_never_writes_are_refused)
{
  static struct sketch sketch;
  struct err err;
  static const struct slice bad[] = {
      SLICE("\x02\x00"),                                     /* another version */
      SLICE("\x01\x02\x05\x01\x00\x01"),                     /* the same bucket twice */
      SLICE("\x01\x01\x05\x00"),                             /* an empty bucket */
      SLICE("\x01\x01\x81\x0b\x01"),                         /* bucket 1409: one too far */
      SLICE("\x01\x82\x0b"),                                 /* more buckets than there are */
      SLICE("\x01\x01\x05\x81\x80\x80\x80\x80\x80\x80\x10"), /* 2^53 + 1 */
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    struct slice at = bad[i];
    EXPECT_INT(sketch_decode(&sketch, &at, &err), E_INVALID_ARGUMENT);
    EXPECT_INT(sketch.count, 0);
  }
  struct slice full = SLICE("\x01\x01\x05\x80\x80\x80\x80\x80\x80\x80\x10"), again = full;
  EXPECT_INT(sketch_decode(&sketch, &full, &err), OK);
  EXPECT(sketch.count == UINT64_C(1) << 53);
  EXPECT_INT(sketch_decode(&sketch, &again, &err), E_INVALID_ARGUMENT); /* the sum is too much */
}
