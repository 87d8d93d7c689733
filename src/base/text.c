/* text.c - whole numbers from text. Floats are in cxx.cc.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "base/text.h"

bool text_read_u64(struct slice text, uint64_t max, uint64_t *value)
{
  uint64_t sum = 0;
  if (text.len == 0 || (text.len > 1 && text.at[0] == '0')) return false;
  for (size_t i = 0; i < text.len; i++) {
    unsigned digit = (unsigned char)text.at[i] - (unsigned)'0';
    if (digit > 9 || __builtin_mul_overflow(sum, (uint64_t)10, &sum) ||
        __builtin_add_overflow(sum, digit, &sum))
      return false;
  }
  if (sum > max) return false;
  *value = sum;
  return true;
}
