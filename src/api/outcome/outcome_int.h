/* outcome_int.h - outcomes at a desk: told by callers, measured for control. Room-internal.
 * Thread: desk.
 * SPDX-License-Identifier: MIT */
#ifndef API_OUTCOME_OUTCOME_INT_H
#define API_OUTCOME_OUTCOME_INT_H

#include "api/ask_int.h"

/* What POST /api/v1/feedback sent to the scribe is home: the ask's next step. */
enum desk_step feedback_home(struct ask *ask);

#endif
