/* quota.h - limits on the command line: a flag for each row of base/quota.def, and a table with a
 * bar for each limit.
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#ifndef CLI_TENANT_QUOTA_H
#define CLI_TENANT_QUOTA_H

#include <jansson.h>

#include "base/quota.h"
#include "cli/command.h"

/* Writes a flag for each limit that can be said of that scope to `to`, which has room for QUOTAS
 * and the end. The names stay for good. */
void quota_opts(enum quota_scope scope, struct opt *to);
/* {"requests_per_second": "100"} of the flags that were given; NULL where none was. A value that no
 * limit can have is refused here already: then *err is filled and false returned. */
bool quota_body(const struct args *args, enum quota_scope scope, json_t **body, struct err *err);
/* The answer's "quotas", a line each. */
void quotas_print(const json_t *quotas);

#endif
