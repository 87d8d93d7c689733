/* janitor.h - the thread that looks after stored files: it takes away what nobody needs, and reads
 * everything again to find what has rotted.
 * Thread: janitor; janitor_new and janitor_free: main.
 *
 *   every collect_us   REFS to control -> walk the folders, drop -> sweep uploads and marks
 *   every scrub_us     all objects, at most scrub_rate bytes a second; what is rotten: REFS of that
 *                      object, then a COMMAND for each version that needs it, whose answer is an
 *                      event (VERSION_CORRUPT); at the end VERSION_SOUND for those marked corrupt
 *                      of which nothing is rotten any more
 * It works in small steps and reads its mail between them. When the last whole pass ended is kept
 * in DATA/scrub, so that restarts do not begin it again and again.
 * Stopping: after control. A letter that is still there does not come home; janitor_free is called
 * when control is gone, too.
 * SPDX-License-Identifier: MIT */
#ifndef STORE_CHORES_JANITOR_H
#define STORE_CHORES_JANITOR_H

#include "base/limit.h"
#include "store/datadir.h"
#include "world/letters.h"

struct janitor_opts {
  int64_t keep_us;    /* unfinished uploads, and objects that no version was made of */
  int64_t collect_us; /* from one collection to the next */
  int64_t scrub_us;   /* from the end of one pass to the next */
  uint64_t scrub_rate; /* bytes a second */
};

struct janitor;

/* dir and post are lent for life. */
struct janitor *janitor_new(const struct janitor_opts *opts, const struct datadir *dir,
                            const struct post *post);
void janitor_free(struct janitor *janitor);
struct mailbox *janitor_mailbox(struct janitor *janitor);
void janitor_main(void *janitor); /* until LETTER_STOP */
/* For tests: takes what mail there is and does one step; returns when it wants the next. */
int64_t janitor_turn(struct janitor *janitor, int64_t now_us, int64_t wall_ms);
void janitor_limits_list(struct limits *to);

#endif
