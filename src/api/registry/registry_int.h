/* registry_int.h - what the handlers of the registry share. Room-internal.
 * Thread: desk.
 *
 *   card       models and versions described, models made, both removed
 *   alias      names that point at versions
 *   manifest   one version with its files
 * SPDX-License-Identifier: MIT */
#ifndef API_REGISTRY_REGISTRY_INT_H
#define API_REGISTRY_REGISTRY_INT_H

#include "api/release/release_int.h"

/* The object as the event's fact patch, if it says anything. False: ask->err. */
bool card_take(struct ask *ask, const json_t *object, struct event *event);
/* The version that the path names, by number or alias; NULL: ask->err. */
const struct version *registry_version(struct ask *ask);
/* The answer to a command about the registry, with the model's new ETag. */
enum desk_step registry_done(struct ask *ask);

#endif
