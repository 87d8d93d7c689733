/* rejudge.h - recorded looks are judged again, by the judge the daemon has.
 * Thread: main (own); pure but for memory.
 * Apart from replay.c because wire/json.h and jansson share names.
 * SPDX-License-Identifier: MIT */
#ifndef CLI_RELEASE_REJUDGE_H
#define CLI_RELEASE_REJUDGE_H

#include "base/arena.h"

struct rejudge;

struct rejudge *rejudge_new(void);
void rejudge_free(struct rejudge *rejudge);
/* Eats one record from the front of *bytes (judge/evidence.h). *judged: it was a look, *look its
 * number. E_INVALID_ARGUMENT for what is no journal of this version. */
CHECKED enum code rejudge_next(struct rejudge *rejudge, struct slice *bytes, bool *judged,
                               uint64_t *look, struct err *err);
/* The verdict on the last look as judge/explain.h writes it; in the arena. */
struct slice rejudge_verdict(const struct rejudge *rejudge, struct arena *arena);
/* Of the judge that judges again; verdicts say theirs as `judge`, 1 where they say none. */
uint32_t rejudge_version(void);

#endif
