/* key_text_test.c - the text of keys: what is made reads back, and nothing near it does.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "base/rand.h"
#include "wire/key.h"

#define KEY                                                             \
  "slw_0123456789ab_"                                                   \
  "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f_"

static void key_make(uint64_t seed, char to[KEY_TEXT_LEN + 1])
{
  unsigned char random[KEY_RANDOM];
  struct rand rand;
  rand_seed(&rand, seed);
  for (size_t i = 0; i < sizeof random; i++) random[i] = (unsigned char)rand_u64(&rand);
  key_text_make(random, to);
}

TEST(a_key_reads_back)
{
  char text[KEY_TEXT_LEN + 1];
  struct key_text key;
  unsigned char random[KEY_RANDOM];
  for (int i = 0; i < KEY_RANDOM; i++) random[i] = (unsigned char)(i < 12 ? i : i - 12);
  key_text_make(random, text);
  EXPECT(strncmp(text, KEY, sizeof KEY - 1) == 0);
  EXPECT_STR(text + sizeof KEY - 1, "65f2b367"); /* zlib's CRC-32 of what stands before it */
  EXPECT(key_text_read(slice_str(text), &key));
  EXPECT(slice_eq(key.id, SLICE("0123456789ab")));
  EXPECT_INT(key.secret.len, 64);
  EXPECT(key.secret.at == text + 17);
}

/* robustness row AU-102 */
TEST(AU_102_a_key_cut_or_with_one_character_changed_is_none)
{
  char text[KEY_TEXT_LEN + 1], bent[KEY_TEXT_LEN + 2];
  struct key_text key;
  key_make(7, text);
  for (size_t len = 0; len < KEY_TEXT_LEN; len++)
    EXPECT(!key_text_read(slice_of(text, len), &key));
  for (size_t at = 0; at < KEY_TEXT_LEN; at++)
    for (int c = 0; c < 256; c++) {
      if ((char)c == text[at]) continue;
      memcpy(bent, text, sizeof text);
      bent[at] = (char)c;
      EXPECT(!key_text_read(slice_of(bent, KEY_TEXT_LEN), &key));
    }
  memcpy(bent, text, sizeof text);
  bent[KEY_TEXT_LEN] = '0';
  EXPECT(!key_text_read(slice_of(bent, KEY_TEXT_LEN + 1), &key));
  EXPECT(!key_text_read(SLICE_NONE, &key));
}

static struct http_head head_of(struct http_field *fields, const char *bearer, const char *plain)
{
  struct http_head head = {.fields = fields};
  if (bearer) {
    fields[head.n_fields++].value = slice_str(bearer);
    head.first[FIELD_AUTHORIZATION] = (uint8_t)head.n_fields;
  }
  if (plain) {
    fields[head.n_fields++].value = slice_str(plain);
    head.first[FIELD_X_API_KEY] = (uint8_t)head.n_fields;
  }
  return head;
}

TEST(a_head_brings_a_key_in_either_field)
{
  static const struct {
    const char *bearer, *plain;
    bool some;
    const char *text;
  } rows[] = {
      {NULL, NULL, false, NULL},          {"Bearer slw_x", NULL, true, "slw_x"},
      {"bEARER   slw_x", NULL, true, "slw_x"}, {NULL, "slw_x", true, "slw_x"},
      {"Bearer slw_x", "slw_x", true, "slw_x"}, {"Bearer slw_x", "slw_y", true, NULL},
      {"Basic c2x3Og==", NULL, true, NULL},  {"Bearer", NULL, true, NULL},
      {"Bearer ", NULL, true, NULL},       {"", NULL, true, NULL},
      {NULL, "", true, ""},                {"Basic c2x3Og==", "slw_x", true, NULL},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct http_field fields[2];
    struct http_head head = head_of(fields, rows[i].bearer, rows[i].plain);
    struct slice text = SLICE("?");
    EXPECT_INT(key_of_head(&head, &text), rows[i].some);
    EXPECT((text.at == NULL) == (rows[i].text == NULL));
    if (rows[i].text) EXPECT(slice_eq(text, slice_str(rows[i].text)));
  }
}
