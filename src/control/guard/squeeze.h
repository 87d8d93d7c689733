/* squeeze.h - pressure as control acts on it: what main and loops tell, what worlds then say, and
 * models that leave memory.
 * Thread: control.
 * SPDX-License-Identifier: MIT */
#ifndef CONTROL_GUARD_SQUEEZE_H
#define CONTROL_GUARD_SQUEEZE_H

#include "world/letters.h"

struct control;

void squeeze_readings(struct control *control, struct letter_pressure *letter);
/* What one loop counted of its turns in a pulse. */
void squeeze_turns(struct control *control, const struct tally *tally);
void squeeze_pulse(struct control *control); /* once a second */

#endif
