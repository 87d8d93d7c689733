/* outcome.c - names of what becomes of feedback.
 * Thread: any; pure.
 * SPDX-License-Identifier: MIT */
#include "world/outcome.h"

const char *feedback_state_name(enum feedback_state state)
{
  static const char *const names[] = {"joined", "pending", "unknown", "same", "replaced"};
  must((unsigned)state < sizeof names / sizeof *names);
  return names[state];
}
