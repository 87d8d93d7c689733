/* json_num_test.c - number tokens: the quick way against base/text.h, over millions of decimals.
 * TEST_NUMBERS sets how many random decimals are tried (default 2,000,000).
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "base/rand.h"
#include "test.h"
#include "wire/json_int.h"

static uint64_t quick, slow;

/* Both ways must give the same bits; the C library is the third witness. */
static void agree(const char *text, size_t len)
{
  struct json_number number;
  char copy[128];
  const char *end = text + len;
  EXPECT(json_number_scan(text, end, &number) == end);
  if (json_number_is_quick(&number))
    quick++;
  else
    slow++;
  memcpy(copy, text, len);
  copy[len] = '\0';
  float f = 7, f_want = strtof(copy, NULL);
  double d = 7, d_want = strtod(copy, NULL);
  bool f_fits = json_number_to_f32(&number, text, end, &f);
  bool d_fits = json_number_to_f64(&number, text, end, &d);
  bool f_same = isinf(f_want) ? !f_fits : f_fits && memcmp(&f, &f_want, sizeof f) == 0;
  bool d_same = isinf(d_want) ? !d_fits : d_fits && memcmp(&d, &d_want, sizeof d) == 0;
  if (f_same && d_same) return;
  printf("%s: %a %a, expected %a %a\n", copy, (double)f, d, (double)f_want, d_want);
  test_failures++;
}

static size_t number_make(struct rand *rand, char *to)
{
  uint64_t chance = rand_u64(rand);
  size_t len = 0;
  if (chance & 1) to[len++] = '-';
  int whole = (int)(chance >> 1 & 7) * (int)(chance >> 4 & 3), part = (int)(chance >> 6 & 31) - 6;
  if (whole == 0) to[len++] = '0';
  for (int i = 0; i < whole; i++)
    to[len++] = (char)('0' + (i ? rand_u64(rand) % 10 : 1 + rand_u64(rand) % 9));
  if (part > 0) to[len++] = '.';
  for (int i = 0; i < part; i++) to[len++] = (char)('0' + rand_u64(rand) % 10);
  if ((chance >> 11 & 3) == 0)
    len += (size_t)sprintf(to + len, "e%d", (int)(chance >> 13 & 127) - 64);
  return len;
}

static uint64_t tries(void)
{
  const char *asked = getenv("TEST_NUMBERS");
  return asked ? strtoull(asked, NULL, 10) : 2000000;
}

TEST(number_random_decimals)
{
  struct rand rand;
  char text[128];
  rand_seed(&rand, 20240601);
  for (uint64_t i = 0, n = tries() / 2; i < n && test_failures < 10; i++)
    agree(text, number_make(&rand, text));
  EXPECT(quick > slow / 4);
}

/* Floats printed as doubles and shortest, and the exact middles between two floats and their
 * neighbours in the 17th digit: where rounding twice goes wrong. */
TEST(number_near_the_middle_of_floats)
{
  struct rand rand;
  char text[128];
  rand_seed(&rand, 77);
  for (uint64_t i = 0, n = tries() / 8; i < n && test_failures < 10; i++) {
    uint32_t bits = (uint32_t)rand_u64(&rand) & 0x7fffffff;
    if ((i & 1) != 0) bits = 0x3f800000u - 0x8000000u + bits % 0x10000000u; /* near 1 */
    float low, high;
    memcpy(&low, &bits, 4);
    bits++;
    memcpy(&high, &bits, 4);
    if (!isfinite(low) || !isfinite(high)) continue;
    double middle = ((double)low + (double)high) / 2;
    agree(text, text_print_f32(text, low));
    agree(text, text_print_f64(text, (double)low));
    agree(text, (size_t)sprintf(text, "%.17g", middle));
    agree(text, (size_t)sprintf(text, "%.18g", middle));
    agree(text, (size_t)sprintf(text, "%.19g", middle));
    agree(text, (size_t)sprintf(text, "%.17g", nextafter(middle, 0)));
    agree(text, (size_t)sprintf(text, "%.16g", nextafter(middle, INFINITY)));
    agree(text, (size_t)sprintf(text, "%.40g", middle));
  }
}

/* A token whose double is the middle of two floats though its value is not: a float taken from that
 * double would be the even neighbour. The guard must send it to the slow way. */
