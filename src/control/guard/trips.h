/* trips.h - the breakers of all versions: fed by what loops counted, shown to loops by worlds.
 * Thread: control.
 *
 * A breaker is about what runs in this process: it is no event of the ledger, and closed after a
 * restart, or when its version is loaded anew. What it did is logged (breaker_open,
 * breaker_half_open, breaker_closed) and told to the webhooks as it opens and closes.
 * An open breaker of a candidate is harm to its release, unless stable's is open as well: then what
 * they share is broken, and going back helps nobody (control/release/look.c).
 * SPDX-License-Identifier: MIT */
#ifndef CONTROL_GUARD_TRIPS_H
#define CONTROL_GUARD_TRIPS_H

#include "world/letters.h"

struct control;
struct placed;

/* What one loop counted of it in a pulse. */
void trips_look(struct control *control, struct placed *placed, const struct version_tally *slot);
/* Opens halfway what has been open for long enough; with every turn. When that is due next;
 * INT64_MAX: nothing is open. */
int64_t trips_turn(struct control *control);
/* It is in memory anew. */
void trips_forget(struct control *control, struct placed *placed);

#endif
