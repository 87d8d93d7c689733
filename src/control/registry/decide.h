/* decide.h - what commands about the registry come to, seen from the catalog alone.
 * Thread: control. Pure.
 *
 * A version is not removed while anything still needs it: it serves, a rollback leads to it, a
 * switch to it was promised, a release runs with it, an alias points at it, its card (or its
 * model's) says hold. E_CONFLICT names the first of these. A model, while it serves, switches, is
 * being released or anything of it is on hold; its aliases go with it.
 * SPDX-License-Identifier: MIT */
#ifndef CONTROL_REGISTRY_DECIDE_H
#define CONTROL_REGISTRY_DECIDE_H

#include "control/command.h"

bool registry_command_is(enum command_kind kind);
/* Whether an event with this key's kind is what such a command leaves behind. */
bool registry_key_fits(enum command_kind command, enum event_kind event);
void registry_decide(const struct catalog_tenant *tenant, const struct letter_command *command,
                     struct decision *decision);
/* The facts of a pushed version's card, from the wish's patch; false: decision->err. */
bool registry_push_dress(const struct catalog_model *model, const struct letter_command *command,
                         struct event *pushed, struct decision *decision);
/* E_PRECONDITION_FAILED when the model is not as the caller saw it. */
CHECKED enum code registry_if_match(const struct catalog_model *model,
                                    const struct letter_command *command, struct err *err);

/* E_CONFLICT: why the whole model cannot be removed now. */
CHECKED enum code registry_model_needed(const struct catalog_model *model, struct err *err);

#endif
