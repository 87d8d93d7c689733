/* varint_test.c - one form for each number; whatever else is refused.
 * SPDX-License-Identifier: MIT */
#include "stat/varint.h"

#include "base/rand.h"
#include "test.h"

static size_t put(unsigned char *to, size_t cap, uint64_t value)
{
  struct varint_out out = {to, 0, cap, false};
  varint_put(&out, value);
  return out.full ? 0 : out.len;
}

TEST(what_is_put_is_got)
{
  unsigned char bytes[VARINT_BYTES_MAX];
  struct rand rand;
  rand_seed(&rand, 1);
  for (int i = 0; i < 20000; i++) {
    uint64_t value = rand_u64(&rand) >> (i % 64), got = 0;
    size_t len = put(bytes, sizeof bytes, value);
    struct slice at = slice_of((char *)bytes, len);
    EXPECT(len > 0 && varint_get(&at, &got) && got == value && at.len == 0);
    at = slice_of((char *)bytes, len - 1);
    struct slice before = at;
    EXPECT(!varint_get(&at, &got) && at.at == before.at && at.len == before.len);
  }
}

TEST(lengths)
{
  unsigned char bytes[VARINT_BYTES_MAX];
  EXPECT_INT(put(bytes, sizeof bytes, 0), 1);
  EXPECT_INT(put(bytes, sizeof bytes, 127), 1);
  EXPECT_INT(put(bytes, sizeof bytes, 128), 2);
  EXPECT_INT(put(bytes, sizeof bytes, UINT64_MAX), 10);
}

TEST(what_does_not_fit_is_not_written)
{
  unsigned char bytes[4] = {9, 9, 9, 9};
  struct varint_out out = {bytes, 0, 3, false};
  varint_put(&out, 300), varint_put(&out, 300);
  EXPECT(out.full && out.len == 2 && bytes[2] == 9);
  varint_put(&out, 1); /* would fit, but something before it is missing */
  EXPECT(out.full && out.len == 2);
}

TEST(other_forms_are_refused)
{
  uint64_t got;
  struct slice longer = SLICE("\x81\x00"), over = SLICE("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02");
  struct slice endless = SLICE("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"), none = {0};
  EXPECT(!varint_get(&longer, &got) && longer.len == 2);
  EXPECT(!varint_get(&over, &got));
  EXPECT(!varint_get(&endless, &got));
  EXPECT(!varint_get(&none, &got));
}
