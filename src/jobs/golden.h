/* golden.h - the examples a model brings along: requests with the answers it must give.
 *
 *   golden.jsonl, one example a line, empty lines are skipped:
 *   {"request": {V2 request}, "response": {"outputs": [V2 tensors with data]}, "tolerance": 1e-5}
 *
 * Only outputs named in the response are compared. Floats: |got - want| <= tolerance * (1 +
 * |want|), a NaN equals a NaN; everything else must be equal. Tolerance is 1e-5 when not given.
 * Thread: job.
 * SPDX-License-Identifier: MIT */
#ifndef JOBS_GOLDEN_H
#define JOBS_GOLDEN_H

#include "jobs/trial.h"

/* E_GOLDEN_FAILED names line, output and element. *n: examples that agreed. */
CHECKED enum code golden_check(struct trial *trial, struct slice text, uint32_t *n,
                               struct err *err);

#endif
