/* load.h - a version's files become a model that may serve, and go again.
 * Thread: job.
 * SPDX-License-Identifier: MIT */
#ifndef JOBS_LOAD_H
#define JOBS_LOAD_H

#include "infer/watch.h"
#include "world/letters.h"

/* Memory that a load takes beside the model, at most; what is gone when it is over. */
enum { WALK_ARENA_MAX = 1 << 30 };

enum load_stage { LOAD_READS, LOAD_WALKS, LOAD_OPENS, LOAD_EXAMPLES, LOAD_WARMS, LOAD_STAGES };
typedef void (*load_stage_fn)(enum load_stage stage);

/* The steps after reading: looks through the files, opens, runs the examples, warms up. Fills
 * letter->contract, run_ns and n_golden. stage (may be NULL) is told of each as it begins. On
 * failure what was made is in loaded all the same: loaded_free. */
struct folder;
CHECKED enum code load_make(struct letter_load *letter, const struct folder *folder,
                            struct loaded *loaded, struct watch *watch, load_stage_fn stage,
                            struct err *err);
struct loaded *loaded_new(void);
void loaded_free(struct loaded *loaded);

/* Fills the letter's home part; err says how it went. `watch` stops what takes too long. Errors:
 * E_ARTIFACT_CORRUPT E_UNAVAILABLE (files), E_BAD_CONFIG (slipway.yaml, engine), E_MODEL_REJECTED
 * E_EXTERNAL_DATA_FORBIDDEN E_MODEL_LOAD_FAILED (model), E_GOLDEN_FAILED. */
void load_run(struct letter_load *letter, struct watch *watch);
/* Runs the golden examples on a model in memory, on a lane of its own. */
void check_run(struct letter_check *letter, struct watch *watch);
/* No lane is left. Closes the model; its memory goes back to the system. */
void unload_run(struct letter_unload *letter);

#endif
