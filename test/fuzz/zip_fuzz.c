/* zip_fuzz.c - any bytes as a compressed body; and whatever we compress must come back.
 * The first byte chooses the coding and the limit.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <stdlib.h>

#include "wire/zip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (!size) return 0;
  enum zip_coding coding = data[0] & 1 ? ZIP_GZIP : ZIP_DEFLATE;
  size_t body_max = (size_t)1 << (data[0] >> 3);
  if (body_max > 1 << 20) body_max = 1 << 20;
  struct slice in = {(const char *)data + 1, size - 1}, out;
  struct arena arena;
  struct err err = {0};
  arena_init(&arena, 8 << 20, NULL);
  enum code code = zip_inflate(coding, in, body_max, &arena, &out, &err);
  if (code == OK) must(out.len <= body_max);
  else must((code == E_BODY_TOO_LARGE || code == E_BAD_REQUEST) && err.text[0]);

  struct slice parts[2] = {{in.at, in.len / 3}, {in.at + in.len / 3, in.len - in.len / 3}}, back;
  must(zip_deflate(coding, parts, 2, &arena, &out, &err) == OK);
  if (out.at) {
    must(out.len < in.len);
    code = zip_inflate(coding, out, in.len, &arena, &back, &err);
    if (code == OK) must(slice_eq(back, in));
    else must(code == E_BODY_TOO_LARGE && in.len > ZIP_RATIO_FREE);
  }
  zip_choose(in);
  (void)!zip_coding_read(in, &coding, &err);
  arena_deinit(&arena);
  return 0;
}
