/* text_test.c - every number survives the way to text and back, by the shortest one.
 * SPDX-License-Identifier: MIT */
#include "base/text.h"

#include <float.h>

#include "base/rand.h"
#include "test.h"

static const char *f32(float value)
{
  static char text[TEXT_NUMBER_MAX + 1];
  text[text_print_f32(text, value)] = '\0';
  return text;
}

static const char *f64(double value)
{
  static char text[TEXT_NUMBER_MAX + 1];
  text[text_print_f64(text, value)] = '\0';
  return text;
}

TEST(well_known_numbers)
{
  EXPECT_STR(f32(0.1f), "0.1");
  EXPECT_STR(f64(0.1), "0.1");
  EXPECT_STR(f64((double)0.1f), "0.10000000149011612");
  EXPECT_STR(f32(1), "1");
  EXPECT_STR(f32(-0.0f), "-0.0");
  EXPECT_STR(f64(1e23), "1e+23");
  EXPECT_STR(f64(1469685228508526411776.0), "1.4696852285085264e+21"); /* no reader's integer */
  EXPECT_STR(f64(-9223372036854775808.0), "-9.223372036854776e+18");
  EXPECT_STR(f64(9223372036854774784.0), "9223372036854774784");
  EXPECT_STR(f64(5e-324), "5e-324");
  EXPECT_STR(f64(DBL_MAX), "1.7976931348623157e+308");
  EXPECT_STR(f32(16777216.0f), "16777216");
}

/* Length of the shortest scientific notation that reads back, found by trying. */
static size_t scientific(double value, bool single)
{
  char text[40];
  for (int precision = 0; precision < 17; precision++) {
    snprintf(text, sizeof text, "%.*e", precision, value);
    if (single ? strtof(text, NULL) == (float)value : strtod(text, NULL) == value) break;
  }
  return strlen(text);
}

TEST(every_float_comes_back_from_the_shortest_text)
{
  struct rand rand;
  int wrong = 0, tried = 0;
  rand_seed(&rand, 11);
  while (tried < 50000) {
    uint32_t bits = (uint32_t)rand_u64(&rand);
    float value, back = 0;
    bool over;
    memcpy(&value, &bits, sizeof value);
    if (!isfinite(value)) continue;
    const char *text = f32(value);
    tried++;
    wrong += !text_read_f32(text, strlen(text), &back, &over) || over;
    wrong += memcmp(&back, &value, sizeof back) != 0;
    wrong += strlen(text) > scientific((double)value, true);
  }
  EXPECT_INT(wrong, 0);
}

TEST(every_double_comes_back_from_the_shortest_text)
{
  struct rand rand;
  int wrong = 0, tried = 0;
  rand_seed(&rand, 12);
  while (tried < 20000) {
    uint64_t bits = rand_u64(&rand);
    double value, back = 0;
    bool over;
    memcpy(&value, &bits, sizeof value);
    if (!isfinite(value)) continue;
    const char *text = f64(value);
    tried++;
    wrong += !text_read_f64(text, strlen(text), &back, &over) || over;
    wrong += memcmp(&back, &value, sizeof back) != 0;
    wrong += strlen(text) > scientific(value, false);
  }
  EXPECT_INT(wrong, 0);
}

TEST(whole_numbers_to_the_last_digit)
{
  char text[TEXT_NUMBER_MAX + 1];
  text[text_print_i64(text, INT64_MIN)] = '\0';
  EXPECT_STR(text, "-9223372036854775808");
  text[text_print_i64(text, INT64_MAX)] = '\0';
  EXPECT_STR(text, "9223372036854775807");
  text[text_print_u64(text, UINT64_MAX)] = '\0';
  EXPECT_STR(text, "18446744073709551615");
  text[text_print_i64(text, 0)] = '\0';
  EXPECT_STR(text, "0");
}

static bool reads(const char *text)
{
  double value;
  bool over;
  return text_read_f64(text, strlen(text), &value, &over);
}

TEST(only_whole_numbers_are_read)
{
  EXPECT(reads("0") && reads("-0") && reads("1e5") && reads("1E-5") && reads("-12.5e+3"));
  EXPECT(!reads("") && !reads("-") && !reads("+1") && !reads(" 1") && !reads("1 ") && !reads("1x"));
  EXPECT(!reads("nan") && !reads("inf") && !reads("-inf") && !reads("-nan") && !reads(".5"));
  EXPECT(!reads("-.5") && !reads("0x10") && !reads("1e") && !reads("1e+") && !reads("1,5"));
}

TEST(beyond_the_type_is_said)
{
  float f = 0;
  double d = 0;
  bool over = false;
  EXPECT(text_read_f32("1e39", 4, &f, &over) && over);
  EXPECT(text_read_f64("1e39", 4, &d, &over) && !over && d == 1e39);
  EXPECT(text_read_f64("-1e400", 6, &d, &over) && over);
  EXPECT(text_read_f32("3.4028234663852886e38", 21, &f, &over) && !over && f == FLT_MAX);
  EXPECT(!text_read_f32("1e39x", 5, &f, &over));
}

