/* catalog_int.h - what the parts of the catalog share: memory that stays, and switching. Inside the
 * control room only.
 * Thread: control (main before it starts). Pure.
 * SPDX-License-Identifier: MIT */
#ifndef CONTROL_CATALOG_INT_H
#define CONTROL_CATALOG_INT_H

#include "control/catalog.h"

/* Zeroed, in the catalog's arena; never NULL. */
void *catalog_room(struct catalog *catalog, size_t n, size_t each);
struct slice catalog_keep(struct catalog *catalog, struct slice text);
/* Room for one more at `n`: a moved array twice as long when there is none. */
void *catalog_grow(struct catalog *catalog, void *array, uint32_t n, uint32_t *cap, size_t each);

/* A new one, in the next slot, found by its name from now on; the rest of it is the caller's. */
struct catalog_tenant *tenant_grow(struct catalog *catalog, struct slice name);
struct catalog_model *model_grow(struct catalog *catalog, struct catalog_tenant *tenant,
                                 struct slice name);

/* `number` serves from now on (0: nothing), by that event. */
void model_switch(struct catalog_model *model, uint32_t number, const struct event *event);
void model_back_push(struct catalog_model *model, uint32_t number);
/* Down to below `number` where that is on the stack; else nothing. */
void model_back_pop(struct catalog_model *model, uint32_t number);

/* E_INTERNAL: the event does not fit what came before, and why. */
CHECKED enum code catalog_misfit(const struct event *event, struct err *err, const char *why);

/* Into the canonical form of catalog_digest. */
void digest_number(struct sha256 *sha, uint64_t number);
void digest_text(struct sha256 *sha, struct slice text);

#endif
