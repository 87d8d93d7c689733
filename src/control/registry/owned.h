/* owned.h - which objects the versions of a tenant name, and word to the janitor when that changes.
 * Thread: control (main before it starts).
 *
 * What a removal leaves on the disk counts until it is gone (ADR 43): the moment the fold takes a
 * version's bytes from what is stored, those of its files that no other version of the tenant names
 * are added to what pends (world/meter.h), and the janitor gets a LETTER_FREED, of which it makes
 * marks (store/held.h). A version that names them again takes them back the same way.
 * Two versions may share a file, and a removal must not look at all versions that there are: so a
 * tenant from which something was removed has a table of how many files have a digest. It is made
 * when it is first asked for, kept by the fold from then on, and no part of the catalog's state.
 * SPDX-License-Identifier: MIT */
#ifndef CONTROL_REGISTRY_OWNED_H
#define CONTROL_REGISTRY_OWNED_H

#include "control/catalog.h"
#include "world/letters.h"

struct owned;

/* Whether a version of the tenant that is there has a file of that digest. Makes the table. */
bool owned_has(struct catalog_tenant *tenant, const struct digest *digest);
/* The fold's: a version came or goes. Nothing where there is no table. */
void owned_add(struct catalog_tenant *tenant, const struct catalog_version *version);
void owned_take(struct catalog_tenant *tenant, const struct catalog_version *version);
void owned_free(struct catalog_tenant *tenant);

/* After the fold of an event that a version came with or went by: counts what it left, and tells
 * the janitor (NULL: nobody counts). */
void owned_tell(struct catalog_tenant *tenant, const struct catalog_model *model,
                const struct event *event, struct mailbox *janitor);

#endif
