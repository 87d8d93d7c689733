/* freeze.h - is it a time in which nothing may begin or advance?
 * Thread: control. Pure: the time is given.
 *
 * Weekly times: ranges by commas, then a zone where it is not UTC; a range may lead over the week's
 * end. The zone is an offset: a place's rules of summer time change, a frozen ledger must not.
 *
 *   fri 16:00-mon 08:00 +01:00
 *   mon 22:00-tue 06:00, tue 22:00-wed 06:00
 * Source: release-features 4.
 * SPDX-License-Identifier: MIT */
#ifndef CONTROL_RELEASE_FREEZE_H
#define CONTROL_RELEASE_FREEZE_H

#include "control/release/fold.h"

enum { WEEKLY_RANGES_MAX = 14, WEEK_MINUTES = 7 * 24 * 60 };

struct weekly {
  uint32_t n;
  struct {
    int from, until; /* minutes since Monday 00:00; until <= from: over the week's end */
  } ranges[WEEKLY_RANGES_MAX];
  int zone; /* minutes east of Greenwich */
};

/* E_INVALID_ARGUMENT shows the form. */
CHECKED enum code weekly_read(struct slice text, struct weekly *weekly, struct err *err);
bool weekly_holds(const struct weekly *weekly, int64_t wall_ms);

bool freeze_holds(const struct catalog_freeze *freeze, int64_t wall_ms);
/* The first freeze in force that concerns the model; NULL: none. */
const struct catalog_freeze *freeze_of(const struct catalog *catalog,
                                       const struct catalog_model *model, int64_t wall_ms);

#endif
