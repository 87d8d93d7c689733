/* loaded.h - a model in memory: made by a job, run by lanes, given back by a job.
 * Thread: the job's until its LOAD letter is home; then read-only for every lane owner; the job's
 * again with the UNLOAD letter, when no lane is left.
 * SPDX-License-Identifier: MIT */
#ifndef INFER_LOADED_H
#define INFER_LOADED_H

#include "infer/engine.h"

enum { LOADED_WHO_MAX = 256 };

struct loaded {
  char who[LOADED_WHO_MAX]; /* "TENANT MODEL VERSION"; empty: it is only looked at */
  const struct engine *engine;
  void *model; /* the engine's own */
  struct contract contract;
  struct arena arena; /* holds the contract */
  bool spread; /* runs use threads of the engine's own: a run's CPU time is not known */
  struct batch_spec batch; /* how tasks may share runs, where the contract batches */
  int64_t deadline_us; /* that requests have by default; 0: not said, each brings its own */
};

#endif