/* Half way between 1 and the next float, plus a little: going by way of double would round
 * twice. */
TEST(no_double_rounding)
{
  static const char text[] = "1.000000059604644775390625000000000000001";
  float value = 0;
  bool over;
  EXPECT(text_read_f32(text, sizeof text - 1, &value, &over));
  EXPECT(value == nextafterf(1.0f, 2.0f));
  EXPECT((float)strtod(text, NULL) == 1.0f); /* so the case bites */
}

TEST(whole_numbers_are_digits_and_nothing_else)
{
  static const struct {
    struct slice text;
    uint64_t max, value;
    bool good;
  } rows[] = {
      {SLICE("0"), 0, 0, true},
      {SLICE("7"), UINT64_MAX, 7, true},
      {SLICE("1234567890"), 1234567890, 1234567890, true},
      {SLICE("1234567891"), 1234567890, 0, false},
      {SLICE("18446744073709551615"), UINT64_MAX, UINT64_MAX, true},
      {SLICE("18446744073709551615"), UINT64_MAX - 1, 0, false},
      {SLICE("18446744073709551616"), UINT64_MAX, 0, false},
      {SLICE("184467440737095516150"), UINT64_MAX, 0, false},
      {SLICE("99999999999999999999999999"), UINT64_MAX, 0, false},
      {SLICE(""), 9, 0, false},
      {SLICE("00"), 9, 0, false},
      {SLICE("02"), 9, 0, false},
      {SLICE("+1"), 9, 0, false},
      {SLICE("-1"), 9, 0, false},
      {SLICE(" 1"), 9, 0, false},
      {SLICE("1 "), 9, 0, false},
      {SLICE("1\0"), 9, 0, false},
      {SLICE("1e3"), UINT64_MAX, 0, false},
      {SLICE("0x1"), UINT64_MAX, 0, false},
      {SLICE("1.0"), UINT64_MAX, 0, false},
      {SLICE("/"), 99, 0, false},
      {SLICE(":"), 99, 0, false},
      {SLICE("\xb1"), 999, 0, false},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    uint64_t value = 77;
    EXPECT_INT(text_read_u64(rows[i].text, rows[i].max, &value), rows[i].good);
    EXPECT(value == (rows[i].good ? rows[i].value : 77));
  }
  uint64_t value = 0;
  EXPECT(!text_read_u64(SLICE_NONE, 9, &value));
}

/* The fewest digits that read back, found the slow way. */
static int digits_needed(float value)
{
  for (int digits = 1; digits < 9; digits++) {
    char text[64];
    snprintf(text, sizeof text, "%.*g", digits, (double)value);
    if (strtof(text, NULL) == value) return digits;
  }
  return 9;
}

static int digits_in(const char *text)
{
  int digits = 0, zeros = 0;
  for (; *text && *text != 'e'; text++) {
    if (*text < '0' || *text > '9' || (*text == '0' && digits == 0)) continue;
    zeros = *text == '0' ? zeros + 1 : 0;
    digits++;
  }
  return digits - zeros;
}

/* Short decimals take a path of their own: it must give as few digits as any other. */
TEST(short_floats_print_as_few_digits_as_read_back)
{
  struct rand chance;
  rand_seed(&chance, 20);
  uint32_t wrong = 0, n = 300000;
  for (uint32_t i = 0; i < n && wrong < 5; i++) {
    static const float scales[] = {1e0F, 1e1F, 1e2F, 1e3F, 1e4F, 1e5F, 1e6F, 1e7F, 1e8F};
    uint64_t r = rand_u64(&chance);
    float value = (float)(r % 10000000) / scales[r >> 32 & 7];
    if (i % 4 == 1) value = nextafterf(value, i % 8 == 1 ? 0 : INFINITY);
    if (i % 4 == 2) value = (float)rand_unit(&chance) * scales[r >> 40 & 3];
    if (i % 4 == 3) value = ldexpf(1, (int)(r % 28) - 10);
    if (r >> 63) value = -value;
    const char *text = f32(value);
    bool good = strtof(text, NULL) == value && digits_in(text) == digits_needed(value);
    if (!good && ++wrong) printf("%s of %.9g\n", text, (double)value);
  }
  EXPECT_INT(wrong, 0);
  EXPECT_STR(f32(0.001f), "0.001");
  EXPECT_STR(f32(99999), "99999");
  EXPECT_STR(f32(100000), "1e+05");
  EXPECT_STR(f32(0.5f), "0.5");
  EXPECT_STR(f32(-12.75f), "-12.75");
  EXPECT_STR(f32(1.0f / 3), "0.33333334");
}
