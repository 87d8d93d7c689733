/* key.h - the text of an API key: slw_<id>_<secret>_<crc>.
 * Thread: any; pure.
 *
 *   slw_ 7k2m9q4x8b1z _ 64 hex digits _ 8 hex digits
 *   the prefix makes leaked keys findable; the id finds the row; the secret is 256 random bits; the
 *   CRC-32 of all before it rejects junk without a lookup
 *
 * Only lower case, only this length: one key has one text. The secret is never kept: world/key.h
 * has HMAC-SHA-256(pepper, secret as it is written).
 * Source: robustness rules, section 8.
 * SPDX-License-Identifier: MIT */
#ifndef WIRE_KEY_H
#define WIRE_KEY_H

#include "base/slice.h"
#include "wire/http.h"

enum {
  KEY_TEXT_ID = 12,
  KEY_TEXT_SECRET = 64,
  KEY_TEXT_CRC = 8,
  KEY_TEXT_LEN = 4 + KEY_TEXT_ID + 1 + KEY_TEXT_SECRET + 1 + KEY_TEXT_CRC,
  KEY_RANDOM = KEY_TEXT_ID + KEY_TEXT_SECRET / 2, /* bytes of chance that one takes */
};

struct key_text {
  struct slice id, secret; /* of the text they were read from */
};

/* False for whatever is not a key that somebody made: another length, letter or checksum. Of that
 * length it is taken apart and looked at to its end in any case, so that what is wrong with it does
 * not show in the time. */
bool key_text_read(struct slice text, struct key_text *key);
/* A key of these random bytes (base/rand.h: rand_secret), with a NUL behind it. The caller wipes
 * both. */
void key_text_make(const unsigned char random[KEY_RANDOM], char to[KEY_TEXT_LEN + 1]);

/* What a request was sent with: "Authorization: Bearer KEY" or "X-API-Key: KEY". False: with none.
 * at NULL in *text: with something that can be no key (another scheme, two that differ). */
bool key_of_head(const struct http_head *head, struct slice *text);

#endif
