/* refuse.h - a call's error becomes its answer; the body is err_json's (base/err.h).
 * Thread: its loop; pure but for the struct it fills.
 * SPDX-License-Identifier: MIT */
#ifndef SERVE_REFUSE_H
#define SERVE_REFUSE_H

#include "base/rand.h"
#include "serve/call.h"

/* Turns call->err into call->answer, keeping what a stage said for it (accept_encoding). */
void refuse(struct call *call);

/* When to come back, for err.retry_after_ms: so many milliseconds, between 20 ms and a minute, give
 * or take a fifth. */
uint32_t retry_spread(struct rand *rand, int64_t ms);

#endif
