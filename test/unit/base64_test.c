/* base64_test.c - base64 and hex by the vectors of RFC 4648, section 10; other spellings are
 * refused, but for those that base64_read_loose takes.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "base/buf.h"
#include "base/rand.h"
#include "base/text.h"

TEST(base64_of_the_standard)
{
  static const char *const rows[][2] = {{"", ""},
                                        {"f", "Zg=="},
                                        {"fo", "Zm8="},
                                        {"foo", "Zm9v"},
                                        {"foob", "Zm9vYg=="},
                                        {"fooba", "Zm9vYmE="},
                                        {"foobar", "Zm9vYmFy"},
                                        {"\xff\xef\xbf", "/++/"}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char text[32];
    unsigned char bytes[32];
    size_t len;
    EXPECT_INT(base64_write(slice_str(rows[i][0]), text), strlen(rows[i][1]));
    EXPECT_STR(text, rows[i][1]);
    EXPECT_INT(BASE64_LEN(strlen(rows[i][0])), strlen(text));
    EXPECT(base64_read(slice_str(text), bytes, strlen(rows[i][0]), &len));
    EXPECT(slice_eq(slice_of((char *)bytes, len), slice_str(rows[i][0])));
    if (len) EXPECT(!base64_read(slice_str(text), bytes, len - 1, &len));
    for (size_t n = strcspn(text, "="); n <= strlen(text);
         n += strlen(text) - n ? strlen(text) - n : 1) {
      EXPECT(base64_read_loose(slice_of(text, n), bytes, sizeof bytes, &len));
      EXPECT(slice_eq(slice_of((char *)bytes, len), slice_str(rows[i][0])));
    }
  }
}

TEST(other_spellings_of_base64_are_refused)
{
  static const char *const bad[] = {"Z",    "Zg",       "Zg=",   "Zh==",    "Zm9=",
                                    "=m9v", "Z===",     "====",  "Zm9v\n",  "Zm-v",
                                    "Z=9v", "Zg==Zg==", " Zm9v", "Zm9vYg=a"};
  unsigned char bytes[32];
  size_t len;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    if (base64_read(slice_str(bad[i]), bytes, sizeof bytes, &len)) printf("%s\n", bad[i]);
    EXPECT(!base64_read(slice_str(bad[i]), bytes, sizeof bytes, &len));
  }
}

TEST(loose_base64_may_lack_padding_and_have_bits_left)
{
  static const char *const good[][2] = {
      {"Zg", "f"}, {"Zh==", "f"}, {"Zm8", "fo"}, {"Zm9=", "fo"}, {"Zm9vYh", "foob"}};
  static const char *const bad[] = {
      "Z", "Zg=", "=m9v", "Z===", "====", "Zm-v", "Z=9v", "Zg==Zg==", "Zm9vY", " Zm9v"};
  unsigned char bytes[32];
  size_t len;
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    EXPECT(base64_read_loose(slice_str(good[i][0]), bytes, strlen(good[i][1]), &len));
    EXPECT(slice_eq(slice_of((char *)bytes, len), slice_str(good[i][1])));
    EXPECT(!base64_read_loose(slice_str(good[i][0]), bytes, strlen(good[i][1]) - 1, &len));
  }
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    EXPECT(!base64_read_loose(slice_str(bad[i]), bytes, sizeof bytes, &len));
}

TEST(hex_of_the_standard)
{
  static const char *const rows[][2] = {{"", ""},
                                        {"f", "66"},
                                        {"fo", "666f"},
                                        {"foo", "666f6f"},
                                        {"foob", "666f6f62"},
                                        {"fooba", "666f6f6261"},
                                        {"foobar", "666f6f626172"},
                                        {"\xff\x09\xa0", "ff09a0"}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char text[32], bytes[16];
    size_t len = strlen(rows[i][0]);
    hex_write(slice_str(rows[i][0]), text);
    EXPECT_STR(text, rows[i][1]);
    EXPECT_INT(HEX_LEN(len), strlen(text));
    EXPECT(hex_read(slice_str(text), bytes));
    EXPECT(slice_eq(slice_of(bytes, len), slice_str(rows[i][0])));
  }
}

TEST(other_spellings_of_hex_are_refused)
{
  static const char *const bad[] = {"6",  "666", "6g", "g6", "FF", "fF", "0x",
                                    " 6", "6 ",  "-1", "/0", ":0", "`0", "@0"};
  char bytes[16];
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) EXPECT(!hex_read(slice_str(bad[i]), bytes));
}

TEST(every_digit_has_its_value)
{
  for (int c = 0; c < 256; c++) {
    const char *lower = c ? strchr("0123456789abcdef", c) : NULL;
    const char *upper = c ? strchr("0123456789ABCDEF", c) : NULL;
    int value = lower ? (int)(lower - strchr("0123456789abcdef", '0')) : -1;
    if (upper) value = (int)(upper - strchr("0123456789ABCDEF", '0'));
    EXPECT_INT(hex_value((char)c), value);
  }
  for (unsigned i = 0; i < 256; i++) EXPECT_INT(hex_value(hex_digit(i)), i & 15);
}

TEST(numbers_have_as_many_digits_as_were_asked_for)
{
  char text[17] = "................";
  hex_number(0xfedcba9876543210u, text, 16);
  EXPECT_STR(text, "fedcba9876543210");
  hex_number(0x1a2, text, 2); /* the lowest */
  hex_number(5, text + 4, 3);
  EXPECT_STR(text,
             "a2dc0058"
             "76543210");
  hex_number(7, text, 0);
  EXPECT_INT(text[0], 'a');
}

