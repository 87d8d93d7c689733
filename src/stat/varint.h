/* varint.h - whole numbers in as few bytes as they need: seven bits a byte, low ones first.
 * Thread: any, pure.
 *
 * The form of sketches at rest and of looks in the journal. Each number has one form only: a last
 * byte of zero (a longer way to write the same) is refused, as are more than ten bytes and what
 * exceeds 64 bits. So equal evidence is equal bytes.
 * Source: LEB128.
 * SPDX-License-Identifier: MIT */
#ifndef STAT_VARINT_H
#define STAT_VARINT_H

#include "base/slice.h"

enum { VARINT_BYTES_MAX = 10 };

/* Bytes to write to: at, how many were written, how many fit. What does not fit is not written and
 * sets `full`, which stays, so that a writer checks once, at the end. */
struct varint_out {
  unsigned char *at;
  size_t len, cap;
  bool full;
};

void varint_put(struct varint_out *out, uint64_t value);
/* Eats a number from the front of *bytes; false, and *bytes as it was, when there is none. */
bool varint_get(struct slice *bytes, uint64_t *value);

#endif
