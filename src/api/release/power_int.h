/* power_int.h - what a plan can decide with this model's traffic, as JSON text. Room-internal.
 * Thread: desk; pure. Its own file because wire/json.h and jansson share names.
 * SPDX-License-Identifier: MIT */
#ifndef API_RELEASE_POWER_INT_H
#define API_RELEASE_POWER_INT_H

#include "judge/plan.h"

/* Stable's recent traffic. */
struct power_traffic {
  double rps, error_rate;
};

/* One JSON object, and warnings a line each; both lie in the arena. */
void power_report(const struct plan *plan, const struct power_traffic *traffic,
                  struct arena *arena, struct slice *json, struct slice *warnings);

#endif
