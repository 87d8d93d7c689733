/* zip_test.c - compressed bodies: there and back, and H1-114 in all its forms.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "wire/zip.h"

#include <zlib.h>

#include "base/mem.h"
#include "base/rand.h"
#include "test.h"

static char *made;
static size_t made_len;

/* Compresses with zlib itself; bits 31 gzip, 15 zlib, -15 raw. */
static struct slice packed(const char *data, size_t len, int bits, int level)
{
  ungrab(made);
  size_t cap = len + len / 100 + 1024;
  made = grab(cap);
  z_stream z = {0};
  EXPECT(deflateInit2(&z, level, Z_DEFLATED, bits, 9, Z_DEFAULT_STRATEGY) == Z_OK);
  z.next_in = (Bytef *)(uintptr_t)data;
  z.avail_in = (unsigned)len;
  z.next_out = (Bytef *)made;
  z.avail_out = (unsigned)cap;
  EXPECT(deflate(&z, Z_FINISH) == Z_STREAM_END);
  made_len = cap - z.avail_out;
  deflateEnd(&z);
  return slice_of(made, made_len);
}

static struct arena arena;
static struct err err;
static struct slice out;

static enum code unpack(enum zip_coding coding, struct slice in, size_t max)
{
  arena_deinit(&arena);
  arena_init(&arena, 256 << 20, NULL);
  char *exact = grab(in.len ? in.len : 1); /* of its size exactly, for the sanitizers */
  if (in.len) memcpy(exact, in.at, in.len);
  err = (struct err){0};
  enum code code = zip_inflate(coding, slice_of(exact, in.len), max, &arena, &out, &err);
  ungrab(exact);
  return code;
}

TEST(zip_there_and_back)
{
  static char data[200000];
  struct rand rand;
  rand_seed(&rand, 7);
  for (size_t i = 0; i < sizeof data; i++) data[i] = (char)("0123456789,. "[rand_u64(&rand) % 13]);
  static const size_t sizes[] = {0, 1, 100, 65535, 65536, 65537, sizeof data};
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
    for (int level = 0; level <= 9; level += 3)
      for (int gz = 0; gz < 2; gz++) {
        struct slice in = packed(data, sizes[s], gz ? 31 : 15, level);
        enum zip_coding coding = gz ? ZIP_GZIP : ZIP_DEFLATE;
        EXPECT_INT(unpack(coding, in, 1 << 20), OK);
        EXPECT(slice_eq(out, slice_of(data, sizes[s])));
        EXPECT_INT(unpack(coding, in, sizes[s]), OK);
        EXPECT(slice_eq(out, slice_of(data, sizes[s])));
        if (sizes[s]) EXPECT_INT(unpack(coding, in, sizes[s] - 1), E_BODY_TOO_LARGE);
      }
  EXPECT_INT(unpack(ZIP_IDENTITY, SLICE("abc"), 1), OK);
}

TEST(zip_h1_114_bombs)
{
  size_t len = 10 << 20;
  char *zeros = grab_zero(1, len);
  struct slice in = packed(zeros, len, 31, 9);
  EXPECT(in.len < len / 100);
  EXPECT_INT(unpack(ZIP_GZIP, in, 64 << 20), E_BODY_TOO_LARGE);
  EXPECT(arena_held(&arena) < 20 * in.len + (1 << 20)); /* refused before memory was taken */
  in = packed(zeros, 64 << 10, 15, 9); /* any ratio is fine up to 64 KiB */
  EXPECT_INT(unpack(ZIP_DEFLATE, in, 64 << 20), OK);
  EXPECT_INT(out.len, 64 << 10);
  in = packed(zeros, (64 << 10) + 1, 15, 9);
  EXPECT_INT(unpack(ZIP_DEFLATE, in, 64 << 20), E_BODY_TOO_LARGE);
  ungrab(zeros);
}

