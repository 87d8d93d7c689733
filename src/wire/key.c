/* key.c - reading and writing the text of API keys.
 * Thread: any; pure.
 * SPDX-License-Identifier: MIT */
#include "wire/key.h"

#include <zlib.h>

#include "base/text.h"

static void crc_write(struct slice of, char to[KEY_TEXT_CRC])
{
  unsigned long crc = crc32(0, (const unsigned char *)of.at, (unsigned)of.len);
  hex_number(crc, to, KEY_TEXT_CRC);
}

/* Without a branch: how long a text is looked at does not depend on what it is. */
static unsigned in_range(char c, char least, char most)
{
  return (unsigned)(c >= least) & (unsigned)(c <= most);
}

bool key_text_read(struct slice text, struct key_text *key)
{
  char crc[KEY_TEXT_CRC];
  const size_t secret = 4 + KEY_TEXT_ID + 1, check = secret + KEY_TEXT_SECRET + 1;
  if (text.len != KEY_TEXT_LEN) return false;
  key->id = slice_of(text.at + 4, KEY_TEXT_ID);
  key->secret = slice_of(text.at + secret, KEY_TEXT_SECRET);
  unsigned good = slice_starts(text, SLICE("slw_"));
  good &= (unsigned)(text.at[secret - 1] == '_') & (unsigned)(text.at[check - 1] == '_');
  for (size_t i = 0; i < KEY_TEXT_ID; i++)
    good &= in_range(key->id.at[i], '0', '9') | in_range(key->id.at[i], 'a', 'z');
  for (size_t i = 0; i < KEY_TEXT_SECRET; i++)
    good &= in_range(key->secret.at[i], '0', '9') | in_range(key->secret.at[i], 'a', 'f');
  crc_write(slice_of(text.at, check - 1), crc);
  for (size_t i = 0; i < KEY_TEXT_CRC; i++) good &= crc[i] == text.at[check + i];
  return good;
}

void key_text_make(const unsigned char random[KEY_RANDOM], char to[KEY_TEXT_LEN + 1])
{
  static const char letters[] = "0123456789abcdefghjkmnpqrstvwxyz"; /* 32: each as likely */
  char *at = to;
  memcpy(at, "slw_", 4), at += 4;
  for (int i = 0; i < KEY_TEXT_ID; i++) *at++ = letters[*random++ & 31];
  *at++ = '_';
  hex_write(slice_of((const char *)random, KEY_TEXT_SECRET / 2), at);
  at += KEY_TEXT_SECRET;
  crc_write(slice_of(to, (size_t)(at - to)), at + 1);
  *at = '_';
  to[KEY_TEXT_LEN] = '\0';
}

bool key_of_head(const struct http_head *head, struct slice *text)
{
  struct slice bearer = http_head_get(head, FIELD_AUTHORIZATION);
  struct slice plain = http_head_get(head, FIELD_X_API_KEY);
  *text = SLICE_NONE;
  if (!bearer.at && !plain.at) return false;
  if (bearer.at) {
    if (bearer.len < 7 || !slice_eq_nocase(slice_of(bearer.at, 7), SLICE("Bearer "))) return true;
    bearer = slice_from(bearer, 7);
    while (bearer.len && bearer.at[0] == ' ') bearer = slice_from(bearer, 1);
    if (!bearer.len || (plain.at && !slice_eq(bearer, plain))) return true;
  }
  *text = bearer.at ? bearer : plain;
  return true;
}
