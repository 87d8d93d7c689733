/* state.c - the order of names.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "world/state.h"

int state_name_order(struct slice a, struct slice b)
{
  for (size_t i = 0; i < a.len && i < b.len; i++) {
    int x = (unsigned char)a.at[i], y = (unsigned char)b.at[i];
    if (x >= 'A' && x <= 'Z') x += 'a' - 'A';
    if (y >= 'A' && y <= 'Z') y += 'a' - 'A';
    if (x != y) return x - y;
  }
  return a.len < b.len ? -1 : a.len > b.len;
}
