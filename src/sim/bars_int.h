/* bars_int.h - what bars.c and bars_lone.c share.
 * Thread: own.
 * SPDX-License-Identifier: MIT */
#ifndef SIM_BARS_INT_H
#define SIM_BARS_INT_H

#include "sim/bars.h"

void bar_tell(struct bars *bars, const char *id, enum bar_says says, const char *what,
              const char *want, const char *got);
void bars_lone_late(struct bars *bars); /* B5: single rows */
void bars_lone(struct bars *bars);      /* B8, B9, B10 */

#endif
