/* name.h - what models and tenants may be called: names that are safe in a path, a URL and a log.
 * Thread: any, pure.
 * Source: robustness rules, section 3.
 * SPDX-License-Identifier: MIT */
#ifndef WORLD_NAME_H
#define WORLD_NAME_H

#include "base/err.h"

enum { NAME_MAX_LEN = 63 };

/* [A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?, no "..", no device name (con, nul, ...).
 * E_BAD_NAME says which rule; what: "model". */
CHECKED enum code name_check(const char *what, struct slice name, struct err *err);

#endif
