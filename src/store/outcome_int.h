/* outcome_int.h - a handle on outcomes.db: outcome.c writes through it, measure.c reads.
 * Thread: the handle's owner, scribe or desk. Inside the store room only.
 * SPDX-License-Identifier: MIT */
#ifndef STORE_OUTCOME_INT_H
#define STORE_OUTCOME_INT_H

#include "store/outcome.h"
#include "store/sql_int.h"

enum { SWEEPS = 4 }; /* statements of one */

struct outcomes {
  sqlite3 *db;
  bool grouped; /* a group is open */
  bool broken;  /* what is on disk is not known */
  int log_pages;
  int64_t pages_max;            /* of the file */
  int64_t crowded_ms;           /* when it was last said that the file is nearly full */
  bool more;                    /* the last step of cleaning was not the last there is to do */
  int64_t swept;                /* the model of the last step */
  char cursor[PREDICTION_ID_MAX + 1]; /* how far its outcomes were looked at */
  size_t cursor_len;
  outcomes_gone_fn gone; /* NULL: no tenant is */
  void *gone_arg;
  sqlite3_stmt *model_find, *model_add, *model_keep, *model_next; /* the writer's up to `greedy` */
  sqlite3_stmt *predict, *sample, *known, *told, *tell, *keep, *sweep[SWEEPS], *page, *prune;
  sqlite3_stmt *pages, *greedy;
  sqlite3_stmt *measure, *newest, *find;
};

/* Runs a statement to its first row (*row true) or its end. */
CHECKED enum code outcomes_step(struct outcomes *outcomes, sqlite3_stmt *stmt, bool *row,
                                struct err *err);
/* *id 0: there is none of that name yet. */
CHECKED enum code outcomes_model(struct outcomes *outcomes, struct slice tenant,
                                 struct slice model, int64_t *id, int64_t *keep_ms,
                                 struct err *err);
/* The statements of a reader; the writer has them, too. */
CHECKED enum code measure_prepare(struct outcomes *outcomes, struct err *err);

#endif
