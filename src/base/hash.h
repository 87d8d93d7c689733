/* hash.h - SHA-256 for content, HMAC for secrets, SipHash for tables that strangers fill, Ed25519
 * for what others are to believe without asking us.
 * Thread: any; a running sha256 belongs to one.
 * Source: FIPS 180-4 and RFC 8032 through OpenSSL; HMAC: RFC 2104; SipHash-2-4 (Aumasson, Bernstein
 * 2012), own code.
 * SPDX-License-Identifier: MIT */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/slice.h"

enum { SHA256_LEN = 32, SHA256_HEX_LEN = 64 };

struct digest {
  unsigned char at[SHA256_LEN];
};

struct sha256 {
  void *ctx;
};

void sha256_init(struct sha256 *sha);
void sha256_add(struct sha256 *sha, struct slice bytes);
struct digest sha256_end(struct sha256 *sha); /* also releases; init again to reuse */
void sha256_deinit(struct sha256 *sha);       /* for a hash given up before its end */
struct digest sha256_of(struct slice bytes);

void digest_hex(const struct digest *digest, char to[SHA256_HEX_LEN + 1]);
bool digest_from_hex(struct slice hex, struct digest *digest); /* lower case, 64 digits, only */

/* Whether the two are equal, in a time that does not tell where they differ. */
bool digest_same(const struct digest *a, const struct digest *b);

/* HMAC-SHA-256 with one key, which is hashed once: making one takes no memory and may be done by
 * many threads at once. Wiped by hmac_deinit. */
struct hmac {
  uint64_t inner[16], outer[16]; /* OpenSSL's states after the padded key */
};
void hmac_init(struct hmac *hmac, struct slice key);
struct digest hmac_of(const struct hmac *hmac, struct slice bytes);
void hmac_deinit(struct hmac *hmac);

/* Ed25519: `seed` is the private key, 32 random bytes. */
enum { SIGN_KEY_LEN = 32, SIGN_LEN = 64 };
void sign_public(const unsigned char seed[SIGN_KEY_LEN], unsigned char to[SIGN_KEY_LEN]);
void sign_bytes(const unsigned char seed[SIGN_KEY_LEN], struct slice bytes,
                unsigned char to[SIGN_LEN]);
bool sign_holds(const unsigned char public_key[SIGN_KEY_LEN], struct slice bytes,
                const unsigned char sign[SIGN_LEN]);

/* key: 16 bytes drawn at start, so that nobody outside can make keys collide. */
uint64_t siphash(const unsigned char key[16], struct slice bytes);
/* The same with 128 bits of result, for what is to be one of very many. */
void siphash128(const unsigned char key[16], struct slice bytes, uint64_t to[2]);

#endif
