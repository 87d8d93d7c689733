/* sketch_fuzz.c - any bytes as sketches at rest: what is taken is what encode writes, and counts.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "stat/math.h"
#include "stat/sketch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static struct sketch sum, one;
  static unsigned char bytes[SKETCH_BYTES_MAX];
  struct slice rest = slice_of((const char *)data, size);
  struct err err = {0};
  memset(&sum, 0, sizeof sum);
  while (rest.len) {
    struct slice from = rest;
    memset(&one, 0, sizeof one);
    if (sketch_decode(&one, &rest, &err) != OK) {
      must(err.code == E_INVALID_ARGUMENT && err.text[0] && rest.len == from.len && !one.count);
      break;
    }
    struct varint_out out = {bytes, 0, sizeof bytes, false};
    sketch_encode(&one, &out);
    must(!out.full && out.len == from.len - rest.len && !memcmp(bytes, from.at, out.len));
    uint64_t before = sum.count, counted = 0;
    enum code code = sketch_decode(&sum, &from, &err);
    must((code == OK) == (before + one.count <= M_COUNT_MAX));
    for (uint32_t i = 0; i < SKETCH_BUCKETS; i++) counted += sum.at[i];
    must(counted == sum.count && sum.count <= M_COUNT_MAX);
    if (code != OK) break;
  }
  return 0;
}
