/* refuse.h - a call's error becomes its answer; the body is err_json's (base/err.h).
 * Thread: its loop; pure but for the struct it fills.
 * SPDX-License-Identifier: MIT */
#ifndef SERVE_REFUSE_H
#define SERVE_REFUSE_H

#include "serve/call.h"

/* Turns call->err into call->answer, keeping what a stage said for it (accept_encoding). */
void refuse(struct call *call);

#endif
