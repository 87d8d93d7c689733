/* trial.h - runs of a model before anybody waits for it: golden examples, warming up.
 * The same lane code as in service, on a lane of the job's own.
 * Thread: job.
 * SPDX-License-Identifier: MIT */
#ifndef JOBS_TRIAL_H
#define JOBS_TRIAL_H

#include "infer/lane.h"

enum { TRIAL_BYTES_MAX = 1 << 30 };

struct trial {
  struct lane *lane;
  const struct contract *contract;
  int64_t deadline_us;  /* clock_us: when all trials must be over */
  struct arena scratch; /* inputs made and outputs answered; emptied by the user */
  struct tensor outputs[TENSORS_MAX];
  int64_t run_ns; /* of the last run: the engine's part */
};

CHECKED enum code trial_init(struct trial *trial, struct loaded *loaded, struct watch *watch,
                             int64_t deadline_us, struct err *err);
void trial_deinit(struct trial *trial);
/* Runs once; outputs[i] of each wanted i is filled, its memory from scratch or an input's. */
CHECKED enum code trial_run(struct trial *trial, const struct tensor *inputs, uint64_t wanted,
                            uint32_t rows, struct err *err);

#endif
