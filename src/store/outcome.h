/* outcome.h - predictions and outcomes on disk: DATA/outcomes.db, beside the ledger and not
 * chained, since it is data and not a decision.
 * Thread: scribe writes (main opens and closes); each desk reads through a handle of its own.
 *
 * Keyed by tenant, model and request id. Predictions are written a pulse at a time; what the last
 * second held is lost in a crash. Feedback is durable when outcome_tell returns OK.
 * Retention: predictions past the model's keep_ms go, with their outcomes, in steps of a few
 * thousand rows; past OUTCOME_ROWS_MAX per model the oldest go early and are counted.
 * Errors: E_STORAGE_FULL changes nothing. Unlike the ledger's, a failure here never ends the
 * process: predictions are dropped and counted, feedback is answered with the error.
 * Source: release features, section 8.
 * SPDX-License-Identifier: MIT */
#ifndef STORE_OUTCOME_H
#define STORE_OUTCOME_H

#include "store/datadir.h"
#include "world/outcome.h"

struct outcomes;

enum { OUTCOME_ROWS_MAX = 20000000 };

/* Whose rows these are. */
struct outcome_of {
  struct slice tenant, model;
  uint32_t release; /* predictions and measures; 0: none, all */
};

CHECKED enum code outcomes_open(struct outcomes **outcomes, const struct datadir *dir, bool writer,
                                struct err *err);
void outcomes_close(struct outcomes *outcomes);

/* A pulse's predictions of one release, in one transaction. An id that is there already (a client
 * that repeats ids) keeps its first prediction. `dropped`: how many. */
CHECKED enum code outcomes_predicted(struct outcomes *outcomes, const struct outcome_of *of,
                                     const struct prediction *rows, uint32_t n, uint32_t *dropped,
                                     struct err *err);
/* All or none; each item's state is filled. now_ms: Unix time. */
CHECKED enum code outcomes_told(struct outcomes *outcomes, const struct outcome_of *of,
                                struct feedback *items, uint32_t n, int64_t now_ms,
                                struct err *err);
/* Predictions before this, at most `rows` of them; *gone: how many went. */
CHECKED enum code outcomes_sweep(struct outcomes *outcomes, const struct outcome_of *of,
                                 int64_t before_ms, uint32_t rows, uint32_t *gone,
                                 struct err *err);

/* Sums per arm over predictions of the release made at or before mature_ms; of outcomes only those
 * within maturity_ms of their prediction. Values are cut to +-cap (cap <= 0: not). A unit's value
 * is the mean over its requests. arms has ARMS_MAX. */
CHECKED enum code outcomes_measured(struct outcomes *outcomes, const struct outcome_of *of,
                                    int64_t mature_ms, int64_t maturity_ms, double cap,
                                    struct outcome_sums arms[ARMS_MAX], struct err *err);

#endif
