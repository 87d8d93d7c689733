/* base64_test.c - the vectors of RFC 4648, section 10; every other spelling is refused.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "base/hash.h"

TEST(the_vectors_of_the_standard)
{
  static const char *const rows[][2] = {{"", ""},         {"f", "Zg=="},         {"fo", "Zm8="},
                                        {"foo", "Zm9v"},  {"foob", "Zm9vYg=="},  {"fooba", "Zm9vYmE="},
                                        {"foobar", "Zm9vYmFy"}, {"\xff\xef\xbf", "/++/"}};
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
  }
}

TEST(other_spellings_are_refused)
{
  static const char *const bad[] = {"Z",    "Zg",   "Zg=",  "Zh==", "Zm9=", "=m9v", "Z===", "====",
                                    "Zm9v\n", "Zm-v", "Z=9v", "Zg==Zg==", " Zm9v", "Zm9vYg=a"};
  unsigned char bytes[32];
  size_t len;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    if (base64_read(slice_str(bad[i]), bytes, sizeof bytes, &len)) printf("%s\n", bad[i]);
    EXPECT(!base64_read(slice_str(bad[i]), bytes, sizeof bytes, &len));
  }
}
