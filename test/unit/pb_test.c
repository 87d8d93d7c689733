/* pb_test.c - the protobuf wire format: the specification's own examples, limits, every cut.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "wire/pb.h"

#include "test.h"

static bool next(struct slice bytes, struct pb_field *field)
{
  struct pb pb = pb_of(bytes);
  return pb_next(&pb, field) && pb.at == pb.end;
}

TEST(the_examples_of_the_specification)
{
  struct pb_field field;
  EXPECT(next(SLICE("\x08\x96\x01"), &field));
  EXPECT(pb_is(&field, 1, PB_VARINT) && field.value == 150);
  EXPECT(next(SLICE("\x12\x07testing"), &field));
  EXPECT(pb_is(&field, 2, PB_BYTES) && slice_eq(field.bytes, SLICE("testing")));
  EXPECT(next(SLICE("\x1a\x03\x08\x96\x01"), &field));
  EXPECT(pb_is(&field, 3, PB_BYTES) && field.bytes.len == 3);
  EXPECT(next(SLICE("\x08\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"), &field));
  EXPECT((int64_t)field.value == -2);
  EXPECT(next(SLICE("\x25\x00\x00\x80\x3f"), &field));
  EXPECT(pb_is(&field, 4, PB_FIXED32) && field.value == 0x3f800000);
  EXPECT(next(SLICE("\x21\x00\x00\x00\x00\x00\x00\xf0\x3f"), &field));
  EXPECT(pb_is(&field, 4, PB_FIXED64) && field.value == UINT64_C(0x3ff0000000000000));
}

/* GR-102: groups are refused where they begin, so that none is nested. */
TEST(what_is_not_protobuf_is_refused)
{
  struct pb_field field;
  EXPECT(!next(SLICE("\x00\x01"), &field));  /* field number 0 */
  EXPECT(!next(SLICE("\x0b\x0c"), &field));  /* a group */
  EXPECT(!next(SLICE("\x0e\x01"), &field));  /* kind 6 */
  EXPECT(!next(SLICE("\x12\x02x"), &field)); /* one byte short */
  EXPECT(!next(SLICE("\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), &field));
  EXPECT(!next(SLICE("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), &field)); /* 65 bits */
  EXPECT(!next(SLICE("\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"), &field));
  EXPECT(!next(SLICE("\x88\x80\x80\x80\x10\x01"), &field)); /* a tag past 32 bits */
  EXPECT(!next(SLICE_NONE, &field));
}

TEST(every_cut_is_seen)
{
  struct slice whole = SLICE(
      "\x08\x96\x01\x12\x03"
      "abc"
      "\x25zzzz\x21"
      "12345678");
  struct pb_field field;
  for (size_t cut = 0; cut <= whole.len; cut++) {
    struct pb pb = pb_of(slice_of(whole.at, cut));
    while (pb_next(&pb, &field)) continue;
    bool edge = cut == 0 || cut == 3 || cut == 8 || cut == 13 || cut == whole.len;
    EXPECT((pb.at == pb.end) == edge);
  }
}

TEST(packed_numbers_are_counted)
{
  uint64_t n;
  EXPECT(pb_packed_count(SLICE("\x03\x8e\x02\x9e\xa7\x05"), &n) && n == 3);
  EXPECT(pb_packed_count(SLICE_NONE, &n) && n == 0);
  EXPECT(!pb_packed_count(SLICE("\x03\x8e"), &n));
  EXPECT(!pb_packed_count(SLICE("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), &n));
}

TEST(what_is_written_is_read)
{
  static const uint64_t values[] = {0, 1, 127, 128, 150, 16383, 16384, UINT32_MAX, UINT64_MAX};
  char bytes[64];
  struct pb_field field;
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
    char *end = pb_put_number(bytes, 536870911, values[i]);
    EXPECT_INT(end - bytes, PB_TAG_MAX + pb_varint_len(values[i]));
    EXPECT(next(slice_of(bytes, (size_t)(end - bytes)), &field));
    EXPECT(pb_is(&field, 536870911, PB_VARINT) && field.value == values[i]);
  }
  char *end = pb_put_bytes(bytes, 7, SLICE("seven"));
  EXPECT_INT(end - bytes, pb_bytes_len(7, 5));
  EXPECT(next(slice_of(bytes, (size_t)(end - bytes)), &field));
  EXPECT(pb_is(&field, 7, PB_BYTES) && slice_eq(field.bytes, SLICE("seven")));
  double half;
  end = pb_put_double(bytes, 4, 0.5);
  EXPECT(next(slice_of(bytes, (size_t)(end - bytes)), &field));
  memcpy(&half, &field.value, sizeof half);
  EXPECT(pb_is(&field, 4, PB_FIXED64) && half == 0.5);
}
