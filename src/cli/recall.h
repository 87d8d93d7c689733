/* recall.h - recorded looks of one release, judged as they were and as another plan would have.
 * Thread: main (own); pure but for memory.
 * Apart from simulate.c because wire/json.h and jansson share names.
 * SPDX-License-Identifier: MIT */
#ifndef CLI_RECALL_H
#define CLI_RECALL_H

#include "judge/judge.h"

struct recall_says {
  uint64_t looks;    /* judged */
  bool harm, paused; /* ever */
  uint64_t harm_look, pause_look;
  uint64_t harm_ms;       /* into the release */
  enum gate_id by;        /* of harm */
  enum judge_lane lane;   /* of harm */
  enum verdict_kind last; /* on the last look */
};

struct recall;

/* other NULL: the plan of the record. */
struct recall *recall_new(const struct plan *other);
void recall_free(struct recall *recall);
/* From the plan record on: the other plan's lanes. */
void recall_lanes(struct recall *recall, enum gate_lanes lanes);
/* Eats one record of the journal from the front of *bytes (judge/evidence.h).
 * E_INVALID_ARGUMENT. */
CHECKED enum code recall_next(struct recall *recall, struct slice *bytes, struct err *err);
const struct recall_says *recall_was(const struct recall *recall);
const struct recall_says *recall_would(const struct recall *recall);

#endif
