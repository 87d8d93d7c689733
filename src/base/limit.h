/* limit.h - one line of `slipway doctor`: a maximum, and the memory it may cost at most. Each room
 * lists its own, beside the constants it names; daemon.c puts the lists together.
 * Thread: main, at start; any thread may read afterwards.
 * SPDX-License-Identifier: MIT */
#ifndef BASE_LIMIT_H
#define BASE_LIMIT_H

#include "base/err.h"

struct limit {
  const char *name; /* "calls per loop" */
  uint64_t value;
  const char *unit;      /* "", "bytes", "ms" */
  uint64_t memory_bytes; /* worst case over the whole process; 0: none, or part of another row */
  const char *option;    /* how to change it: "--loops"; NULL: fixed */
  const char *left_out;  /* what the sum does not hold although this room uses it; NULL: nothing */
};

enum { LIMITS_MAX = 48 };

struct limits {
  struct limit rows[LIMITS_MAX];
  uint32_t n;
};

static inline void limit_add(struct limits *limits, struct limit row)
{
  must(limits->n < LIMITS_MAX);
  limits->rows[limits->n++] = row;
}

#endif
