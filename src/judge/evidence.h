/* evidence.h - what a verdict stood on, kept so that anybody can judge again: the journal of a
 * release, and the numbers beside each verdict.
 * Thread: any, pure.
 *
 * Journal: records one after another, each a kind, a length and its bytes:
 *   PLAN (the canonical text, first), STEP (number and baseline), LOOK.
 * Replaying them gives every verdict again, bit for bit; there is no other state.
 * Numbers: per row the integer counts of the step and of the last 60 looks, s, thresholds, phi,
 * P_i and S_i as hex floats.
 * Source: release-statistics 13.
 * SPDX-License-Identifier: MIT */
#ifndef JUDGE_EVIDENCE_H
#define JUDGE_EVIDENCE_H

#include "judge/judge.h"
#include "wire/json.h"

/* Of the judge: raised when the same looks may judge otherwise. 2: the first bad second is the
 * second itself, segments are each candidate's, one without outcomes is not hidden by others. 3:
 * with slack, slow answers are harm only where they are more than their quantile leaves. */
enum { EVIDENCE_VERSION = 3 };
enum evidence_kind { EVIDENCE_PLAN = 1, EVIDENCE_STEP = 2, EVIDENCE_LOOK = 3 };
enum { EVIDENCE_RECORD_MAX = LOOK_BYTES_MAX + 64 };

/* Each appends one record; out->full when it does not fit. */
void evidence_plan(struct slice text, struct varint_out *out);
void evidence_step(uint32_t step, const struct baseline *baseline, struct varint_out *out);
void evidence_look(const struct look *look, struct varint_out *out);

/* Replays record by record. `trial`, `look` and `arena` are the caller's memory. */
struct replay {
  struct trial *trial;
  struct look *look;
  struct arena *arena;
  bool begun, stepped;
};
void replay_init(struct replay *replay, struct trial *trial, struct look *look,
                 struct arena *arena);
/* Eats the next record. *judged says that it was a look, and *verdict is what it led to. Errors:
 * E_INVALID_ARGUMENT for bytes that are no journal of this version, records out of order. */
CHECKED enum code replay_next(struct replay *replay, struct slice *bytes, struct verdict *verdict,
                              bool *judged, struct err *err);

/* The numbers beside a verdict, as the next value of out. */
void evidence_json(const struct trial *trial, struct json_out *out);
/* All of a verdict's numbers, bit by bit, in 64: equal verdicts have equal prints. */
uint64_t verdict_print(const struct verdict *verdict);

#endif
