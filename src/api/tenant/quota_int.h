/* quota_int.h - limits as clients see them. Room-internal.
 * Thread: desk.
 * SPDX-License-Identifier: MIT */
#ifndef API_TENANT_QUOTA_INT_H
#define API_TENANT_QUOTA_INT_H

#include "api/ask_int.h"

/* Every limit that can be said of a tenant, of a model:
 *   {"requests_per_second":{"limit":100,"said":true,"used":12,"refused":0,"unit":"requests"},...}
 * limit null: unlimited; used null: nobody counts it (a burst; a rate without a limit). */
json_t *quotas_tenant_json(const struct tenant *tenant);
json_t *quotas_model_json(const struct model *model);

/* Member "quotas" of the object as the fact of an event (base/quota.h): at NULL where there is
 * none. Values are whole numbers, texts as the command line takes them, or null: takes a limit
 * back.
 * False with the field: "quotas.models". */
bool quotas_fact_read(struct ask *ask, const json_t *of, enum quota_scope scope,
                      struct slice *fact);

/* Before n more bytes of an upload are taken in, and (n 0) as many as are `declared` come: whether
 * they fit beside what is stored and what other uploads wait to be named. Counts n. False with
 * E_QUOTA_EXCEEDED. */
bool quota_upload(struct ask *ask, uint64_t n, uint64_t declared);
/* Nothing came of them, or they are gone. What was counted and lies there is a mark's to give back
 * (store/held.h). */
void quota_upload_give(struct ask *ask, uint64_t bytes);
/* What counts them; NULL: nobody does. */
struct meter *quota_meter_of(const struct ask *ask);

#endif
