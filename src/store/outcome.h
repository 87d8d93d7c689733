/* outcome.h - predictions and outcomes on disk: DATA/outcomes.db, beside the ledger and not
 * chained, since it is data and not a decision.
 * Thread: scribe writes (main opens and closes); each desk reads through a handle of its own.
 *
 * Keyed by tenant, model and request id. Predictions are written a pulse at a time and without a
 * sync: what the last seconds held is lost when the machine fails, not when the process does.
 * Feedback is durable when its transaction has ended well.
 * Retention: predictions older than their model keeps them go, with their outcomes; outcomes that
 * no prediction came for go after PENDING_MS. The file does not outgrow its limit: when it is 7/8
 * full, the oldest predictions go of the model that writes the most, however young they are.
 * Errors: E_STORAGE_FULL changes nothing. Unlike the ledger's, a failure here never ends the
 * process: predictions are dropped and counted, feedback is answered with the error. When it is not
 * known what is on disk (a sync failed), nothing more is written until the next start.
 * Source: release features, section 8.
 * SPDX-License-Identifier: MIT */
#ifndef STORE_OUTCOME_H
#define STORE_OUTCOME_H

#include "base/arena.h"
#include "store/datadir.h"
#include "world/outcome.h"

struct outcomes;

#define OUTCOME_BYTES_MAX (INT64_C(8) << 30)

/* vfs: NULL, or a file system for tests. */
CHECKED enum code outcomes_open(struct outcomes **outcomes, const struct datadir *dir,
                                const char *vfs, bool writer, struct err *err);
/* The writer's: another limit than OUTCOME_BYTES_MAX. A file that is larger already stays so until
 * enough went. */
CHECKED enum code outcomes_limit(struct outcomes *outcomes, int64_t bytes, struct err *err);
void outcomes_close(struct outcomes *outcomes);

/* Rows of one owner, in one transaction. An id that is there already (a client that repeats ids)
 * keeps its first prediction. *dropped: how many of the rows were not written, for whatever
 * reason. */
CHECKED enum code outcomes_predicted(struct outcomes *outcomes,
                                     const struct prediction_owner *owner,
                                     const struct prediction *rows, uint32_t n, uint32_t *dropped,
                                     struct err *err);

/* What rows of this owner were made of: samples[i].row is the place among rows. */
CHECKED enum code outcomes_sampled(struct outcomes *outcomes, const struct prediction_owner *owner,
                                   const struct prediction *rows,
                                   const struct input_sample *samples, uint32_t n,
                                   struct err *err);

/* Several outcomes_told share one sync: what they answered holds once the group has ended well. */
CHECKED enum code outcomes_group_begin(struct outcomes *outcomes, struct err *err);
CHECKED enum code outcomes_group_end(struct outcomes *outcomes, struct err *err);
/* All or none, by itself or in a group; each item's state is filled. E_VALUE_OUT_OF_RANGE: the item
 * *bad happened before the time that its model's predictions are kept. now_ms: Unix time. */
CHECKED enum code outcomes_told(struct outcomes *outcomes, struct slice tenant,
                                struct feedback *items, uint32_t n, int64_t now_ms, uint32_t *bad,
                                struct err *err);

/* Asked of each model's tenant while cleaning: what a removed tenant has goes, however young. */
typedef bool (*outcomes_gone_fn)(void *arg, struct slice tenant);
void outcomes_ask_gone(struct outcomes *outcomes, outcomes_gone_fn fn, void *arg);

/* A step of cleaning: at most `rows` rows of one model, the next one when that one is through.
 * *gone: how many predictions went. */
CHECKED enum code outcomes_sweep(struct outcomes *outcomes, int64_t now_ms, uint32_t rows,
                                 uint32_t *gone, struct err *err);
/* How long after that step the next one is to come. */
int64_t outcomes_sweep_rest_us(const struct outcomes *outcomes);
/* Moves what was written from the log to the file when much has gathered: some 16 MB, or where
 * others wait for the thread eight times as much. Takes tens of milliseconds. */
void outcomes_tidy(struct outcomes *outcomes, bool busy);

/* Sums per arm over predictions of a release made from from_ms to mature_ms; of outcomes only those
 * within maturity_ms of their prediction.
 * The metric is of those units alone whose first prediction of the arm was made after since_ms and
 * up to mature_ms, so that what is measured one after the other adds up and each unit enters once,
 * at one age: its value is the mean, by weight, of what happened within maturity_ms of that first
 * prediction, cut to +-cap (not above 0: no metric). Beside it stands the covariate of that first
 * prediction, cut to +-covariate_cap, 0 where it had none. arms has ARMS_MAX.
 * Release 0: what was answered while none ran; the newest versions stand in the place of arms. */
struct outcome_question {
  struct slice tenant, model;
  uint32_t release;
  int64_t from_ms, since_ms, mature_ms, maturity_ms; /* since_ms below from_ms: from the first on */
  double cap;
  double covariate_cap; /* 0: what predictions say of a covariate is left out */
};
CHECKED enum code outcomes_measured(struct outcomes *outcomes, const struct outcome_question *of,
                                    struct outcome_sums arms[ARMS_MAX], struct err *err);
/* The release that the model's newest prediction is of; 0: there is none. */
CHECKED enum code outcomes_newest(struct outcomes *outcomes, struct slice tenant,
                                  struct slice model, uint32_t *release, struct err *err);

/* One request's prediction and what came of it; texts in the arena. */
struct outcome_found {
  bool predicted, told;
  struct prediction row; /* but for id and model */
  struct slice inputs;   /* empty: not sampled, or no JSON */
  struct slice outcome;
  double weight;
  int64_t at_ms, told_ms;
};
CHECKED enum code outcomes_find(struct outcomes *outcomes, struct slice tenant, struct slice model,
                                struct slice id, struct arena *arena, struct outcome_found *found,
                                struct err *err);

#endif
