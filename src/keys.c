/* keys.c - the pepper and the first key.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "keys.h"

#include "base/log.h"
#include "base/rand.h"
#include "base/role.h"
#include "control/control.h"
#include "store/secret.h"
#include "world/tenant.h"

static enum code pepper_make(const struct datadir *dir, char text[SHA256_HEX_LEN + 1],
                             struct err *err)
{
  struct digest random;
  rand_secret(random.at, sizeof random.at);
  digest_hex(&random, text);
  explicit_bzero(&random, sizeof random);
  return secret_write(dir, "pepper", slice_of(text, SHA256_HEX_LEN), err);
}

static enum code pepper_open(struct keys *keys, const struct datadir *dir, bool is_lost,
                             bool accept_loss, struct err *err)
{
  char text[SHA256_HEX_LEN + 3];
  size_t len;
  enum code code = secret_read(dir, "pepper", text, sizeof text, &len, err);
  if (code == E_NOT_FOUND && is_lost && !accept_loss)
    return fail(err, E_UNAVAILABLE,
                "the file 'pepper' is missing in the data directory: no key can be checked without "
                "it; put it back from a backup, or say --accept-key-loss once and add keys anew");
  if (code == E_NOT_FOUND) {
    if (is_lost) log_event(LOG_WARN, "pepper_made_anew", NULL);
    code = pepper_make(dir, text, err);
    len = SHA256_HEX_LEN;
  }
  if (!code && len != SHA256_HEX_LEN)
    code = fail(err, E_UNAVAILABLE, "the file 'pepper' in the data directory is damaged");
  if (!code) hmac_init(&keys->pepper, slice_of(text, len));
  explicit_bzero(text, sizeof text);
  return code;
}

/* The file comes first: a crash before the ledger has the key makes another one at the next
 * start. */
static enum code first_make(struct keys *keys, const struct datadir *dir, struct err *err)
{
  unsigned char random[KEY_RANDOM];
  struct key_text parts;
  rand_secret(random, sizeof random);
  key_text_make(random, keys->first);
  explicit_bzero(random, sizeof random);
  must(key_text_read(slice_of(keys->first, KEY_TEXT_LEN), &parts));
  memcpy(keys->id, parts.id.at, KEY_TEXT_ID);
  struct digest digest = hmac_of(&keys->pepper, parts.secret);
  digest_hex(&digest, keys->hash);
  const struct event_fact facts[] = {{SLICE("expires_ms"), SLICE("0")},
                                     {SLICE("hash"), slice_str(keys->hash)},
                                     {SLICE("key"), slice_of(keys->id, KEY_TEXT_ID)},
                                     {SLICE("person"), SLICE("admin")},
                                     {SLICE("role"), slice_str(role_name(ROLE_OPERATOR))}};
  _Static_assert(sizeof facts == sizeof keys->facts, "as many facts");
  memcpy(keys->facts, facts, sizeof facts);
  keys->event = (struct event){.kind = EVENT_KEY_ADDED,
                               .actor = SLICE("slipway"),
                               .tenant = SLICE(TENANT_DEFAULT),
                               .note = SLICE("made at the first start"),
                               .facts = keys->facts,
                               .n_facts = sizeof facts / sizeof *facts};
  return secret_write(dir, "admin.key", slice_of(keys->first, KEY_TEXT_LEN), err);
}

enum code keys_open(struct keys *keys, const struct datadir *dir, struct control *control,
                    bool accept_loss, struct err *err)
{
  bool has_keys = control_keys(control) > 0;
  if (pepper_open(keys, dir, has_keys, accept_loss, err)) return err->code;
  if (has_keys) return OK;
  if (first_make(keys, dir, err)) return err->code;
  control_first_key(control, &keys->event);
  return OK;
}

void keys_close(struct keys *keys) { explicit_bzero(keys, sizeof *keys); }
