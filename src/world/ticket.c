/* ticket.c - tickets written and read.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "world/ticket.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/text.h"
#include "world/key.h"

enum { SIGNATURE_LEN = 32 };

static void sign(const struct hmac *pepper, struct slice key_id, int64_t until_s,
                 char to[SHA256_HEX_LEN + 1])
{
  char text[64];
  int len = snprintf(text, sizeof text, "events %.*s %" PRId64, SLICE_ARG(key_id), until_s);
  struct digest digest = hmac_of(pepper, slice_of(text, (size_t)len));
  digest_hex(&digest, to);
}

size_t ticket_write(const struct hmac *pepper, struct slice key_id, int64_t until_s,
                    char to[TICKET_TEXT_MAX])
{
  char hex[SHA256_HEX_LEN + 1];
  must(key_id.len == KEY_ID_LEN && until_s >= 0);
  sign(pepper, key_id, until_s, hex);
  int len =
      snprintf(to, TICKET_TEXT_MAX, "%.*s.%" PRId64 ".%.32s", SLICE_ARG(key_id), until_s, hex);
  must(len > 0 && len < TICKET_TEXT_MAX);
  return (size_t)len;
}

bool ticket_read(const struct hmac *pepper, struct slice text, struct slice *key_id,
                 int64_t *until_s)
{
  char hex[SHA256_HEX_LEN + 1];
  uint64_t until;
  unsigned different = 0;
  if (text.len < KEY_ID_LEN + 3 + SIGNATURE_LEN || text.at[KEY_ID_LEN] != '.') return false;
  size_t number = KEY_ID_LEN + 1, point = text.len - SIGNATURE_LEN - 1;
  struct slice signature = slice_of(text.at + point + 1, SIGNATURE_LEN);
  if (text.at[point] != '.') return false;
  if (!text_read_u64(slice_of(text.at + number, point - number), INT64_MAX, &until)) return false;
  *key_id = slice_of(text.at, KEY_ID_LEN);
  *until_s = (int64_t)until;
  sign(pepper, *key_id, *until_s, hex);
  for (int i = 0; i < SIGNATURE_LEN; i++) /* as long whatever is wrong */
    different |= (unsigned char)(signature.at[i] ^ hex[i]);
  return different == 0;
}
