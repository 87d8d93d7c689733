/* quota.h - limits of tenants and models in the catalog: what was said, the meters that belong to
 * it, and whether what a command adds still fits what may be stored.
 * Thread: control (main before it starts). Pure but for the meters, which loops count into.
 *
 * Fact `quotas` of TENANT_SET and MODEL_SET (base/quota.h): what it names is set, the rest stays;
 * an empty one takes all back. Rates and levels are the loops' to hold (serve/quota); what there is
 * in stock is held here, in the same step that adds to it, so nothing can slip in between.
 * Stored bytes are the sum over versions of their files: two versions that share a file pay for it
 * twice, as whoever removes one of them expects. What a removal leaves on the disk pends until it
 * is gone (control/registry/owned.h). Limits that shrink below what there is take nothing away;
 * nothing more comes.
 * SPDX-License-Identifier: MIT */
#ifndef CONTROL_QUOTA_H
#define CONTROL_QUOTA_H

#include "control/catalog.h"
#include "world/letters.h"
#include "world/meter.h"

/* Empty, alone on its cache lines; stays where the catalog keeps its meters. */
struct meter *quota_meter(struct catalog *catalog);
/* Sets what the fact names. *said is made with the first. E_VALUE_OUT_OF_RANGE,
 * E_INVALID_ARGUMENT; then nothing has changed. */
CHECKED enum code quota_fold(struct catalog *catalog, struct quotas **said, enum quota_scope scope,
                             struct slice fact, struct err *err);
/* The same question without the change: for commands. */
CHECKED enum code quota_fact_check(const struct quotas *said, enum quota_scope scope,
                                   struct slice fact, struct err *err);
/* Whether a version of these bytes still fits beside what is stored and what pends, of which
 * `waiting` are its own; model NULL or removed: it is the first of a new one.
 * E_QUOTA_EXCEEDED with the limit, which the meter counts. */
CHECKED enum code quota_stock_check(const struct catalog_tenant *tenant,
                                    const struct catalog_model *model, uint64_t versions,
                                    uint64_t bytes, uint64_t waiting, struct err *err);
/* The two halves of that, with the limits that will hold then: for several changes at once. tenant,
 * model NULL: it is to be made, by that name. */
struct stock_more {
  uint64_t models, versions, bytes, waiting;
};
CHECKED enum code quota_tenant_stock(const struct quotas *said, const struct catalog_tenant *tenant,
                                     struct slice name, struct stock_more more, struct err *err);
CHECKED enum code quota_model_stock(const struct quotas *said, const struct catalog_model *model,
                                    struct slice name, struct stock_more more, struct err *err);
/* Whether a command has to wait for what that event adds: both take from one stock, which is only
 * counted once it is written. So a tenant with such a limit adds one thing after the other. */
bool quota_in_line(const struct catalog *catalog, const struct letter_command *command,
                   const struct event *written);
/* Adds nothing where nothing was ever said. */
void quota_digest(const struct quotas *said, struct sha256 *sha);

#endif
