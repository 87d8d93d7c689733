/* varint.c - seven bits a byte, one form for each number.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "stat/varint.h"

void varint_put(struct varint_out *out, uint64_t value)
{
  unsigned char bytes[VARINT_BYTES_MAX];
  size_t n = 0;
  for (; value >= 0x80; value >>= 7) bytes[n++] = (unsigned char)(value | 0x80);
  bytes[n++] = (unsigned char)value;
  if (out->full || n > out->cap - out->len) {
    out->full = true;
    return;
  }
  memcpy(out->at + out->len, bytes, n);
  out->len += n;
}

bool varint_get(struct slice *bytes, uint64_t *value)
{
  uint64_t sum = 0;
  for (size_t n = 0; n < bytes->len && n < VARINT_BYTES_MAX; n++) {
    unsigned char byte = (unsigned char)bytes->at[n];
    if (n == VARINT_BYTES_MAX - 1 && byte > 1) return false;
    sum |= (uint64_t)(byte & 0x7f) << (7 * n);
    if (byte & 0x80) continue;
    if (byte == 0 && n > 0) return false;
    *value = sum;
    *bytes = slice_of(bytes->at + n + 1, bytes->len - n - 1);
    return true;
  }
  return false;
}
