/* near.h - comparing doubles, and counting the units of the last place between them.
 * SPDX-License-Identifier: MIT */
#ifndef NEAR_H
#define NEAR_H

#include "test.h"

/* Within a relative 1e-9 (golden values have ten digits) or an absolute `slack`. */
#define EXPECT_NEAR(got, want, slack)                                                        \
  do {                                                                                       \
    double got_ = (got), want_ = (want), off_ = fabs(got_ - want_);                          \
    if (!(got_ == want_ || off_ <= 1e-9 * fabs(want_) || off_ <= (slack))) {                 \
      printf("%s:%d: %s is %.17g, expected %.17g\n", __FILE__, __LINE__, #got, got_, want_); \
      test_failures++;                                                                       \
    }                                                                                        \
  } while (0)

#define EXPECT_BITS(got, want)                                                         \
  do {                                                                                 \
    double got_ = (got), want_ = (want);                                               \
    if (memcmp(&got_, &want_, sizeof got_) != 0) {                                     \
      printf("%s:%d: %s is %a, expected %a\n", __FILE__, __LINE__, #got, got_, want_); \
      test_failures++;                                                                 \
    }                                                                                  \
  } while (0)

#endif