TEST(number_double_rounding_would_be_wrong)
{
  struct json_number number;
  const char *text = "1.00000005960464477540"; /* just above 1 + 2^-24 */
  float f = 0;
  EXPECT((float)strtod(text, NULL) == 1.0f);
  json_number_scan(text, text + strlen(text), &number);
  EXPECT(json_number_to_f32(&number, text, text + strlen(text), &f));
  EXPECT(f == 1.00000011920928955078125f);
  agree(text, strlen(text));
  agree("1.0000000596046448", 18);
  agree("1.00000005960464477", 19);
  agree("16777217", 8);
  agree("16777219", 8);
  agree("9007199254740993", 16);
  agree("9007199791611905", 16);
}

TEST(number_edges)
{
  static const char *const edges[] = {
      "0",
      "-0",
      "0.0",
      "-0.0",
      "0e5",
      "-0e-5",
      "0e999999999999",
      "1e-45",
      "7.1e-46",
      "7.0e-46",
      "1e-46",
      "-1e-46",
      "1.17549435e-38",
      "1.1754943e-38",
      "3.4028235e38",
      "3.4028234663852886e38",
      "3.40282356779733661637e38",
      "3.40282356779733661638e38",
      "3.4028236e38",
      "1e39",
      "-1e39",
      "1e308",
      "1.7976931348623157e308",
      "1.7976931348623159e308",
      "1e309",
      "-1e400",
      "1e-400",
      "5e-324",
      "2.4703282292062327e-324",
      "2.4703282292062328e-324",
      "1e-99999999999999999999",
      "1e99999999999999999999",
      "18446744073709551615",
      "18446744073709551616",
      "9999999999999999999",
      "9223372036854775807",
      "9223372036854775808",
      "99999999999999999999",
      "9999999999999999999e19",
      "0.00000000000000000000000000000000000000000000000001e50",
      "123456789012345678901234567890e-30",
      "1000000000000000000000000000000000000000000000000000000000e-57",
      "1e22",
      "1e23",
      "1e-22",
      "1e-23",
      "4.35",
      "0.3",
      "2.2250738585072011e-308",
      "2.2250738585072012e-308",
      "8.5e37",
      "0.1e-0",
      "1E+2"};
  for (size_t i = 0; i < sizeof edges / sizeof *edges; i++) agree(edges[i], strlen(edges[i]));
}

TEST(number_too_small_is_a_signed_zero)
{
  struct json_number number;
  const char *text = "-1e-400";
  float f = 1;
  double d = 1;
  json_number_scan(text, text + 7, &number);
  EXPECT(json_number_to_f32(&number, text, text + 7, &f) && f == 0 && signbit(f));
  EXPECT(json_number_to_f64(&number, text, text + 7, &d) && d == 0 && signbit(d));
}

TEST(number_integers)
{
  static const struct {
    const char *text;
    bool i_fits, u_fits;
    uint64_t value;
  } rows[] = {
      {"0", true, true, 0},
      {"-0", true, true, 0},
      {"9007199254740993", true, true, 9007199254740993u},
      {"9223372036854775807", true, true, INT64_MAX},
      {"-9223372036854775808", true, false, (uint64_t)INT64_MIN},
      {"9223372036854775808", false, true, UINT64_C(1) << 63},
      {"-9223372036854775809", false, false, 0},
      {"18446744073709551615", false, true, UINT64_MAX},
      {"18446744073709551616", false, false, 0},
      {"28446744073709551615", false, false, 0},
      {"99999999999999999999", false, false, 0},
      {"100000000000000000000", false, false, 0},
      {"-1", true, false, UINT64_MAX},
      {"-18446744073709551615", false, false, 0},
  };
  for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
    int64_t i = 1;
    uint64_t u = 1;
    bool over = false;
    struct slice token = slice_str(rows[k].text);
    EXPECT(json_number_i64(token, &i, &over) == rows[k].i_fits && over == !rows[k].i_fits);
    if (rows[k].i_fits) EXPECT((uint64_t)i == rows[k].value);
    EXPECT(json_number_u64(token, &u, &over) == rows[k].u_fits && over == !rows[k].u_fits);
    if (rows[k].u_fits) EXPECT(u == rows[k].value);
  }
  static const char *const wrong[] = {"1.0", "1e0", "", "-", "1x", "x", "01", "1.5"};
  for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
    int64_t i;
    uint64_t u;
    bool over = true;
    EXPECT(!json_number_i64(slice_str(wrong[k]), &i, &over) && !over);
    EXPECT(!json_number_u64(slice_str(wrong[k]), &u, &over) && !over);
  }
}
