/* routes.h - the route table: every method and path slipway answers, one row each in routes.def.
 * Thread: any; constant.
 * The loops match against it (wire/route.h), desks find their handler in it, OpenAPI, help and the
 * role matrix are printed from it. A row's id is its place in the table and what letter_ask.route
 * holds.
 * SPDX-License-Identifier: MIT */
#ifndef API_ROUTES_H
#define API_ROUTES_H

#include "wire/route.h"

/* All rows; *n receives how many. Lives for ever. */
const struct route *routes_all(uint32_t *n);

#endif
