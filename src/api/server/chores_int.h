/* chores_int.h - asking the janitor. Room-internal.
 * Thread: desk.
 * SPDX-License-Identifier: MIT */
#ifndef API_SERVER_CHORES_INT_H
#define API_SERVER_CHORES_INT_H

#include "api/handlers_int.h"

/* Then runs with the letter, which is freed after it; NULL: there is no janitor, or it stops. */
enum desk_step chore_ask(struct ask *ask, enum chore chore, ask_chore_then then);

#endif
