/* state.h - what a tenant is to be like, against what it is: the difference, as lines for people
 * and as events that make it so.
 * Thread: control. Pure: the catalog, the state and the time given decide.
 *
 * The difference is found anew when it is applied, against the catalog as it is then, and all its
 * events go into one append: nobody sees half of it, and what somebody changed in between is either
 * not touched by it or, where the caller names the plan it looked at, a conflict. Its name is a
 * digest of its lines, so the order of the declaration does not matter, and changes elsewhere do
 * not get in the way.
 * What each part may do is the rule of the command it stands for (registry/decide.h, tenant.h,
 * flag.h, release/decide.h); err->field says which member it was: "models.fraud.aliases.champion".
 * SPDX-License-Identifier: MIT */
#ifndef CONTROL_STATE_STATE_H
#define CONTROL_STATE_STATE_H

#include "control/command.h"

/* command->state is COMMAND_STATE's; its Home members are filled. Where nothing is to change, or it
 * is only asked for, the decision is an ANSWER. */
void state_decide(const struct catalog *catalog, const struct letter_command *command,
                  struct decision *decision);

#endif
