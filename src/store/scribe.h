/* scribe.h - the thread that writes: takes all waiting LETTER_APPENDs, one COMMIT for all of them
 * (group commit), then sends each home with its own outcome. Feedback is grouped alike; predictions
 * wait, and are written a few hundred at a time, so that no change waits for them.
 * Thread: scribe. It stops at LETTER_STOP, after writing what came before it.
 * SPDX-License-Identifier: MIT */
#ifndef STORE_SCRIBE_H
#define STORE_SCRIBE_H

#include "store/ledger.h"
#include "store/outcome.h"
#include "store/witness.h"
#include "world/letters.h"

struct scribe;

/* Both are lent until scribe_free. outcomes NULL: predictions are dropped, feedback is refused. */
struct scribe *scribe_new(struct ledger *ledger, struct outcomes *outcomes);
/* Checkpoints from now on; before the thread starts. Lent until scribe_free. */
void scribe_witness(struct scribe *scribe, struct witness *witness);
void scribe_free(struct scribe *scribe);
/* Before it runs: how long looks are kept (prune.h); unsaid all are. */
void scribe_keep_looks(struct scribe *scribe, uint32_t releases, int64_t keep_ms);
struct mailbox *scribe_mailbox(struct scribe *scribe);
void scribe_main(void *scribe); /* the thread's main: until LETTER_STOP */
/* Handles what is there and a part of the predictions that wait; never waits for letters. False
 * once a LETTER_STOP was among it. For tests. */
bool scribe_turn(struct scribe *scribe);

#endif
