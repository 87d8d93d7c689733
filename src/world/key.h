/* key.h - an API key as a request sees it: whose it is, what it may. Read-only part of a world.
 * Thread: any, once its world is sealed.
 * The key itself is `slw_<id>_<secret>_<crc>`; here is only HMAC-SHA-256(pepper, secret), compared
 * in constant time. Revoked keys are not in a world; readers compare expires_ms.
 * Source: robustness rules, section 8.
 * SPDX-License-Identifier: MIT */
#ifndef WORLD_KEY_H
#define WORLD_KEY_H

#include "base/hash.h"
#include "base/ip.h"
#include "base/role.h"

enum { KEY_ID_LEN = 12 };

enum { KEY_PERSON_MAX = 63, KEY_NOTE_MAX = 200 }; /* a release keeps 63 bytes of a person */
/* Whoever asks without a key where none is needed: actor and person. No key may be this one's. */
#define PERSON_ANONYMOUS "anonymous"

struct key {
  char id[KEY_ID_LEN]; /* lower-case letters and digits; unique over all tenants */
  enum role role;
  struct slice person;  /* keys of one person count as one where two must agree */
  struct digest hash;
  int64_t expires_ms; /* Unix time; 0: never */
  int64_t added_ms;
  struct slice note, added_by;
  char replaces[KEY_ID_LEN]; /* the key it was made to follow; zeroed: none */
  /* When it was used last, Unix time to a second; 0: not since the start. Control's, and outlives
   * the world: the one thing here that changes (docs/THREADS.md). NULL: nobody wants to know */
  _Atomic int64_t *used_ms;
  const struct cidr *cidrs; /* where it may be used from; none: anywhere */
  uint32_t n_cidrs;
};

static inline struct slice key_id(const struct key *key)
{
  return slice_of(key->id, KEY_ID_LEN);
}

#endif
