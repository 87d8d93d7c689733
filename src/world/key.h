/* key.h - an API key as a request sees it: whose it is, what it may. Read-only part of a world.
 * Thread: any, once its world is sealed.
 * The key itself is `slw_<id>_<secret>_<crc>`; here is only HMAC-SHA-256(pepper, secret), compared
 * in constant time. Revoked keys are not in a world; readers compare expires_ms.
 * Source: robustness rules, section 8.
 * SPDX-License-Identifier: MIT */
#ifndef WORLD_KEY_H
#define WORLD_KEY_H

#include "base/hash.h"
#include "base/role.h"

enum { KEY_ID_LEN = 12 };

struct key {
  char id[KEY_ID_LEN]; /* lower-case letters and digits; unique over all tenants */
  enum role role;
  struct slice person;  /* keys of one person count as one where two must agree */
  struct digest hash;
  int64_t expires_ms; /* Unix time; 0: never */
};

#endif
