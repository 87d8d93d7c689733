/* release_int.h - what the stages count of the release that a call belongs to.
 * Thread: its loop.
 *
 * A call is bound to a release by the choose stage, if by lot: call->split. The slot of a release
 * may be another's by the time the call is answered, so what is counted later asks again whether it
 * still runs (release_here).
 * SPDX-License-Identifier: MIT */
#ifndef SERVE_RELEASE_INT_H
#define SERVE_RELEASE_INT_H

#include "serve/stages_int.h"

/* A running release as this loop counts it. */
struct release_place {
  struct release_tally *tally; /* touched */
  struct release_local *local;
};

/* The text of "header:NAME", "parameter:NAME" or "tenant" in this request; at NULL: it has none.
 * Valid while its client waits. */
struct slice release_field(const struct call *call, struct slice field);

/* Whether the newest world still runs this very release. */
bool release_runs(const struct serve *serve, const struct release_ref *ref);
/* Where to count what concerns it; false: it runs no more. */
bool release_here(struct serve *serve, const struct release_ref *ref, struct release_place *place);

/* Into the next tally: what the one that leaves has counted. */
void release_local_carry(struct release_local *local, const struct release_tally *counted);

/* Which of the model's arms answers. Says in the call whether its answer is evidence, and whether a
 * shadow gets a copy. */
const struct arm *release_choose(struct call *call);

/* A unit as predictions and control know it. */
uint64_t unit_hash(struct slice key);

/* What an answer that is evidence says of its release: the kill rule, the segments. */
void release_answered(struct call *call, bool failed, bool slow);

#endif
