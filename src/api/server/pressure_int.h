/* pressure_int.h - memory and what else runs short, told to people. Room-internal.
 * Thread: desk; pure: everything it says is handed in.
 * SPDX-License-Identifier: MIT */
#ifndef API_SERVER_PRESSURE_INT_H
#define API_SERVER_PRESSURE_INT_H

#include <jansson.h>
#include <stdbool.h>

#include "world/guard/pressure.h"

/* Two lines of the doctor's. readings NULL: not the caller's to see. *good: nothing need be done.
 *
 * What requests may take at most beside the budget of the process, and whose word that is.
 * machine: bytes, for where no budget was read yet. */
json_t *budget_text(const struct pressure_readings *readings, uint64_t limits, uint64_t machine,
                    bool *good);
/* How short it is of each source; where something is done about that (bits of enum
 * pressure_action), what is, and what helps. */
json_t *pressure_text(const struct pressure_readings *readings, uint32_t actions, bool *good);

#endif
