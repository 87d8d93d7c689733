/* warm.h - the first runs of a model, so that the first caller does not pay for them, and what they
 * teach: how long a run takes, and whether dimension 0 really is a batch.
 * Thread: job.
 * SPDX-License-Identifier: MIT */
#ifndef JOBS_WARM_H
#define JOBS_WARM_H

#include "jobs/trial.h"

enum { WARM_US_MAX = 200000, WARM_RUNS_MAX = 101 };

/* Runs with zeros, every free dimension 1, for about WARM_US_MAX at most. *run_ns: the median.
 * Fails with the run's error; models may refuse zeros, so that is not the load's. */
CHECKED enum code warm_up(struct trial *trial, int64_t *run_ns, struct err *err);
/* Whether one row gives one row and two give two, in every output. Asked of models whose contract
 * says that they batch. */
bool warm_batches(struct trial *trial);

#endif