TEST(zip_h1_114_damage)
{
  static char data[5000];
  for (size_t i = 0; i < sizeof data; i++) data[i] = (char)(i * i % 251);
  for (int gz = 0; gz < 2; gz++) {
    enum zip_coding coding = gz ? ZIP_GZIP : ZIP_DEFLATE;
    struct slice in = packed(data, sizeof data, gz ? 31 : 15, 6);
    for (size_t cut = 0; cut < in.len; cut++)
      EXPECT_INT(unpack(coding, slice_of(in.at, cut), 1 << 20), E_BAD_REQUEST);
    char *longer = grab(in.len + 1);
    memcpy(longer, in.at, in.len);
    longer[in.len] = 0;
    EXPECT_INT(unpack(coding, slice_of(longer, in.len + 1), 1 << 20), E_BAD_REQUEST);
    size_t crc = in.len - (gz ? 8 : 4); /* the checksum, and gzip's length */
    for (size_t i = crc; i < in.len; i++) {
      longer[i] ^= 1;
      EXPECT_INT(unpack(coding, slice_of(longer, in.len), 1 << 20), E_BAD_REQUEST);
      longer[i] ^= 1;
    }
    for (size_t i = 0; i < in.len * 8; i += 3) { /* never right, never a crash, never too large */
      longer[i / 8] ^= (char)(1 << i % 8);
      enum code code = unpack(coding, slice_of(longer, in.len), 1 << 20);
      if (code == OK) EXPECT(slice_eq(out, slice_of(data, sizeof data))); /* gzip's time, OS ... */
      else EXPECT(code == E_BAD_REQUEST || code == E_BODY_TOO_LARGE);
      longer[i / 8] ^= (char)(1 << i % 8);
    }
    EXPECT_INT(unpack(gz ? ZIP_DEFLATE : ZIP_GZIP, in, 1 << 20), E_BAD_REQUEST);
    ungrab(longer);
  }
  EXPECT_INT(unpack(ZIP_DEFLATE, packed(data, sizeof data, -15, 6), 1 << 20), E_BAD_REQUEST);
  EXPECT_INT(unpack(ZIP_GZIP, SLICE_NONE, 1 << 20), E_BAD_REQUEST);
  struct slice one = packed("abc", 3, 31, 6); /* two members: bytes after the end */
  char two[200];
  memcpy(two, one.at, one.len);
  memcpy(two + one.len, one.at, one.len);
  EXPECT_INT(unpack(ZIP_GZIP, slice_of(two, 2 * one.len), 1 << 20), E_BAD_REQUEST);
}

TEST(zip_small_arenas_are_an_answer)
{
  static char data[100000];
  memset(data, 'x', sizeof data);
  struct slice in = packed(data, 60000, 31, 6);
  for (size_t max = 0; max < 120000; max += 1000) {
    struct arena small;
    arena_init(&small, max, NULL);
    enum code code = zip_inflate(ZIP_GZIP, in, 1 << 20, &small, &out, &err);
    EXPECT(code == OK || code == E_OUT_OF_MEMORY);
    EXPECT(code == OK ? max > 60000 : max < 119000);
    arena_deinit(&small);
    arena_init(&small, max, NULL);
    struct slice part = {data, 10000};
    code = zip_deflate(ZIP_GZIP, &part, 1, &small, &out, &err);
    EXPECT(code == E_OUT_OF_MEMORY);
    arena_deinit(&small);
  }
}