TEST(whatever_the_bytes_they_come_back)
{
  struct rand rand;
  char bytes[300], text[BASE64_LEN(300) + HEX_LEN(300) + 1], back[300];
  rand_seed(&rand, 7);
  for (size_t n = 0; n < sizeof bytes; n++) {
    size_t len;
    for (size_t i = 0; i < n; i++) bytes[i] = (char)rand_u64(&rand);
    EXPECT_INT(base64_write(slice_of(bytes, n), text), BASE64_LEN(n));
    EXPECT(base64_read(slice_str(text), back, n, &len) && len == n && !memcmp(back, bytes, n));
    hex_write(slice_of(bytes, n), text);
    EXPECT(hex_read(slice_of(text, HEX_LEN(n)), back) && !memcmp(back, bytes, n));
  }
}

TEST(hex_in_a_buffer)
{
  struct buf text, bytes;
  buf_init(&text, 64);
  buf_init(&bytes, 4);
  EXPECT_INT(buf_hex(&text, SLICE("foo")), OK);
  EXPECT_INT(buf_hex(&text, SLICE_NONE), OK);
  EXPECT_INT(buf_add(&text, SLICE("!")), OK);
  EXPECT(slice_eq(buf_lend(&text), SLICE("666f6f!")));
  EXPECT_INT(buf_unhex(&bytes, SLICE("666f")), OK);
  EXPECT_INT(buf_unhex(&bytes, SLICE("6")), E_INVALID_ARGUMENT);
  EXPECT_INT(buf_unhex(&bytes, SLICE("6G")), E_INVALID_ARGUMENT);
  EXPECT_INT(buf_unhex(&bytes, SLICE_NONE), OK);
  EXPECT(slice_eq(buf_lend(&bytes), SLICE("fo")));
  EXPECT_INT(buf_unhex(&bytes, SLICE("6f6f6f")), E_LIMIT_EXCEEDED);
  EXPECT(bytes.full);
  for (int i = 0; i < 40; i++) (void)!buf_hex(&text, SLICE("a"));
  EXPECT(text.full && text.len <= 64);
  buf_deinit(&bytes);
  buf_deinit(&text);
}
