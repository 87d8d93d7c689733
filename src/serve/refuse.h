/* refuse.h - the one place where an error becomes an answer:
 *   {"error":"text","code":"BAD_SHAPE","request_id":"...","details":{"field":"inputs[0]"}}
 * Thread: its loop; pure but for the struct it fills.
 * Source: the wire contract, section 2: `error` is a string, because clients of others crash on
 * objects.
 * SPDX-License-Identifier: MIT */
#ifndef SERVE_REFUSE_H
#define SERVE_REFUSE_H

#include "serve/call.h"

/* Writes the body into to[ERROR_JSON_MAX]; returns its length. Always fits. */
size_t refuse_json(char *to, const struct err *err, struct slice request_id);
/* Turns call->err into call->answer, keeping what a stage said for it (accept_encoding). */
void refuse(struct call *call);

#endif
