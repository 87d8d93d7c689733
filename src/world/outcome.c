/* outcome.c - names and small sums of outcomes.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "world/outcome.h"

#include <math.h>

const char *feedback_state_name(enum feedback_state state)
{
  static const char *const names[FEEDBACK_STATES] = {
      [FEEDBACK_JOINED] = "joined", [FEEDBACK_PENDING] = "pending", [FEEDBACK_UNKNOWN] = "unknown",
      [FEEDBACK_SAME] = "same",     [FEEDBACK_REPLACED] = "replaced",
  };
  must((unsigned)state < FEEDBACK_STATES);
  return names[state];
}

int64_t outcome_label(struct slice text)
{
  static const unsigned char fixed[16] = "slipway labels1";
  int64_t label = (int64_t)siphash(fixed, text);
  return label == LABEL_NONE ? 0 : label;
}

double outcome_ece(const struct outcome_sums *sums)
{
  double apart = 0;
  uint64_t n = 0;
  for (int i = 0; i < CALIBRATION_BINS; i++) {
    n += sums->bins[i].n;
    apart += fabs(sums->bins[i].y - sums->bins[i].p);
  }
  return n ? apart / (double)n : NAN;
}
