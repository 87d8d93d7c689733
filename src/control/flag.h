/* flag.h - commands about a tenant's feature flags, and their fold.
 * Thread: control. Pure but for memory.
 * SPDX-License-Identifier: MIT */
#ifndef CONTROL_FLAG_H
#define CONTROL_FLAG_H

#include "control/command.h"

/* FLAG_SET, FLAG_REMOVE. In a freeze of the tenant or the system one change is let through: that
 * one flag becomes DISABLED, as a rollback would be. What the event says that is not the command's
 * lies in command->arena. */
void flag_decide(const struct catalog *catalog, const struct catalog_tenant *tenant,
                 const struct letter_command *command, struct decision *decision);
/* Whether that file has to wait for a freeze to end: err says which. */
bool flags_frozen(const struct catalog *catalog, const struct catalog_tenant *tenant,
                  const struct letter_command *command, struct slice file, struct err *err);
/* FLAGS_SET, FLAG_REMOVED: the tenant's file is what the event says. */
CHECKED enum code flag_fold(struct catalog_tenant *tenant, const struct event *event,
                            struct err *err);

#endif
