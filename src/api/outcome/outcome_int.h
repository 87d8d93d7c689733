/* outcome_int.h - outcomes at a desk: told by callers, measured for control. Room-internal.
 * Thread: desk.
 * SPDX-License-Identifier: MIT */
#ifndef API_OUTCOME_OUTCOME_INT_H
#define API_OUTCOME_OUTCOME_INT_H

#include "api/ask_int.h"

/* This desk's reader; NULL with err. */
struct outcomes *outcomes_of(struct desk *desk, struct err *err);

/* Asked by control: measured at once and sent home. */
void measure_take(struct desk *desk, struct letter_measure *letter);

/* What POST /api/v1/feedback sent to the scribe is home: the ask's next step. */
enum desk_step feedback_home(struct ask *ask);

#endif