TEST(zip_answers)
{
  static char data[100000];
  for (size_t i = 0; i < sizeof data; i++) data[i] = (char)('0' + i % 10);
  for (int gz = 0; gz < 2; gz++) {
    enum zip_coding coding = gz ? ZIP_GZIP : ZIP_DEFLATE;
    struct slice parts[] = {{data, 10}, SLICE_NONE, {data + 10, sizeof data - 20},
                            {data + sizeof data - 10, 10}, {data, 0}};
    struct slice answer;
    struct arena a;
    arena_init(&a, 1 << 20, NULL);
    EXPECT_INT(zip_deflate(coding, parts, 5, &a, &answer, &err), OK);
    EXPECT(answer.len > 0 && answer.len < 5000);
    EXPECT_INT(unpack(coding, answer, 1 << 20), E_BODY_TOO_LARGE); /* 20:1 */
    packed(data, 1, 15, 1);
    z_stream z = {0};
    static char back[sizeof data + 1];
    inflateInit2(&z, gz ? 31 : 15);
    z.next_in = (Bytef *)(uintptr_t)answer.at;
    z.avail_in = (unsigned)answer.len;
    z.next_out = (Bytef *)back;
    z.avail_out = sizeof back;
    EXPECT(inflate(&z, Z_FINISH) == Z_STREAM_END && z.avail_in == 0);
    EXPECT(z.avail_out == 1 && memcmp(back, data, sizeof data) == 0);
    inflateEnd(&z);
    arena_deinit(&a);
  }
  struct rand rand;
  rand_seed(&rand, 1);
  for (size_t i = 0; i < sizeof data; i++) data[i] = (char)rand_u64(&rand);
  struct slice noise = {data, sizeof data}, answer;
  struct arena a;
  arena_init(&a, 1 << 20, NULL);
  EXPECT_INT(zip_deflate(ZIP_GZIP, &noise, 1, &a, &answer, &err), OK);
  EXPECT(answer.at == NULL); /* not smaller: send as it is */
  EXPECT_INT(zip_deflate(ZIP_IDENTITY, &noise, 1, &a, &answer, &err), OK);
  EXPECT(answer.at == NULL);
  arena_deinit(&a);
}

TEST(zip_codings)
{
  enum zip_coding c;
  EXPECT(zip_coding_read(SLICE_NONE, &c, &err) == OK && c == ZIP_IDENTITY);
  EXPECT(zip_coding_read(SLICE(""), &c, &err) == OK && c == ZIP_IDENTITY);
  EXPECT(zip_coding_read(SLICE("GZip "), &c, &err) == OK && c == ZIP_GZIP);
  EXPECT(zip_coding_read(SLICE("x-gzip"), &c, &err) == OK && c == ZIP_GZIP);
  EXPECT(zip_coding_read(SLICE("deflate"), &c, &err) == OK && c == ZIP_DEFLATE);
  EXPECT(zip_coding_read(SLICE("identity"), &c, &err) == OK && c == ZIP_IDENTITY);
  EXPECT_INT(zip_coding_read(SLICE("br"), &c, &err), E_UNSUPPORTED_MEDIA);
  EXPECT_INT(zip_coding_read(SLICE("gzip, gzip"), &c, &err), E_UNSUPPORTED_MEDIA);
  EXPECT_INT(zip_coding_read(SLICE("identity, gzip"), &c, &err), E_UNSUPPORTED_MEDIA);
  EXPECT_STR(zip_coding_name(ZIP_GZIP), "gzip");
  EXPECT_STR(zip_coding_name(ZIP_DEFLATE), "deflate");
  EXPECT_STR(zip_coding_name(ZIP_IDENTITY), "identity");
}

TEST(zip_choice_by_accept_encoding)
{
  static const struct { const char *accept; enum zip_coding want; } rows[] = {
      {"", ZIP_IDENTITY},
      {"gzip, deflate, br", ZIP_GZIP},
      {"deflate, gzip", ZIP_DEFLATE},
      {"br", ZIP_IDENTITY},
      {"br;q=1.0, gzip;q=0.8, *;q=0.1", ZIP_GZIP},
      {"gzip;q=0.5, deflate;q=0.6", ZIP_DEFLATE},
      {"gzip;q=0.5, identity", ZIP_IDENTITY},
      {"identity;q=0.5, gzip;q=0.5", ZIP_IDENTITY},
      {"gzip;q=0", ZIP_IDENTITY},
      {"gzip ; Q=0.001", ZIP_GZIP},
      {"*", ZIP_IDENTITY},
      {"gzip;q=2", ZIP_IDENTITY},
      {"gzip;q=0.1234", ZIP_IDENTITY},
      {"gzip;q=", ZIP_IDENTITY},
      {"gzip;x=1", ZIP_IDENTITY},
      {"gzip;q=1.5", ZIP_IDENTITY},
      {",,gzip", ZIP_GZIP},
      {"deflate;q=0, gzip;q=1.000", ZIP_GZIP},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    EXPECT_INT(zip_choose(slice_str(rows[i].accept)), rows[i].want);
  EXPECT_INT(zip_choose(SLICE_NONE), ZIP_IDENTITY);
}
