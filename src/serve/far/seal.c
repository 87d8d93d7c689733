/* seal.c - names and values of the second level.
 * Thread: any, pure; see seal.h.
 * SPDX-License-Identifier: MIT */
#include "serve/far/seal.h"

#include "base/err.h"

/* Of numbers and tensors as they lie in memory here: little-endian, as every machine that slipway
 * runs on. Raised with each change of this, of the canonical form or of packed tensors. */
struct head {
  uint64_t format;
  int64_t expires_ms;
  struct digest name;
};
enum { SEAL_FORMAT = 1 };
_Static_assert(sizeof(struct head) == 48, "a head has no holes");

static const char salt_label[] = "slipway cache salt 1", value_label[] = "slipway cache value 1";
enum { TENANT_MAX = 256 };

static struct slice digest_slice(const struct digest *digest)
{
  return slice_of((const char *)digest->at, sizeof digest->at);
}

void seal_keys_init(struct seal_keys *keys, struct slice secret)
{
  hmac_init(&keys->secret, secret);
  struct digest values = hmac_of(&keys->secret, slice_of(value_label, sizeof value_label));
  hmac_init(&keys->values, digest_slice(&values));
  explicit_bzero(&values, sizeof values);
}

void seal_keys_deinit(struct seal_keys *keys)
{
  hmac_deinit(&keys->secret);
  hmac_deinit(&keys->values);
}

struct digest seal_name(const struct seal_keys *keys, struct slice tenant, struct slice canonical)
{
  char text[sizeof salt_label + TENANT_MAX];
  struct hmac salted;
  must(tenant.len <= TENANT_MAX);
  memcpy(text, salt_label, sizeof salt_label);
  memcpy(text + sizeof salt_label, tenant.at, tenant.len);
  struct digest salt = hmac_of(&keys->secret, slice_of(text, sizeof salt_label + tenant.len));
  hmac_init(&salted, digest_slice(&salt));
  struct digest name = hmac_of(&salted, canonical);
  hmac_deinit(&salted);
  explicit_bzero(&salt, sizeof salt);
  return name;
}

size_t seal_len(size_t len) { return sizeof(struct head) + len + SHA256_LEN; }

void seal_write(const struct seal_keys *keys, const struct digest *name, int64_t expires_ms,
                struct slice answer, char *to)
{
  struct head head = {.format = SEAL_FORMAT, .expires_ms = expires_ms, .name = *name};
  size_t len = sizeof head + answer.len;
  memcpy(to, &head, sizeof head);
  if (answer.len) memcpy(to + sizeof head, answer.at, answer.len);
  struct digest mac = hmac_of(&keys->values, slice_of(to, len));
  memcpy(to + len, mac.at, sizeof mac.at);
}

enum seal seal_open(const struct seal_keys *keys, const struct digest *name, struct slice value,
                    int64_t wall_ms, struct slice *answer, int64_t *left_ms)
{
  struct head head;
  struct digest mac;
  if (value.len < sizeof head + sizeof mac.at) return SEAL_BAD;
  size_t len = value.len - sizeof mac.at;
  memcpy(mac.at, value.at + len, sizeof mac.at);
  struct digest is = hmac_of(&keys->values, slice_of(value.at, len));
  if (!digest_same(&is, &mac)) return SEAL_BAD;
  memcpy(&head, value.at, sizeof head);
  if (head.format != SEAL_FORMAT || !digest_same(&head.name, name)) return SEAL_BAD;
  if (head.expires_ms <= wall_ms) return SEAL_OVER;
  *answer = slice_of(value.at + sizeof head, len - sizeof head);
  *left_ms = head.expires_ms - wall_ms;
  return SEAL_GOOD;
}
