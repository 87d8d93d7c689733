/* quota.h - rations: so many bytes and no more, of what several threads take for one owner; and
 * what a tenant may be limited in, by name (quota.def).
 * Thread: any. A take is one atomic addition; two at once near the maximum may both be refused. The
 * table is pure.
 * SPDX-License-Identifier: MIT */
#ifndef BASE_QUOTA_H
#define BASE_QUOTA_H

#include <stdatomic.h>

#include "base/arena.h"

struct ration {
  struct arena_source heap; /* heap blocks, charged: give this to arena_init; the first member */
  _Atomic uint64_t held;
  uint64_t max;
};

void ration_init(struct ration *ration, uint64_t max);
bool ration_take(struct ration *ration, uint64_t bytes);
/* For what its owner has bounded in another way: always taken, past the maximum too. */
void ration_take_beyond(struct ration *ration, uint64_t bytes);
void ration_give(struct ration *ration, uint64_t bytes);
uint64_t ration_held(const struct ration *ration);

/* --- what a tenant, or a model, may be limited in --------------------------------------------- */

#define QUOTA_UNLIMITED UINT64_MAX
#define QUOTA_MOST (UINT64_C(1) << 53)                /* every JSON reader keeps it exactly */
#define QUOTA_MOST_COUNTED ((UINT64_C(1) << 40) - 1) /* stat/rate.h, windows */

enum quota_id {
#define QUOTA(name, kind, scope, unit, normal, most, help) QUOTA_##name,
#include "base/quota.def"
#undef QUOTA
  QUOTAS
};

enum quota_kind { QUOTA_RATE, QUOTA_BURST, QUOTA_WINDOW, QUOTA_LEVEL, QUOTA_STOCK, QUOTA_SHARE };
enum quota_scope { QUOTA_TENANT = 1, QUOTA_MODEL = 2, QUOTA_BOTH = 3 };

struct quota_row {
  const char *name, *unit, *help;
  enum quota_kind kind;
  enum quota_scope scope;
  uint64_t normal, most;
};

/* What somebody said, by quota_id: 0: nothing. */
struct quotas {
  uint64_t said[QUOTAS];
};

/* Room for what quotas_write writes: names, values and a NUL. */
enum { QUOTAS_TEXT_MAX = QUOTAS * 56 };

const struct quota_row *quota_row(enum quota_id id);
/* The row called that; QUOTAS: none is. '-' stands for '_' where dashes is set: flags. */
enum quota_id quota_named(struct slice name, bool dashes);
/* What holds: what was said, else the row's normal value. quotas NULL: nothing was said. */
uint64_t quota_value(const struct quotas *quotas, enum quota_id id);
/* "100", "64MiB" where bytes are counted, "unlimited"; "default" reads as 0. E_VALUE_OUT_OF_RANGE
 * with the row's name as field for anything else. */
CHECKED enum code quota_read(enum quota_id id, struct slice text, uint64_t *value, struct err *err);
/* Whether it can be said of that scope. E_INVALID_ARGUMENT, with the field. */
CHECKED enum code quota_scope_check(enum quota_id id, enum quota_scope scope, struct err *err);

/* As one text, for events: "name=value", those that were said alone, in the order of the table, one
 * blank between: "requests_per_second=100 models=unlimited". */
size_t quotas_write(const struct quotas *quotas, char to[QUOTAS_TEXT_MAX]);
/* Sets what the text names, and leaves the rest: "name=default" takes a value back. On an error
 * nothing is changed. The one reader of fact `quotas` of EVENT_TENANT_SET and EVENT_MODEL_SET. */
CHECKED enum code quotas_read(struct quotas *quotas, enum quota_scope scope, struct slice text,
                              struct err *err);

#endif
