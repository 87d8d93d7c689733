/* hash_test.c - published vectors: FIPS 180-4 for SHA-256, the reference program for SipHash-2-4.
 * SPDX-License-Identifier: MIT */
#include "base/hash.h"

#include "test.h"

static const char *hex_of(struct slice bytes)
{
  static char hex[SHA256_HEX_LEN + 1];
  struct digest digest = sha256_of(bytes);
  digest_hex(&digest, hex);
  return hex;
}

TEST(sha256_vectors)
{
  EXPECT_STR(hex_of(SLICE_NONE),
             "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_STR(hex_of(SLICE("abc")),
             "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_STR(hex_of(SLICE("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
             "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST(sha256_of_a_million_letters_in_pieces)
{
  char letters[997], hex[SHA256_HEX_LEN + 1];
  struct sha256 sha;
  memset(letters, 'a', sizeof letters);
  sha256_init(&sha);
  for (size_t left = 1000000; left > 0;) {
    size_t n = left < sizeof letters ? left : sizeof letters;
    sha256_add(&sha, slice_of(letters, n));
    left -= n;
  }
  struct digest digest = sha256_end(&sha);
  digest_hex(&digest, hex);
  EXPECT_STR(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  sha256_init(&sha);
  sha256_add(&sha, SLICE("given up"));
  sha256_deinit(&sha);
}

TEST(digests_as_text)
{
  struct digest digest = sha256_of(SLICE("abc")), back;
  char hex[SHA256_HEX_LEN + 1];
  digest_hex(&digest, hex);
  EXPECT(digest_from_hex(slice_str(hex), &back));
  EXPECT(memcmp(&digest, &back, sizeof back) == 0);
  EXPECT(!digest_from_hex(slice_of(hex, 63), &back));
  hex[63] = 'g';
  EXPECT(!digest_from_hex(slice_str(hex), &back));
  hex[63] = 'A';
  EXPECT(!digest_from_hex(slice_str(hex), &back));
  EXPECT(!digest_from_hex(SLICE_NONE, &back));
}

TEST(siphash_vectors)
{
  static const unsigned char want[][8] = {
      {0x31, 0x0e, 0x0e, 0xdd, 0x47, 0xdb, 0x6f, 0x72},
      {0xfd, 0x67, 0xdc, 0x93, 0xc5, 0x39, 0xf8, 0x74},
      {0x5a, 0x4f, 0xa9, 0xd9, 0x09, 0x80, 0x6c, 0x0d},
      {0x2d, 0x7e, 0xfb, 0xd7, 0x96, 0x66, 0x67, 0x85},
      {0xb7, 0x87, 0x71, 0x27, 0xe0, 0x94, 0x27, 0xcf},
      {0x8d, 0xa6, 0x99, 0xcd, 0x64, 0x55, 0x76, 0x18},
      {0xce, 0xe3, 0xfe, 0x58, 0x6e, 0x46, 0xc9, 0xcb},
      {0x37, 0xd1, 0x01, 0x8b, 0xf5, 0x00, 0x02, 0xab},
      {0x62, 0x24, 0x93, 0x9a, 0x79, 0xf5, 0xf5, 0x93}};
  unsigned char key[16], bytes[16];
  for (unsigned char i = 0; i < 16; i++) key[i] = bytes[i] = i;
  for (size_t len = 0; len < sizeof want / sizeof *want; len++) {
    uint64_t got = siphash(key, slice_of((char *)bytes, len));
    EXPECT(memcmp(&got, want[len], 8) == 0);
  }
  EXPECT(siphash(key, slice_of((char *)bytes, 15)) == 0xa129ca6149be45e5u);
  key[0] ^= 1;
  EXPECT(siphash(key, slice_of((char *)bytes, 15)) != 0xa129ca6149be45e5u);
}

TEST(siphash128_vectors)
{
  static const unsigned char want[][16] = {
      {0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6, 0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55, 0x02,
       0x93},
      {0xda, 0x87, 0xc1, 0xd8, 0x6b, 0x99, 0xaf, 0x44, 0x34, 0x76, 0x59, 0x11, 0x9b, 0x22, 0xfc,
       0x45}};
  unsigned char key[16];
  uint64_t got[2], other[2];
  for (unsigned char i = 0; i < 16; i++) key[i] = i;
  for (size_t len = 0; len < 2; len++) {
    siphash128(key, slice_of((char *)key, len), got);
    EXPECT(memcmp(got, want[len], 16) == 0);
  }
  siphash128(key, slice_of((char *)key, 2), other);
  EXPECT(other[0] != got[0] && other[1] != got[1]);
}

/* RFC 4231: test cases 1, 2, 6 (a key longer than a block). */
TEST(hmac_vectors)
{
  char key[131], hex[SHA256_HEX_LEN + 1];
  struct hmac hmac;
  memset(key, 0x0b, 20);
  hmac_init(&hmac, slice_of(key, 20));
  struct digest digest = hmac_of(&hmac, SLICE("Hi There"));
  digest_hex(&digest, hex);
  EXPECT_STR(hex, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  hmac_init(&hmac, SLICE("Jefe"));
  digest = hmac_of(&hmac, SLICE("what do ya want for nothing?"));
  digest_hex(&digest, hex);
  EXPECT_STR(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  memset(key, 0xaa, sizeof key);
  hmac_init(&hmac, slice_of(key, sizeof key));
  for (int i = 0; i < 2; i++) { /* one key, many messages */
    digest = hmac_of(&hmac, SLICE("Test Using Larger Than Block-Size Key - Hash Key First"));
    digest_hex(&digest, hex);
    EXPECT_STR(hex, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  }
  struct digest other = digest;
  EXPECT(digest_same(&digest, &other));
  other.at[31] ^= 1;
  EXPECT(!digest_same(&digest, &other));
  hmac_deinit(&hmac);
  for (size_t i = 0; i < sizeof hmac; i++) EXPECT(((unsigned char *)&hmac)[i] == 0);
}

/* RFC 8032, section 7.1: tests 1 (empty) and 3. */
TEST(ed25519_vectors)
{
  static const struct {
    const char *seed, *key, *sign;
    struct slice bytes;
  } rows[] = {{"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
               "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
               "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155",
               {"", 0}},
              {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
               "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
               "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac",
               SLICE("\xaf\x82")}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct digest seed, want, got, half;
    unsigned char sign[SIGN_LEN];
    EXPECT(digest_from_hex(slice_str(rows[i].seed), &seed));
    EXPECT(digest_from_hex(slice_str(rows[i].key), &want));
    EXPECT(digest_from_hex(slice_str(rows[i].sign), &half)); /* R; the tests below hold S to it */
    sign_public(seed.at, got.at);
    EXPECT(digest_same(&got, &want));
    sign_bytes(seed.at, rows[i].bytes, sign);
    EXPECT(memcmp(sign, half.at, 32) == 0);
    EXPECT(sign_holds(got.at, rows[i].bytes, sign));
    EXPECT(!sign_holds(got.at, SLICE("other"), sign));
    for (int bit = 0; bit < SIGN_LEN * 8; bit += 37) {
      sign[bit / 8] ^= (unsigned char)(1 << bit % 8);
      EXPECT(!sign_holds(got.at, rows[i].bytes, sign));
      sign[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
  }
}
