/* fault.h - an engine around an engine that makes a healthy model sick: what rehearsals load.
 * Thread: fault_wrap and fault_run_ns: job, after the model passed its trials; the rest as
 * infer/engine.h says.
 *
 * Neither lanes nor engines know of it: a loaded model's engine is replaced by one that calls the
 * other. Chance comes from a generator of the seat, seeded with its number: the same requests in
 * the same order fail again.
 * SPDX-License-Identifier: MIT */
#ifndef INFER_FAULT_H
#define INFER_FAULT_H

#include "infer/loaded.h"
#include "world/fault.h"

/* loaded is not in any lane yet. FAULT_NONE leaves it as it is. */
void fault_wrap(struct loaded *loaded, const struct fault *fault);
/* What warm-up would have measured with the fault at work: decides where lanes live. */
int64_t fault_run_ns(const struct fault *fault, int64_t run_ns);

#endif
