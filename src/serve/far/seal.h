/* seal.h - what lies in the second level: its name, and a value that nobody without the secret can
 * have made.
 * Thread: any, pure; keys are read by all loops at once.
 *
 * The secret is a file that all nodes have. From it come a salt for each tenant, and the key of the
 * values:
 *
 *   salt(tenant) = HMAC-SHA-256(secret, "slipway cache salt 1" tenant)
 *   name         = HMAC-SHA-256(salt(tenant), canonical)     32 bytes: the full digest
 *   value        = format, expires, name, answer, HMAC-SHA-256(value key, all before)
 *
 * canonical: the part of a request's canonical form that is the same on every node (canon.h). Who
 * reads Redis learns neither whose an answer is nor what was asked, and cannot try guesses; the
 * answer itself is not encrypted. Who writes there can only take values away: one that was made up,
 * changed, cut, moved to another name or kept past its time is not opened.
 * Source: overload rules, section 4, shared level.
 * SPDX-License-Identifier: MIT */
#ifndef SERVE_FAR_SEAL_H
#define SERVE_FAR_SEAL_H

#include "base/hash.h"

enum { SEAL_SECRET_MIN = 32 };

struct seal_keys {
  struct hmac secret, values;
};
void seal_keys_init(struct seal_keys *keys, struct slice secret);
void seal_keys_deinit(struct seal_keys *keys);

struct digest seal_name(const struct seal_keys *keys, struct slice tenant, struct slice canonical);

/* Bytes of a value with an answer of `len` bytes. */
size_t seal_len(size_t len);
/* to: so many bytes. expires_ms: Unix time. */
void seal_write(const struct seal_keys *keys, const struct digest *name, int64_t expires_ms,
                struct slice answer, char *to);
/* OVER: it is genuine, and its time has passed. *answer is a view into value. */
enum seal { SEAL_GOOD, SEAL_OVER, SEAL_BAD };
enum seal seal_open(const struct seal_keys *keys, const struct digest *name, struct slice value,
                    int64_t wall_ms, struct slice *answer, int64_t *left_ms);

#endif
