/* hash.c - SHA-256, HMAC and Ed25519 through OpenSSL, SipHash-2-4 by hand.
 * Thread: any.
 * HMAC is made of the plain SHA-256 functions, whose state is a struct that can be copied:
 * OpenSSL's own HMAC takes memory for each, and the request path must not.
 * SPDX-License-Identifier: MIT */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "base/hash.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include "base/err.h"
#include "base/text.h"

void sha256_init(struct sha256 *sha)
{
  sha->ctx = EVP_MD_CTX_new();
  must(sha->ctx && EVP_DigestInit_ex(sha->ctx, EVP_sha256(), NULL) == 1);
}

void sha256_add(struct sha256 *sha, struct slice bytes)
{
  must(EVP_DigestUpdate(sha->ctx, bytes.at, bytes.len) == 1);
}

struct digest sha256_end(struct sha256 *sha)
{
  struct digest digest;
  must(EVP_DigestFinal_ex(sha->ctx, digest.at, NULL) == 1);
  sha256_deinit(sha);
  return digest;
}

void sha256_deinit(struct sha256 *sha)
{
  EVP_MD_CTX_free(sha->ctx);
  sha->ctx = NULL;
}

struct digest sha256_of(struct slice bytes)
{
  struct sha256 sha;
  sha256_init(&sha);
  sha256_add(&sha, bytes);
  return sha256_end(&sha);
}

void digest_hex(const struct digest *digest, char to[SHA256_HEX_LEN + 1])
{
  hex_write(slice_of((const char *)digest->at, SHA256_LEN), to);
}

bool digest_from_hex(struct slice hex, struct digest *digest)
{
  return hex.len == SHA256_HEX_LEN && hex_read(hex, digest->at);
}

bool digest_same(const struct digest *a, const struct digest *b)
{
  return CRYPTO_memcmp(a->at, b->at, SHA256_LEN) == 0;
}

_Static_assert(sizeof(SHA256_CTX) <= sizeof((struct hmac *)0)->inner, "room for a state");

static void pad_state(uint64_t state[16], const unsigned char key[SHA256_CBLOCK],
                      unsigned char with)
{
  unsigned char block[SHA256_CBLOCK];
  SHA256_CTX sha;
  for (int i = 0; i < SHA256_CBLOCK; i++) block[i] = key[i] ^ with;
  must(SHA256_Init(&sha) == 1 && SHA256_Update(&sha, block, sizeof block) == 1);
  memset(state, 0, sizeof(uint64_t[16]));
  memcpy(state, &sha, sizeof sha);
  OPENSSL_cleanse(block, sizeof block);
  OPENSSL_cleanse(&sha, sizeof sha);
}

void hmac_init(struct hmac *hmac, struct slice key)
{
  unsigned char block[SHA256_CBLOCK] = {0};
  struct digest digest;
  if (key.len > sizeof block) {
    digest = sha256_of(key);
    key = slice_of((const char *)digest.at, SHA256_LEN);
  }
  if (key.len) memcpy(block, key.at, key.len);
  pad_state(hmac->inner, block, 0x36);
  pad_state(hmac->outer, block, 0x5c);
  OPENSSL_cleanse(block, sizeof block);
}

static void state_end(const uint64_t state[16], const void *bytes, size_t len, unsigned char *to)
{
  SHA256_CTX sha;
  memcpy(&sha, state, sizeof sha);
  must(SHA256_Update(&sha, bytes, len) == 1 && SHA256_Final(to, &sha) == 1);
}

struct digest hmac_of(const struct hmac *hmac, struct slice bytes)
{
  struct digest inner, outer;
  state_end(hmac->inner, bytes.at ? bytes.at : "", bytes.len, inner.at);
  state_end(hmac->outer, inner.at, SHA256_LEN, outer.at);
  return outer;
}

void hmac_deinit(struct hmac *hmac) { OPENSSL_cleanse(hmac, sizeof *hmac); }

static uint64_t rotl(uint64_t x, int k) { return x << k | x >> (64 - k); }

