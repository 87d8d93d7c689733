/* keys.h - what API keys stand on, from the data directory: the pepper, and at the first start the
 * first key.
 * Thread: main.
 *
 *   DATA/pepper      64 hex digits; keys in the ledger are HMAC(pepper, secret), so who has only
 *                    the ledger has nothing to try guesses on
 *   DATA/admin.key   the first key: role operator of tenant default, never expires. Whoever may
 *                    read it could as well read all else in that folder. It may be removed, once
 *                    there are others
 * SPDX-License-Identifier: MIT */
#ifndef KEYS_H
#define KEYS_H

#include "store/datadir.h"
#include "wire/key.h"
#include "world/event.h"

struct control;

struct keys {
  struct hmac pepper;
  char first[KEY_TEXT_LEN + 1]; /* whoever prints it wipes it; empty: there are keys already */
  char id[KEY_TEXT_ID], hash[SHA256_HEX_LEN + 1];
  struct event_fact facts[5];
  struct event event;
};

/* After the ledger was replayed into control, before threads start. accept_loss: a pepper that is
 * missing is made anew although keys were hashed with it. */
CHECKED enum code keys_open(struct keys *keys, const struct datadir *dir, struct control *control,
                            bool accept_loss, struct err *err);
void keys_close(struct keys *keys);

#endif
