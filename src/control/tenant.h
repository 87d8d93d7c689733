/* tenant.h - tenants in the catalog: the fold of TENANT_SET and TENANT_REMOVED, and what the
 * commands about tenants come to. (TENANT_CREATED is folded by the catalog itself: it grows.)
 * Thread: control (main before it starts). Pure.
 *
 * A removed tenant stays in the catalog as a name that is taken: with no key, no flags and nothing
 * that serves. What it stored is collected later by whoever keeps it.
 * SPDX-License-Identifier: MIT */
#ifndef CONTROL_TENANT_H
#define CONTROL_TENANT_H

#include "control/catalog.h"

struct decision;
struct letter_command;

static inline bool tenant_event_is(enum event_kind kind)
{
  return kind == EVENT_TENANT_SET || kind == EVENT_TENANT_REMOVED;
}

bool tenant_command_is(const struct letter_command *command);
/* E_INTERNAL when it does not fit what came before. */
CHECKED enum code tenant_fold(struct catalog *catalog, struct catalog_tenant *tenant,
                              const struct event *event, struct err *err);
/* COMMAND_TENANT_ADD, _SET, _REMOVE; the idempotency key is looked at here, too. */
void tenant_decide(const struct catalog *catalog, const struct letter_command *command,
                   struct decision *decision);
/* Adds nothing for what no ledger before TENANT_SET could say. */
void tenant_digest(const struct catalog_tenant *tenant, struct sha256 *sha);

#endif