static void sip_round(uint64_t v[4])
{
  v[0] += v[1], v[1] = rotl(v[1], 13), v[1] ^= v[0], v[0] = rotl(v[0], 32);
  v[2] += v[3], v[3] = rotl(v[3], 16), v[3] ^= v[2];
  v[0] += v[3], v[3] = rotl(v[3], 21), v[3] ^= v[0];
  v[2] += v[1], v[1] = rotl(v[1], 17), v[1] ^= v[2], v[2] = rotl(v[2], 32);
}

/* All but the end, which differs by how long the result is to be; mark: what tells them apart. */
static void sip_absorb(uint64_t v[4], const unsigned char key[16], struct slice bytes,
                       uint64_t mark)
{
  uint64_t k[2], word;
  memcpy(k, key, 16);
  v[0] = k[0] ^ 0x736f6d6570736575u;
  v[1] = k[1] ^ 0x646f72616e646f6du ^ mark;
  v[2] = k[0] ^ 0x6c7967656e657261u;
  v[3] = k[1] ^ 0x7465646279746573u;
  size_t whole = bytes.len / 8 * 8;
  for (size_t i = 0; i < whole; i += 8) {
    memcpy(&word, bytes.at + i, 8);
    v[3] ^= word;
    sip_round(v), sip_round(v);
    v[0] ^= word;
  }
  word = (uint64_t)bytes.len << 56;
  for (size_t i = whole; i < bytes.len; i++)
    word |= (uint64_t)(unsigned char)bytes.at[i] << 8 * (i - whole);
  v[3] ^= word;
  sip_round(v), sip_round(v);
  v[0] ^= word;
}

static uint64_t sip_squeeze(uint64_t v[4])
{
  for (int i = 0; i < 4; i++) sip_round(v);
  return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t siphash(const unsigned char key[16], struct slice bytes)
{
  uint64_t v[4];
  sip_absorb(v, key, bytes, 0);
  v[2] ^= 0xff;
  return sip_squeeze(v);
}

void siphash128(const unsigned char key[16], struct slice bytes, uint64_t to[2])
{
  uint64_t v[4];
  sip_absorb(v, key, bytes, 0xee);
  v[2] ^= 0xee;
  to[0] = sip_squeeze(v);
  v[1] ^= 0xdd;
  to[1] = sip_squeeze(v);
}

/* --- Ed25519 ---------------------------------------------------------------------------------- */

void sign_public(const unsigned char seed[SIGN_KEY_LEN], unsigned char to[SIGN_KEY_LEN])
{
  size_t len = SIGN_KEY_LEN;
  EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, SIGN_KEY_LEN);
  must(key && EVP_PKEY_get_raw_public_key(key, to, &len) == 1 && len == SIGN_KEY_LEN);
  EVP_PKEY_free(key);
}

void sign_bytes(const unsigned char seed[SIGN_KEY_LEN], struct slice bytes,
                unsigned char to[SIGN_LEN])
{
  size_t len = SIGN_LEN;
  EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, SIGN_KEY_LEN);
  EVP_MD_CTX *ctx = EVP_MD_CTX_new();
  must(key && ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1);
  must(EVP_DigestSign(ctx, to, &len, (const unsigned char *)bytes.at, bytes.len) == 1);
  must(len == SIGN_LEN);
  EVP_MD_CTX_free(ctx);
  EVP_PKEY_free(key);
}

bool sign_holds(const unsigned char public_key[SIGN_KEY_LEN], struct slice bytes,
                const unsigned char sign[SIGN_LEN])
{
  EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, SIGN_KEY_LEN);
  EVP_MD_CTX *ctx = EVP_MD_CTX_new();
  bool holds = key && ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 &&
               EVP_DigestVerify(ctx, sign, SIGN_LEN, (const unsigned char *)bytes.at,
                                bytes.len) == 1;
  EVP_MD_CTX_free(ctx);
  EVP_PKEY_free(key);
  return holds;
}
